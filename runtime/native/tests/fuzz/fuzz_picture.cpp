// Any bytes are a picture within the limits, or a failure that says so.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <opencv2/core.hpp>
#include <string_view>

#include "failure.hpp"
#include "geometry.hpp"
#include "picture.hpp"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

std::uint32_t read_big(const std::uint8_t* data) {
    return std::uint32_t{data[0]} << 24U | std::uint32_t{data[1]} << 16U |
           std::uint32_t{data[2]} << 8U | std::uint32_t{data[3]};
}

// Gives a PNG's blocks the checksums they should have: else no mutation would reach the decoder.
void repair(std::uint8_t* data, std::size_t size) {
    for (std::size_t position = kPngSignature.size(); position + 12 <= size;) {
        const std::size_t length = read_big(data + position);
        if (length > size - position - 12) return;
        const auto sum = static_cast<std::uint32_t>(crc32_z(0, data + position + 4, length + 4));
        for (std::size_t i = 0; i < 4; ++i)
            data[position + 8 + length + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
        position += length + 12;
    }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    const std::size_t mutated = LLVMFuzzerMutate(data, size, max_size);
    const bool png = mutated >= kPngSignature.size() &&
                     std::memcmp(data, kPngSignature.data(), kPngSignature.size()) == 0;
    if (png && seed % 4 != 0) repair(data, mutated);
    return mutated;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locator::internal;
    try {
        const cv::Mat picture = load_bytes({reinterpret_cast<const char*>(data), size}, "it");
        const bool within = picture.type() == CV_8UC3 && picture.cols <= 16384 &&
                            picture.rows <= 16384 && picture.total() <= 64'000'000;
        if (!within) __builtin_trap();
        if (picture.total() <= 250'000) {  // larger ones would only take time
            cv::Mat canvas(kCanvasHeight, kCanvasWidth, CV_8UC4);
            Letterbox(picture.cols, picture.rows).render(picture, canvas);
        }
    } catch (const Failure& failure) {
        if (failure.status() != LOCATOR_ERROR_PICTURE) __builtin_trap();
    }
    return 0;
}
