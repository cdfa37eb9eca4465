#include "picture.hpp"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <system_error>

#include "encoded.hpp"
#include "failure.hpp"
#include "files.hpp"

namespace locator::internal {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxPixels = 64'000'000;
constexpr std::int64_t kMaxSide = 16'384;

void check_size(const Size& size, const std::string& name) {
    const auto [width, height] = size;
    if (width > kMaxSide || height > kMaxSide || width * height > kMaxPixels)
        fail(LOCATOR_ERROR_PICTURE, name, " is too large: ", width, " x ", height,
             " pixels; at most ", kMaxSide, " a side and ", kMaxPixels / 1'000'000,
             " megapixels are taken, so scale it down or crop it");
}

Size checked_encoded_size(std::string_view data, const std::string& name) {
    try {
        const Size size = encoded_size(data);
        check_size(size, name);
        return size;
    } catch (const MalformedError& error) {
        fail(LOCATOR_ERROR_PICTURE, name, " ", error.what(), ": give a complete ", kAcceptedFormats,
             " file");
    }
}

cv::Mat decoded(std::string_view data) {
    // OpenCV takes no pointer to const, and does not write through this one.
    auto* bytes = const_cast<char*>(data.data());
    const cv::Mat encoded(1, static_cast<int>(data.size()), CV_8UC1, bytes);
    try {
        return cv::imdecode(encoded, cv::IMREAD_COLOR);
    } catch (const cv::Exception&) {
        return {};
    }
}

struct Layout {
    int type;
    int to_bgr;  // a cv::ColorConversionCodes, or -1 for what is BGR
};

Layout layout_of(std::int32_t format) {
    switch (format) {
        case LOCATOR_BGR: return {CV_8UC3, -1};
        case LOCATOR_RGB: return {CV_8UC3, cv::COLOR_RGB2BGR};
        case LOCATOR_BGRA: return {CV_8UC4, cv::COLOR_BGRA2BGR};
        case LOCATOR_RGBA: return {CV_8UC4, cv::COLOR_RGBA2BGR};
        case LOCATOR_GREY: return {CV_8UC1, cv::COLOR_GRAY2BGR};
        default: fail(LOCATOR_ERROR_ARGUMENT, "unknown pixel format ", format);
    }
}

}  // namespace

cv::Mat load_file(const fs::path& path) {
    const std::string name = path.string();
    try {
        const fs::file_status status = fs::status(path);
        if (fs::is_directory(status))
            fail(LOCATOR_ERROR_PICTURE, name, " is a folder: give a picture file");
        if (!fs::exists(status))
            fail(LOCATOR_ERROR_PICTURE, name, " does not exist: check the path");
        if (!fs::is_regular_file(status))
            fail(LOCATOR_ERROR_PICTURE, name, " is not a regular file: give a picture file");
        // A byte more than is taken, so that too large a file is noticed.
        return load_bytes(read_file(path, LOCATOR_MAX_FILE_BYTES + 1), name);
    } catch (const std::system_error& error) {
        fail(LOCATOR_ERROR_PICTURE, name, " cannot be read (", error.code().message(),
             "): check the path and its rights");
    }
}

cv::Mat load_bytes(std::string_view data, const std::string& name) {
    if (data.size() > LOCATOR_MAX_FILE_BYTES)
        fail(LOCATOR_ERROR_PICTURE, name, " is larger than ", LOCATOR_MAX_FILE_BYTES >> 20U,
             " MiB: scale the picture down or crop it");
    const Size size = checked_encoded_size(data, name);
    cv::Mat picture = decoded(data);
    const bool as_told = picture.cols == size.width && picture.rows == size.height;
    // Turned by its orientation tag, its sides are exchanged.
    const bool turned = picture.cols == size.height && picture.rows == size.width;
    if (picture.type() != CV_8UC3 || !(as_told || turned))
        fail(LOCATOR_ERROR_PICTURE, name,
             " could not be decoded: it is damaged or of an unusual kind, so save it anew");
    return picture;
}

cv::Mat load_pixels(const locator_pixels& pixels) {
    const Layout layout = layout_of(pixels.format);
    if (pixels.data == nullptr) fail(LOCATOR_ERROR_ARGUMENT, "the pixels' data is null");
    if (pixels.width < 1 || pixels.height < 1)
        fail(LOCATOR_ERROR_ARGUMENT, "expected a picture of at least 1 x 1 pixels, got ",
             pixels.width, " x ", pixels.height);
    check_size({pixels.width, pixels.height}, "the picture given as pixels");
    const std::size_t row_bytes = static_cast<std::size_t>(pixels.width) *
                                  static_cast<std::size_t>(CV_ELEM_SIZE(layout.type));
    const std::size_t stride = pixels.stride_bytes == 0 ? row_bytes : pixels.stride_bytes;
    if (stride < row_bytes)
        fail(LOCATOR_ERROR_ARGUMENT, "expected a stride of at least ", row_bytes, " bytes, got ",
             stride);
    // As above: OpenCV only reads here.
    cv::Mat given(pixels.height, pixels.width, layout.type, const_cast<std::uint8_t*>(pixels.data),
                  stride);
    if (layout.to_bgr < 0) return given;
    cv::Mat bgr;
    cv::cvtColor(given, bgr, layout.to_bgr);
    return bgr;
}

}  // namespace locator::internal
