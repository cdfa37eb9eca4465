#include "picture.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "failure.hpp"
#include "folder.hpp"

namespace {

namespace fs = std::filesystem;
using locator::internal::Failure;
using locator::internal::load_bytes;
using locator::internal::load_file;
using locator::internal::load_pixels;

cv::Mat noise(int type = CV_8UC3) {
    cv::Mat picture(37, 61, type);
    cv::randu(picture, 0, 256);
    return picture;
}

std::string encoded(const std::string& suffix, const cv::Mat& picture) {
    std::vector<unsigned char> bytes;
    cv::imencode(suffix, picture, bytes);
    return {bytes.begin(), bytes.end()};
}

bool same(const cv::Mat& a, const cv::Mat& b) {
    return a.size() == b.size() && a.type() == b.type() && cv::norm(a, b, cv::NORM_INF) == 0;
}

std::pair<locator_status, std::string> failure(const std::function<void()>& load) {
    try {
        load();
    } catch (const Failure& error) {
        return {error.status(), error.what()};
    }
    return {LOCATOR_OK, ""};
}

locator_pixels pixels_of(const cv::Mat& picture, locator_format format) {
    return {sizeof(locator_pixels), picture.data,    picture.cols,
            picture.rows,           picture.step[0], static_cast<std::int32_t>(format)};
}

TEST(Picture, FilesAndBytesAreTheSame) {
    const Folder folder;
    const cv::Mat picture = noise();
    for (const std::string suffix : {".png", ".bmp"}) {
        const std::string data = encoded(suffix, picture);
        EXPECT_TRUE(same(load_bytes(data, "it"), picture));
        EXPECT_TRUE(same(load_file(folder.write("a" + suffix, data)), picture));
    }
}

TEST(Picture, AlphaIsDroppedAndGreyBecomesColour) {
    const cv::Mat bgra = noise(CV_8UC4);
    cv::Mat bgr;
    cv::cvtColor(bgra, bgr, cv::COLOR_BGRA2BGR);
    EXPECT_TRUE(same(load_bytes(encoded(".png", bgra), "it"), bgr));
    const cv::Mat grey = noise(CV_8UC1);
    cv::cvtColor(grey, bgr, cv::COLOR_GRAY2BGR);
    EXPECT_TRUE(same(load_bytes(encoded(".png", grey), "it"), bgr));
}

TEST(Picture, AStoredOrientationIsApplied) {
    const std::string jpeg = encoded(".jpg", noise());
    // An EXIF block whose only entry is the orientation: turned by 90 degrees.
    const std::string exif(
        "\xff\xe1\0\x22"
        "Exif\0\0"
        "MM\0*\0\0\0\x08"
        "\0\1"
        "\1\x12\0\3\0\0\0\1\0\6\0\0"
        "\0\0\0\0",
        36);
    std::string turned = jpeg;
    turned.insert(2, exif);
    cv::Mat upright;
    cv::rotate(load_bytes(jpeg, "it"), upright, cv::ROTATE_90_CLOCKWISE);
    EXPECT_TRUE(same(load_bytes(turned, "it"), upright));
}

TEST(Picture, EveryFormatOfPixels) {
    const cv::Mat bgr = noise();
    cv::Mat other;
    EXPECT_TRUE(same(load_pixels(pixels_of(bgr, LOCATOR_BGR)), bgr));
    cv::cvtColor(bgr, other, cv::COLOR_BGR2RGB);
    EXPECT_TRUE(same(load_pixels(pixels_of(other, LOCATOR_RGB)), bgr));
    cv::cvtColor(bgr, other, cv::COLOR_BGR2BGRA);
    EXPECT_TRUE(same(load_pixels(pixels_of(other, LOCATOR_BGRA)), bgr));
    cv::cvtColor(bgr, other, cv::COLOR_BGR2RGBA);
    EXPECT_TRUE(same(load_pixels(pixels_of(other, LOCATOR_RGBA)), bgr));
    const cv::Mat grey = noise(CV_8UC1);
    cv::cvtColor(grey, other, cv::COLOR_GRAY2BGR);
    EXPECT_TRUE(same(load_pixels(pixels_of(grey, LOCATOR_GREY)), other));
}

TEST(Picture, PixelsMayHaveGapsBetweenTheirRows) {
    const cv::Mat large = noise();
    const cv::Mat part = large(cv::Rect(7, 5, 40, 20));
    EXPECT_TRUE(same(load_pixels(pixels_of(part, LOCATOR_BGR)), part));
    auto tight = pixels_of(large, LOCATOR_BGR);
    tight.stride_bytes = 0;
    EXPECT_TRUE(same(load_pixels(tight), large));
}

TEST(Picture, PixelsThatAreNone) {
    const cv::Mat picture = noise();
    const std::vector<std::function<void(locator_pixels&)>> mistakes{
        [](locator_pixels& p) { p.data = nullptr; },
        [](locator_pixels& p) { p.width = 0; },
        [](locator_pixels& p) { p.height = -1; },
        [](locator_pixels& p) { p.format = 5; },
        [](locator_pixels& p) { p.format = -1; },
        [](locator_pixels& p) { p.stride_bytes = 182; },
    };
    for (const auto& mistake : mistakes) {
        auto pixels = pixels_of(picture, LOCATOR_BGR);
        mistake(pixels);
        EXPECT_EQ(failure([&] { load_pixels(pixels); }).first, LOCATOR_ERROR_ARGUMENT);
    }
}

TEST(Picture, SizesAreBoundedBeforeAnythingIsRead) {
    auto pixels = pixels_of(noise(), LOCATOR_BGR);
    for (const auto& [width, height] :
         {std::pair(16385, 1), std::pair(1, 16385), std::pair(8001, 8000)}) {
        pixels.width = width;
        pixels.height = height;
        pixels.stride_bytes = 0;
        const auto [status, text] = failure([&] { load_pixels(pixels); });
        EXPECT_EQ(status, LOCATOR_ERROR_PICTURE);
        EXPECT_NE(text.find("is too large"), std::string::npos);
    }
    const std::string wide = encoded(".png", cv::Mat(1, 16385, CV_8UC3, cv::Scalar::all(9)));
    EXPECT_NE(failure([&] { load_bytes(wide, "it"); }).second.find("it is too large: 16385 x 1"),
              std::string::npos);
    const std::string huge(LOCATOR_MAX_FILE_BYTES + 1, 'x');
    EXPECT_NE(failure([&] { load_bytes(huge, "it"); }).second.find("larger than 64 MiB"),
              std::string::npos);
}

TEST(Picture, PathsThatCannotBeRead) {
    const Folder folder;
    const fs::path pipe = folder.path() / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    const std::vector<std::pair<fs::path, std::string>> wrong{
        {folder.path(), "is a folder"},
        {folder.path() / "none.png", "does not exist"},
        {pipe, "is not a regular file"},
        {std::string(5000, 'a'), "cannot be read"},
        {folder.write("text.png", "hello"), "is not a picture of an accepted format"},
        {folder.write("cut.png", encoded(".png", noise()).substr(0, 500)), "is truncated"},
    };
    for (const auto& [path, expected] : wrong) {
        const auto [status, text] = failure([&, file = path] { load_file(file); });
        EXPECT_EQ(status, LOCATOR_ERROR_PICTURE);
        EXPECT_NE(text.find(expected), std::string::npos) << text;
        EXPECT_EQ(text.find('\n'), std::string::npos);
    }
}

TEST(Picture, WhatTheDecoderRefusesIsNoPicture) {
    std::string bmp = encoded(".bmp", noise());
    bmp[28] = 7;  // bits a pixel: nobody has ever written such a file
    const auto [status, text] = failure([&] { load_bytes(bmp, "it"); });
    EXPECT_EQ(status, LOCATOR_ERROR_PICTURE);
    EXPECT_NE(text.find("it could not be decoded"), std::string::npos) << text;
}

}  // namespace
