#include "bundle.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <set>
#include <system_error>
#include <utility>

#include "failure.hpp"
#include "files.hpp"

namespace locator::internal {

namespace {

namespace fs = std::filesystem;

constexpr auto kRemedy = "install it anew, or export it anew if it is your own";

std::string read_or_fail(const fs::path& path) {
    try {
        return read_file(path);
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::no_such_file_or_directory)
            fail(LOCATOR_ERROR_BUNDLE, path.string(), " is missing: ", kRemedy);
        fail(LOCATOR_ERROR_BUNDLE, path.string(), " cannot be read (", error.code().message(),
             "): ", kRemedy);
    }
}

Manifest read_manifest(const fs::path& folder) {
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored))
        fail(LOCATOR_ERROR_BUNDLE, folder.string(),
             " is not a folder: give the folder of a bundle");
    const fs::path path = folder / "manifest.json";
    const std::string bytes = read_or_fail(path);
    try {
        return parse_manifest(bytes);
    } catch (const ManifestError& error) {
        fail(LOCATOR_ERROR_BUNDLE, path.string(), ": ", error.what(), " (", kRemedy, ")");
    }
}

std::string listed(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

std::string sha256_of(const std::string& data) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL offers no SHA-256");
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        hex += digits[digest[i] >> 4U];
        hex += digits[digest[i] & 15U];
    }
    return hex;
}

Bundle::Bundle(fs::path folder) : folder_(std::move(folder)), manifest_(read_manifest(folder_)) {}

const Artefact& Bundle::artefact(const std::string& precision) const {
    std::set<std::string> held;
    std::set<std::string> meant;
    for (const Artefact& artefact : manifest_.artefacts) {
        held.insert(artefact.precision);
        if (artefact.precision != precision) continue;
        const auto& backends = artefact.backends;
        if (std::find(backends.begin(), backends.end(), "openvino") != backends.end())
            return artefact;
        meant.insert(backends.begin(), backends.end());
    }
    if (held.count(precision) == 0)
        fail(LOCATOR_ERROR_ARGUMENT, "precision '", precision,
             "' is not in this bundle, which holds: ", listed(held));
    fail(LOCATOR_ERROR_ARGUMENT, "this bundle's ", precision, " artefact is for ", listed(meant),
         ", not for openvino");
}

std::map<std::string, std::string> Bundle::read(const Artefact& artefact) const {
    std::map<std::string, std::string> contents;
    for (const auto& [role, name] : artefact.files) {
        const fs::path path = folder_ / name;
        std::string content = read_or_fail(path);
        if (sha256_of(content) != artefact.sha256.at(role))
            fail(LOCATOR_ERROR_BUNDLE, path.string(),
                 " is not the file that the manifest describes (wrong sha256): ", kRemedy);
        contents.emplace(role, std::move(content));
    }
    return contents;
}

}  // namespace locator::internal
