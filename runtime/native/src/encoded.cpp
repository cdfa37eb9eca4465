#include "encoded.hpp"

#include <zlib.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "failure.hpp"

namespace locator::internal {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n"sv;

// Unsigned numbers of 1 to 4 bytes at a position of the file.
class Bytes {
public:
    explicit Bytes(std::string_view data) : data_(data) {}

    std::uint32_t big(std::size_t position, std::size_t count) const {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < count; ++i) value = value << 8U | at(position + i);
        return value;
    }

    std::uint32_t little(std::size_t position, std::size_t count) const {
        std::uint32_t value = 0;
        for (std::size_t i = count; i-- > 0;) value = value << 8U | at(position + i);
        return value;
    }

    std::string_view text(std::size_t position, std::size_t count) const {
        return position < data_.size() ? data_.substr(position, count) : std::string_view();
    }

    std::size_t size() const { return data_.size(); }

private:
    std::uint8_t at(std::size_t position) const {
        if (position >= data_.size())
            throw MalformedError("is truncated: it ends inside its header");
        return static_cast<std::uint8_t>(data_[position]);
    }

    std::string_view data_;
};

// CRC-32 of a PNG block's name and content.
std::uint32_t checksum(std::string_view block) {
    const auto* bytes = reinterpret_cast<const Bytef*>(block.data());
    return static_cast<std::uint32_t>(crc32_z(0, bytes, block.size()));
}

Size png(const Bytes& data) {
    if (data.text(12, 4) != "IHDR")
        throw MalformedError("is damaged: a PNG that does not start with its header");
    std::size_t position = kPngSignature.size();
    for (std::string_view kind; kind != "IEND";) {
        if (position + 12 > data.size())
            throw MalformedError("is truncated: a PNG without its end");
        kind = data.text(position + 4, 4);
        const std::size_t end = position + 12 + data.big(position, 4);
        if (end > data.size()) throw MalformedError("is truncated: a PNG that ends inside a block");
        // Only blocks with an upper-case name carry pixels; damage elsewhere (say, a comment) is
        // nobody's concern.
        const bool critical = kind.front() >= 'A' && kind.front() <= 'Z';
        const std::string_view block = data.text(position + 4, end - position - 8);
        if (critical && checksum(block) != data.big(end - 4, 4))
            throw MalformedError("is damaged: a PNG block does not match its checksum");
        position = end;
    }
    return {data.big(16, 4), data.big(20, 4)};
}

bool is_jpeg_frame(std::uint32_t marker) {  // SOF, which DHT, JPG and DAC lie amidst
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

Size jpeg(const Bytes& data) {
    std::optional<Size> size;
    bool scanned = false;
    // Entropy-coded data follows a scan's header; the search steps over it to the next marker.
    for (std::size_t position = 2; position + 1 < data.size();) {
        const std::uint32_t marker = data.big(position + 1, 1);
        if (data.big(position, 1) != 0xFF || marker == 0x00 || marker == 0xFF) {
            ++position;
            continue;
        }
        position += 2;
        if (marker == 0xD9) {
            if (!size || !scanned) throw MalformedError("is damaged: a JPEG without picture data");
            return *size;
        }
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // these stand alone
        if (is_jpeg_frame(marker)) {
            // Decoders take the first before a scan, and not all of them.
            if (size) throw MalformedError("is damaged: a JPEG that states its size twice");
            size = {data.big(position + 5, 2), data.big(position + 3, 2)};
        }
        scanned = scanned || marker == 0xDA;
        position += data.big(position, 2);
    }
    throw MalformedError("is truncated: a JPEG without its end");
}

Size webp(const Bytes& data) {
    const std::size_t whole = std::size_t{data.little(4, 4)} + 8;
    if (data.size() < whole)
        throw MalformedError(
            joined("is truncated: ", data.size(), " of ", whole, " bytes of a WebP"));
    const std::string_view kind = data.text(12, 4);
    if (kind == "VP8X") return {data.little(24, 3) + 1, data.little(27, 3) + 1};
    if (kind == "VP8L") {
        const std::uint32_t bits = data.little(21, 4);
        return {(bits & 0x3FFFU) + 1, (bits >> 14U & 0x3FFFU) + 1};
    }
    if (kind == "VP8 ") return {data.little(26, 2) & 0x3FFFU, data.little(28, 2) & 0x3FFFU};
    throw MalformedError("is damaged: a WebP of an unknown kind");
}

Size bmp(const Bytes& data) {
    const std::uint32_t file_size = data.little(2, 4);
    const std::uint32_t pixels_at = data.little(10, 4);
    const bool old = data.little(14, 4) == 12;
    const auto number = [&](std::size_t position) -> std::int64_t {
        if (old) return data.little(position, 2);
        return static_cast<std::int32_t>(data.little(position, 4));
    };
    const std::int64_t width = number(18);
    // Negative: the rows run from the top.
    const std::int64_t height = std::abs(number(old ? 20 : 22));
    const std::int64_t bits = data.little(old ? 24 : 28, 2);
    const std::uint32_t compression = old ? 0 : data.little(30, 4);
    if (width < 1 || height < 1) return {width, height};
    const auto size = static_cast<std::int64_t>(data.size());
    const std::int64_t row_bytes = (width * bits + 31) / 32 * 4;
    const bool compressed = compression == 1 || compression == 2;
    const bool complete = compressed
                              ? size >= file_size
                              : size >= pixels_at && row_bytes <= (size - pixels_at) / height;
    if (!complete) throw MalformedError(joined("is truncated: ", size, " bytes of a larger BMP"));
    return {width, height};
}

bool begins(std::string_view data, std::string_view with, std::size_t position = 0) {
    return data.size() >= position && data.substr(position, with.size()) == with;
}

// The name of a format that is known well enough to be called by it when it is refused.
std::optional<std::string_view> foreign(std::string_view data) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 9> beginnings{{
        {"GIF87a"sv, "GIF"sv},
        {"GIF89a"sv, "GIF"sv},
        {"II*\0"sv, "TIFF"sv},
        {"II+\0"sv, "TIFF"sv},
        {"MM\0*"sv, "TIFF"sv},
        {"MM\0+"sv, "TIFF"sv},
        {"\xff\x0a"sv, "JPEG XL"sv},
        {"\0\0\0\x0cJXL "sv, "JPEG XL"sv},
        {"%PDF-"sv, "PDF"sv},
    }};
    for (const auto& [beginning, name] : beginnings)
        if (begins(data, beginning)) return name;
    for (const std::string_view brand : {"hei"sv, "hev"sv, "mif1"sv, "msf1"sv, "avi"sv})
        if (begins(data, "ftyp", 4) && begins(data, brand, 8)) return "HEIC or AVIF";
    return std::nullopt;
}

Size stated_size(std::string_view data) {
    if (begins(data, kPngSignature)) return png(Bytes(data));
    if (begins(data, "\xff\xd8\xff")) return jpeg(Bytes(data));
    if (begins(data, "RIFF") && begins(data, "WEBP", 8)) return webp(Bytes(data));
    if (begins(data, "BM")) return bmp(Bytes(data));
    if (const auto name = foreign(data))
        throw MalformedError(
            joined("is a ", *name, " file, not of an accepted format (", kAcceptedFormats, ")"));
    throw MalformedError(joined("is not a picture of an accepted format (", kAcceptedFormats, ")"));
}

}  // namespace

Size encoded_size(std::string_view data) {
    if (data.empty()) throw MalformedError("is empty (0 bytes)");
    const Size size = stated_size(data);
    if (size.width < 1 || size.height < 1)
        throw MalformedError(
            joined("states an impossible size of ", size.width, " x ", size.height, " pixels"));
    return size;
}

}  // namespace locator::internal
