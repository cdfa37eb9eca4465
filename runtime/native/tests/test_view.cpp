#include "view.hpp"

#include <gtest/gtest.h>

#include <climits>
#include <opencv2/core.hpp>

#include "failure.hpp"

namespace {

using locator::internal::Failure;
using locator::internal::View;

locator_query roi(int x, int y, int width, int height) {
    locator_query query{};
    query.roi_x = x;
    query.roi_y = y;
    query.roi_width = width;
    query.roi_height = height;
    return query;
}

TEST(View, ARoiIsDrawnAsThePictureThatItIs) {
    cv::Mat picture(300, 500, CV_8UC3);
    cv::randu(picture, 0, 256);
    const View part(500, 300, roi(40, 30, 340, 190));
    cv::Mat through(256, 512, CV_8UC4);
    part.render(picture, through);
    cv::Mat alone(256, 512, CV_8UC4);
    View(340, 190, {}).render(picture(cv::Rect(40, 30, 340, 190)).clone(), alone);
    EXPECT_EQ(cv::norm(through, alone, cv::NORM_INF), 0);
}

TEST(View, PointsOfARoiAreThoseOfThePictureShifted) {
    const auto whole = View(340, 190, {}).to_picture({100, 50});
    const auto part = View(500, 300, roi(40, 30, 340, 190)).to_picture({100, 50});
    EXPECT_DOUBLE_EQ(part.x, whole.x + 40);
    EXPECT_DOUBLE_EQ(part.y, whole.y + 30);
}

TEST(View, ARoiLiesWithinThePicture) {
    EXPECT_NO_THROW(View(500, 300, roi(0, 0, 500, 300)));
    EXPECT_NO_THROW(View(500, 300, roi(499, 299, 1, 1)));
    for (const locator_query& wrong :
         {roi(-1, 0, 10, 10), roi(0, -1, 10, 10), roi(491, 0, 10, 10), roi(0, 291, 10, 10),
          roi(5, 5, 0, 10), roi(5, 5, 10, 0), roi(5, 5, -3, 10), roi(1, 0, INT_MAX, 1),
          roi(INT_MAX, INT_MAX, INT_MAX, INT_MAX), roi(INT_MIN, 0, INT_MAX, 1)}) {
        try {
            const View view(500, 300, wrong);
            ADD_FAILURE() << wrong.roi_x << " " << wrong.roi_y << " " << wrong.roi_width;
        } catch (const Failure& failure) {
            EXPECT_EQ(failure.status(), LOCATOR_ERROR_ARGUMENT);
        }
    }
}

TEST(View, ContainsItsPixels) {
    const View view(500, 300, roi(40, 30, 340, 190));
    EXPECT_TRUE(view.contains(39.5, 29.5));
    EXPECT_FALSE(view.contains(39.4, 100));
    EXPECT_FALSE(view.contains(100, 29.4));
    EXPECT_TRUE(view.contains(379.4, 219.4));
    EXPECT_FALSE(view.contains(379.5, 100));
    EXPECT_FALSE(view.contains(100, 219.5));
    EXPECT_FALSE(view.is_whole());
    EXPECT_TRUE(View(500, 300, roi(0, 0, 500, 300)).is_whole());
}

TEST(View, OnlyAWholePictureIsOversized) {
    EXPECT_TRUE(View(1920, 1080, {}).is_oversized());
    EXPECT_FALSE(View(1920, 1080, roi(0, 0, 1920, 1080)).is_oversized());
    EXPECT_FALSE(View(1280, 640, {}).is_oversized());  // a scale of exactly 0.4
    EXPECT_TRUE(View(1283, 640, {}).is_oversized());
}

}  // namespace
