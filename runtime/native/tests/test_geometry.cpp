// The golden files of the geometry contract, made independently of any of the project's code.
#include "geometry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "folder.hpp"

namespace {

using locator::internal::Letterbox;

nlohmann::json cases() {
    return nlohmann::json::parse(content_of(std::string(GOLDEN) + "/letterbox.json"));
}

cv::Mat golden_picture(const nlohmann::json& name) {
    return cv::imread(std::string(GOLDEN) + "/" + name.get<std::string>(), cv::IMREAD_UNCHANGED);
}

TEST(Geometry, GoldenNumbers) {
    ASSERT_GT(cases().size(), 40U);
    for (const auto& entry : cases()) {
        SCOPED_TRACE(entry.dump());
        const Letterbox letterbox(entry["picture_width"], entry["picture_height"]);
        EXPECT_EQ(letterbox.width(), entry["width"]);
        EXPECT_EQ(letterbox.height(), entry["height"]);
        EXPECT_EQ(letterbox.left(), entry["left"]);
        EXPECT_EQ(letterbox.top(), entry["top"]);
        for (const auto& point : entry["points"]) {
            const auto found = letterbox.to_picture({point[2], point[3]});
            EXPECT_NEAR(found.x, point[0], 1e-3);
            EXPECT_NEAR(found.y, point[1], 1e-3);
        }
    }
}

TEST(Geometry, GoldenCanvases) {
    int drawn = 0;
    for (const auto& entry : cases()) {
        if (entry["picture"].is_null()) continue;
        SCOPED_TRACE(entry["picture"].dump());
        const cv::Mat picture = golden_picture(entry["picture"]);
        const Letterbox letterbox(picture.cols, picture.rows);
        cv::Mat canvas(256, 512, CV_8UC4, cv::Scalar::all(77));  // all of it is to be overwritten
        letterbox.render(picture, canvas);
        cv::Mat expected;
        cv::cvtColor(golden_picture(entry["canvas"]), expected, cv::COLOR_BGRA2RGBA);
        EXPECT_LE(cv::norm(canvas, expected, cv::NORM_INF), 1);
        cv::Mat mask;
        cv::Mat expected_mask;
        cv::extractChannel(canvas, mask, 3);
        cv::extractChannel(expected, expected_mask, 3);
        EXPECT_EQ(cv::norm(mask, expected_mask, cv::NORM_INF), 0);
        ++drawn;
    }
    EXPECT_GE(drawn, 8);
}

}  // namespace
