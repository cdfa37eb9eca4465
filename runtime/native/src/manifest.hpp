// The schema of a bundle's manifest.json, and strict reading of it; after runtime/manifest.py.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace locator::internal {

// The manifest does not follow the schema; the text names the key and the deviation.
class ManifestError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// From where on an answer is reported but not trusted.
struct Thresholds {
    double min_score, max_rival, max_row_difference_canvas_px;
};

// One deployable form of the network. files, sha256: by role, `model` and, for openvino-ir,
// `weights`.
struct Artefact {
    std::map<std::string, std::string> files, sha256;
    std::string format, precision;
    std::vector<std::string> backends;
};

// What this library needs of a manifest; the rest is checked alike, and left.
struct Manifest {
    Thresholds thresholds;
    std::vector<Artefact> artefacts;  // in the file's order
};

// Read the bytes of a manifest. Throws ManifestError when they are not JSON, or deviate from the
// schema: every key must be there and be known, and nothing is converted.
Manifest parse_manifest(std::string_view bytes);

}  // namespace locator::internal
