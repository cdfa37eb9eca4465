#include "sources.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <locator/locator.hpp>
#include <system_error>

namespace locate {

namespace {

namespace fs = std::filesystem;

constexpr std::array kSuffixes{".png", ".jpg", ".jpeg", ".webp", ".bmp"};

// Without `.` and doubled separators: `./a.png` and `a.png` are the same picture.
fs::path tidied(const fs::path& path) {
    fs::path tidy;
    for (const fs::path& part : path)
        if (!part.empty() && part != ".") tidy /= part;
    return tidy.empty() ? fs::path(".") : tidy;
}

bool is_picture(const fs::path& path) {
    std::string suffix = path.extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end();
}

std::vector<std::string> pictures_in(const fs::path& folder) {
    std::vector<std::string> found;
    try {
        for (const fs::directory_entry& entry : fs::directory_iterator(folder))
            if (is_picture(entry.path()))
                found.push_back(folder == "." ? entry.path().filename().string()
                                              : entry.path().string());
    } catch (const fs::filesystem_error& error) {
        throw locator::Error(
            LOCATOR_ERROR_PICTURE,
            folder.string() + " cannot be read (" + error.code().message() + "): check its rights");
    }
    if (found.empty())
        throw locator::Error(LOCATOR_ERROR_PICTURE,
                             folder.string() +
                                 " holds no pictures (.png .jpg .jpeg .webp .bmp): give another "
                                 "folder or a file");
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

std::vector<std::string> expand(const std::string& argument) {
    const fs::path path = tidied(argument);
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) return pictures_in(path);
    return {path.string()};
}

fs::path shipped_bundle() {
    const fs::path program = fs::read_symlink("/proc/self/exe");
    return program.parent_path().parent_path() / "share/locator/weights";
}

}  // namespace locate
