// A bundle: a folder with manifest.json and the files it describes; after runtime/bundle.py.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "manifest.hpp"

namespace locator::internal {

// Hex SHA-256 digest, as manifests hold it.
std::string sha256_of(const std::string& data);

class Bundle {
public:
    // Read a bundle's manifest. Throws Failure (BUNDLE) when it is missing, damaged or too new.
    explicit Bundle(std::filesystem::path folder);

    const Manifest& manifest() const { return manifest_; }

    // The first artefact of that precision that is meant for OpenVINO. Throws Failure (ARGUMENT).
    const Artefact& artefact(const std::string& precision) const;

    // The artefact's files, by role, after checking their digests: the very bytes that were
    // checked. Throws Failure (BUNDLE) naming the file that is missing or does not match.
    std::map<std::string, std::string> read(const Artefact& artefact) const;

private:
    std::filesystem::path folder_;
    Manifest manifest_;
};

}  // namespace locator::internal
