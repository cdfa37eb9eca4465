// The size of an encoded picture, and whether its bytes are complete; after runtime/encoded.py.
//
// Decoders differ in what they do with a broken file: some return half a picture and a warning. So
// the structure of the accepted formats is checked here, before any decoder allocates memory.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string_view>

namespace locator::internal {

constexpr auto kAcceptedFormats = "PNG, JPEG, WebP, BMP";

// The bytes are not a complete picture of an accepted format; the text says what is wrong.
class MalformedError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Size {
    std::int64_t width, height;
};

// The size in pixels, each at least 1, as the header states it. Throws MalformedError for an empty,
// foreign, truncated or inconsistent file.
Size encoded_size(std::string_view data);

}  // namespace locator::internal
