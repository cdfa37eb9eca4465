#include "encoded.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <climits>
#include <cstdint>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

namespace {

using locator::internal::encoded_size;
using locator::internal::MalformedError;

std::string encoded(const std::string& suffix, const std::vector<int>& options = {}) {
    cv::Mat picture(37, 61, CV_8UC3);
    cv::randu(picture, 0, 256);
    std::vector<unsigned char> bytes;
    cv::imencode(suffix, picture, bytes, options);
    return {bytes.begin(), bytes.end()};
}

const std::vector<std::string>& whole_files() {
    static const std::vector<std::string> files{encoded(".png"),
                                                encoded(".jpg"),
                                                encoded(".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1}),
                                                encoded(".webp", {cv::IMWRITE_WEBP_QUALITY, 80}),
                                                encoded(".webp", {cv::IMWRITE_WEBP_QUALITY, 101}),
                                                encoded(".bmp")};
    return files;
}

std::string complaint(const std::string& data) {
    try {
        encoded_size(data);
    } catch (const MalformedError& error) {
        return error.what();
    }
    return "";
}

// A number of count bytes, the most or the least significant first.
std::string number(std::uint32_t value, int count, bool big) {
    std::string bytes;
    for (int i = 0; i < count; ++i)
        bytes += static_cast<char>(value >> 8U * static_cast<unsigned>(big ? count - 1 - i : i));
    return bytes;
}

std::string block(const std::string& name, const std::string& content) {
    const std::string body = name + content;
    const auto sum = crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
    return number(static_cast<std::uint32_t>(content.size()), 4, true) + body +
           number(static_cast<std::uint32_t>(sum), 4, true);
}

TEST(Encoded, TheSizeOfEveryAcceptedFormat) {
    for (const std::string& file : whole_files()) {
        const auto size = encoded_size(file);
        EXPECT_EQ(size.width, 61);
        EXPECT_EQ(size.height, 37);
    }
}

TEST(Encoded, EveryTruncationIsNoticed) {
    for (const std::string& file : whole_files())
        for (std::size_t length = 0; length < file.size(); length += 1 + length / 50)
            EXPECT_NE(complaint(file.substr(0, length)), "") << file.substr(0, 4) << length;
}

TEST(Encoded, WhatComesAfterTheEndDoesNotMatter) {
    for (const std::string& file : whole_files()) EXPECT_EQ(complaint(file + "more"), "");
}

TEST(Encoded, ADamagedPngBlockIsNoticedAndADamagedCommentIsNot) {
    std::string png = whole_files()[0];
    png[png.size() / 2] = static_cast<char>(png[png.size() / 2] ^ 1);
    EXPECT_NE(complaint(png).find("does not match its checksum"), std::string::npos);
    std::string commented = whole_files()[0];
    std::string comment = block("tEXt", "hello");
    comment.back() = static_cast<char>(comment.back() ^ 1);
    commented.insert(8 + 25, comment);  // behind the header block
    EXPECT_EQ(complaint(commented), "");
}

TEST(Encoded, APngBeginsWithItsHeader) {
    const std::string png = whole_files()[0].substr(0, 8) + block("IEND", "");
    EXPECT_NE(complaint(png).find("does not start with its header"), std::string::npos);
}

TEST(Encoded, AJpegHasPictureData) {
    const std::string jpeg("\xff\xd8\xff\xd9");
    EXPECT_NE(complaint(jpeg).find("without picture data"), std::string::npos);
}

TEST(Encoded, AJpegStatesItsSizeOnce) {
    const std::string frame = "\xff\xc0" + number(17, 2, true) + "\x08" + number(999, 2, true) +
                              number(888, 2, true) + std::string("\3\1\x22\0\2\x11\1\3\x11\1", 10);
    for (const std::size_t place : {std::size_t{2}, whole_files()[1].size() - 2}) {
        std::string jpeg = whole_files()[1];
        jpeg.insert(place, frame);
        EXPECT_NE(complaint(jpeg).find("states its size twice"), std::string::npos);
    }
}

TEST(Encoded, AWebpsCanvasIsItsSize) {
    const std::string body = "WEBPVP8X" + number(10, 4, false) + number(0, 4, false) +
                             number(299, 3, false) + number(149, 3, false);
    const std::string webp =
        "RIFF" + number(static_cast<std::uint32_t>(body.size()), 4, false) + body;
    EXPECT_EQ(encoded_size(webp).width, 300);
    EXPECT_EQ(encoded_size(webp).height, 150);
    EXPECT_NE(complaint("RIFF" + number(8, 4, false) + "WEBPABCD"), "");
}

std::string bmp(std::int32_t width, std::int32_t height, std::uint32_t bits, std::size_t pixels) {
    return "BM" + number(0, 4, false) + number(0, 4, false) + number(54, 4, false) +
           number(40, 4, false) + number(static_cast<std::uint32_t>(width), 4, false) +
           number(static_cast<std::uint32_t>(height), 4, false) + number(1, 2, false) +
           number(bits, 2, false) + number(0, 4, false) + std::string(20 + pixels, '\0');
}

TEST(Encoded, BmpsMayRunFromTheTopAndHaveAllTheirRows) {
    EXPECT_EQ(encoded_size(bmp(5, -3, 24, 48)).height, 3);
    EXPECT_EQ(complaint(bmp(5, 3, 24, 48)), "");
    EXPECT_NE(complaint(bmp(5, 3, 24, 47)), "");
    // Products that would not fit into 64 bits are no shorter.
    EXPECT_NE(complaint(bmp(INT32_MAX, INT32_MAX, 65535, 100)).find("truncated"),
              std::string::npos);
    EXPECT_NE(complaint(bmp(INT32_MAX, INT32_MIN, 65535, 100)).find("truncated"),
              std::string::npos);
}

TEST(Encoded, ImpossibleSizes) {
    EXPECT_NE(complaint(bmp(0, 3, 24, 48)).find("impossible size"), std::string::npos);
    EXPECT_NE(complaint(bmp(-5, 3, 24, 48)).find("impossible size"), std::string::npos);
    const std::string png =
        whole_files()[0].substr(0, 8) +
        block("IHDR", number(0, 4, true) + number(7, 4, true) + "\x8\x2" + std::string(3, '\0')) +
        block("IEND", "");
    EXPECT_NE(complaint(png).find("impossible size of 0 x 7"), std::string::npos);
}

TEST(Encoded, ForeignFormatsAreCalledByTheirNames) {
    const std::vector<std::pair<std::string, std::string>> known{
        {"GIF89a....", "GIF"},
        {std::string("II*\0....", 8), "TIFF"},
        {std::string("MM\0+....", 8), "TIFF"},
        {std::string("\0\0\0\x20"
                     "ftypheic",
                     12),
         "HEIC or AVIF"},
        {std::string("\0\0\0\x20"
                     "ftypavif",
                     12),
         "HEIC or AVIF"},
        {std::string("\0\0\0\x0c"
                     "JXL ",
                     8),
         "JPEG XL"},
        {"%PDF-1.7", "PDF"},
    };
    for (const auto& [data, name] : known)
        EXPECT_NE(complaint(data).find("is a " + name + " file"), std::string::npos) << name;
    EXPECT_NE(complaint("hello, world").find("is not a picture"), std::string::npos);
    EXPECT_EQ(complaint(""), "is empty (0 bytes)");
}

}  // namespace
