// Turns what the caller has (a path, bytes, pixels) into a BGR picture; after runtime/picture.py.
//
// Sizes are bounded before anything is decoded. Alpha is dropped, not blended; a stored orientation
// tag (EXIF) is applied.
#pragma once

#include <locator/locator.h>

#include <filesystem>
#include <opencv2/core/mat.hpp>
#include <string>
#include <string_view>

namespace locator::internal {

// All return CV_8UC3 (BGR) and throw Failure (PICTURE) for a picture that cannot be read, is larger
// than 64 MiB encoded, 64 megapixels or 16384 pixels a side.
cv::Mat load_file(const std::filesystem::path& path);

// name: how to call the picture when it is refused.
cv::Mat load_bytes(std::string_view data, const std::string& name);

// A BGR picture is not copied: the result then refers to the caller's pixels. Throws Failure
// (ARGUMENT) for a description that describes no picture.
cv::Mat load_pixels(const locator_pixels& pixels);

}  // namespace locator::internal
