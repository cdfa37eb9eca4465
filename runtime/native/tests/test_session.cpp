// How the network's numbers become an answer, and what speaks against one.
#include "session.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "failure.hpp"

namespace {

using locator::internal::locate;
using locator::internal::RawResult;
using locator::internal::Thresholds;
using locator::internal::View;

// A picture of the canvas's size, so that canvas and picture coordinates are the same.
const View kView(512, 256, {});
const Thresholds kLimits{0.5, 0.9, 20};

RawResult sure() { return {{{{300, 100, 0.75F, 0.25F}, {50, 100, 0.875F, 0.125F}}}, {0, 1}}; }

std::vector<std::string> reasons(const locator_location& found) {
    return {found.reasons, found.reasons + found.reason_count};
}

TEST(Locate, AnAnswerWithoutDoubts) {
    const auto found = locate(sure(), kView, kLimits, 0);
    EXPECT_EQ(found.ok, 1);
    EXPECT_EQ(found.gap.x, 300);
    EXPECT_EQ(found.slider.y, 100);
    EXPECT_EQ(found.slider.score, 0.875);
    EXPECT_EQ(found.slider.rival, 0.125);
    EXPECT_EQ(found.distance_px, 250);
    EXPECT_EQ(found.picture_width, 512);
    EXPECT_EQ(found.picture_height, 256);
}

TEST(Locate, TheDistanceIsForTheSizeShown) {
    const auto found = locate(sure(), kView, kLimits, 256);
    EXPECT_EQ(found.distance_px, 125);
    EXPECT_EQ(found.display_width, 256);
    EXPECT_EQ(found.gap.x, 300);
}

TEST(Locate, TheAngleIsAbove180Below) {
    auto raw = sure();
    raw.angle = {0.5F, std::sqrt(0.75F)};
    EXPECT_NEAR(locate(raw, kView, kLimits, 0).angle_deg, 30, 1e-5);
    raw.angle = {-0.5F, std::sqrt(0.75F)};
    EXPECT_NEAR(locate(raw, kView, kLimits, 0).angle_deg, -30, 1e-5);
    for (const float sine : {0.0F, -0.0F}) {
        raw.angle = {sine, -1};
        EXPECT_EQ(locate(raw, kView, kLimits, 0).angle_deg, 180);
    }
}

TEST(Locate, RoundingErrorsAreClipped) {
    auto raw = sure();
    raw.keypoints[0][2] = 1.0001F;
    raw.keypoints[1][2] = -0.0001F;
    raw.keypoints[1][3] = -0.0001F;
    const auto found = locate(raw, kView, kLimits, 0);
    EXPECT_EQ(found.gap.score, 1);
    EXPECT_EQ(found.slider.score, 0);
    EXPECT_EQ(found.slider.rival, 0);
}

TEST(Locate, NumbersThatAreNotFiniteAreNoAnswer) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        for (int n = 0; n < 10; ++n) {
            auto raw = sure();
            if (n < 8) {
                raw.keypoints[static_cast<unsigned>(n) / 4][static_cast<unsigned>(n) % 4] = bad;
            } else {
                raw.angle[static_cast<unsigned>(n) - 8] = bad;
            }
            try {
                locate(raw, kView, kLimits, 0);
                ADD_FAILURE() << n;
            } catch (const locator::internal::Failure& failure) {
                EXPECT_EQ(failure.status(), LOCATOR_ERROR_BACKEND);
            }
        }
    }
}

TEST(Doubts, LimitsThemselvesAreTrusted) {
    auto raw = sure();
    raw.keypoints[0] = {300, 100, 0.5F, 0.25F};
    raw.keypoints[1] = {50, 120, 0.5F, 0.25F};
    EXPECT_EQ(locate(raw, kView, {0.5, 0.25, 20}, 0).ok, 1);
}

TEST(Doubts, AllThatThereAre) {
    const RawResult raw{{{{-9, 240.25F, 0.25F, 0.95F}, {600, -7, 0.125F, 0.9375F}}}, {0, 1}};
    const auto found = locate(raw, kView, kLimits, 0);
    EXPECT_EQ(found.ok, 0);
    const std::vector<std::string> expected{
        "nothing found",
        "gap score 0.250 is below 0.500",
        "gap rival 0.950 is above 0.900",
        "gap lies outside the picture",
        "slider score 0.125 is below 0.500",
        "slider rival 0.938 is above 0.900",
        "slider lies outside the picture",
        "rows differ by 247.2 px, more than 20.0 px",
    };
    EXPECT_EQ(reasons(found), expected);
    EXPECT_EQ(expected.size(), std::size_t{LOCATOR_MAX_REASONS});
}

TEST(Doubts, RowsAreComparedOnTheCanvas) {
    locator_query query{};
    query.roi_width = 1024;  // two picture pixels to a canvas pixel
    query.roi_height = 512;
    const View view(2000, 1000, query);
    auto raw = sure();
    raw.keypoints[1][1] = 80;
    EXPECT_EQ(locate(raw, view, kLimits, 0).ok, 1);
    raw.keypoints[1][1] = 79;
    EXPECT_EQ(reasons(locate(raw, view, kLimits, 0)),
              std::vector<std::string>{"rows differ by 42.0 px, more than 40.0 px"});
    raw.keypoints[1] = {-3, 100, 0.875F, 0.125F};
    EXPECT_EQ(reasons(locate(raw, view, kLimits, 0)),
              std::vector<std::string>{"slider lies outside the roi"});
}

TEST(Doubts, PointsAtOnePlace) {
    const std::vector<std::string> told{"both points at one place: one of them may be missing"};
    locator_query query{};
    query.roi_width = 1024;  // two picture pixels to a canvas pixel
    query.roi_height = 512;
    const View view(2000, 1000, query);
    auto raw = sure();
    const auto [x, y, score, rival] = raw.keypoints[0];
    raw.keypoints[1] = {x - 7.9F, y, score, rival};
    EXPECT_EQ(reasons(locate(raw, view, kLimits, 0)), told);
    raw.keypoints[1] = {x + 4, y - 6, score, rival};
    EXPECT_EQ(reasons(locate(raw, view, kLimits, 0)), told);
    raw.keypoints[1] = {x + 8, y, score, rival};
    EXPECT_EQ(locate(raw, view, kLimits, 0).ok, 1);
    raw.keypoints = {{{x, y, 0.25F, 0}, {x, y, 0.25F, 0}}};  // nothing, and so at no place
    EXPECT_EQ(reasons(locate(raw, view, kLimits, 0)).size(), 3U);
}

TEST(Doubts, EvenTheLargestNumbersFit) {
    auto raw = sure();
    raw.keypoints[0][3] = std::numeric_limits<float>::max();
    raw.keypoints[0][1] = std::numeric_limits<float>::max();
    const auto found = reasons(locate(raw, kView, kLimits, 0));
    ASSERT_EQ(found.size(), 3U);
    EXPECT_NE(found[0].find(".000 is above 0.900"), std::string::npos) << found[0];
    EXPECT_NE(found[2].find(".0 px, more than 20.0 px"), std::string::npos) << found[2];
}

}  // namespace
