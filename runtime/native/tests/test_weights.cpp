// The shipped bundle, from file to answer.
#include <gtest/gtest.h>

#include <cmath>
#include <locator/locator.hpp>
#include <nlohmann/json.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "folder.hpp"

namespace {

const std::string kWeights = WEIGHTS;

// Other processors round otherwise.
constexpr double kTolerancePx = 1;
constexpr double kScoreTolerance = 0.05;

nlohmann::json golden() {
    return nlohmann::json::parse(content_of(kWeights + "/manifest.json"))["golden"];
}

void expect_near(const locator::Keypoint& found, const nlohmann::json& expected) {
    EXPECT_LE(
        std::hypot(found.x - expected["x"].get<double>(), found.y - expected["y"].get<double>()),
        kTolerancePx);
    EXPECT_NEAR(found.score, expected["score"], kScoreTolerance);
}

class Weights : public testing::TestWithParam<const char*> {};

TEST_P(Weights, TheGoldenPictureGetsItsAnswer) {
    const auto entry = golden();
    const auto& expected = entry["answer"][GetParam()];
    locator::Options options;
    options.precision = GetParam();
    const locator::Locator locator(kWeights, options);
    const std::string path = kWeights + "/" + entry["picture"].get<std::string>();

    const locator::Location found = locator.predict_file(path);
    expect_near(found.gap, expected["gap"]);
    expect_near(found.slider, expected["slider"]);
    EXPECT_EQ(found.ok(), expected["ok"]);
    EXPECT_EQ(found.picture_width, expected["picture_width"]);
    EXPECT_EQ(found.picture_height, expected["picture_height"]);

    // The same from bytes and from pixels, exactly.
    const std::string data = content_of(path);
    const cv::Mat pixels = cv::imread(path);
    for (const auto& other :
         {locator.predict_bytes(data.data(), data.size()),
          locator.predict({pixels.data, pixels.cols, pixels.rows, LOCATOR_BGR, pixels.step[0]})}) {
        EXPECT_EQ(other.gap.x, found.gap.x);
        EXPECT_EQ(other.slider.y, found.slider.y);
        EXPECT_EQ(other.gap.score, found.gap.score);
        EXPECT_EQ(other.angle_deg, found.angle_deg);
    }
}

INSTANTIATE_TEST_SUITE_P(Precisions, Weights, testing::Values("int8", "fp32"));

}  // namespace
