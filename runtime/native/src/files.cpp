#include "files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace locator::internal {

namespace {

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t max_bytes) {
    const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
    if (!file) throw std::system_error(errno, std::generic_category());
    std::string content;
    std::array<char, 65536> part{};
    while (content.size() < max_bytes) {
        const std::size_t wanted = std::min(part.size(), max_bytes - content.size());
        const std::size_t got = std::fread(part.data(), 1, wanted, file.get());
        content.append(part.data(), got);
        if (got < wanted) {
            if (std::ferror(file.get()) != 0)
                throw std::system_error(errno, std::generic_category());
            break;
        }
    }
    return content;
}

}  // namespace locator::internal
