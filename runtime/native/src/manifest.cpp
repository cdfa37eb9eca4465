#include "manifest.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "failure.hpp"
#include "geometry.hpp"

namespace locator::internal {

namespace {

using Json = nlohmann::ordered_json;  // the first fitting artefact counts, so order matters

constexpr std::int64_t kSchemaVersion = 3;
constexpr std::int64_t kOldestSchemaRead = 2;  // it said nothing of how INT8 was made

template <typename... Parts>
void require(bool condition, const Parts&... parts) {
    if (!condition) throw ManifestError(joined(parts...));
}

// A value of the document and where it stands in it.
class Node {
public:
    Node(const Json& value, std::string where) : value_(value), where_(std::move(where)) {}

    const std::string& where() const { return where_; }
    bool is_null() const { return value_.is_null(); }

    // The value of a key of an object that has exactly these keys, once `only` has said so.
    Node operator[](const char* key) const { return {value_.at(key), path(key)}; }

    // The value of a key that there must be, beside others.
    Node needed(const char* key) const {
        expect(value_.is_object(), "an object");
        require(value_.contains(key), "missing: ", path(key));
        return (*this)[key];
    }

    const Node& only(std::initializer_list<const char*> keys) const {
        expect(value_.is_object(), "an object");
        for (const char* key : keys) require(value_.contains(key), "missing: ", path(key));
        for (const auto& item : value_.items()) {
            const bool known = std::any_of(keys.begin(), keys.end(),
                                           [&](const char* key) { return item.key() == key; });
            require(known, "unknown: ", path(item.key()));
        }
        return *this;
    }

    std::vector<std::pair<std::string, Node>> entries() const {
        expect(value_.is_object(), "an object");
        std::vector<std::pair<std::string, Node>> found;
        for (const auto& item : value_.items())
            found.emplace_back(item.key(), Node(item.value(), path(item.key())));
        return found;
    }

    std::vector<std::string> texts() const {
        expect(value_.is_array(), "a list");
        std::vector<std::string> found;
        for (const auto& item : value_) found.push_back(Node(item, where_ + "[]").text());
        return found;
    }

    const std::string& text() const {
        expect(value_.is_string(), "a text");
        return value_.get_ref<const std::string&>();
    }

    double number() const {
        expect(value_.is_number(), "a number");
        return value_.get<double>();
    }

    std::int64_t integer() const {
        expect(value_.is_number_integer(), "a whole number");
        return value_.get<std::int64_t>();
    }

private:
    std::string path(const std::string& key) const {
        return where_.empty() ? key : where_ + "." + key;
    }

    void expect(bool fits, const char* kind) const {
        const std::string place = where_.empty() ? "document" : where_;
        require(fits, place, ": expected ", kind, ", got ", value_.type_name());
    }

    const Json& value_;
    std::string where_;
};

bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool is_name_character(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::string sha256_in(const Node& node) {
    const std::string& text = node.text();
    require(text.size() == 64 && std::all_of(text.begin(), text.end(), is_hex_digit), node.where(),
            ": expected 64 hex digits, got '", text, "'");
    return text;
}

// A name with a separator or a leading dot could reach outside the bundle's folder.
std::string plain_name_in(const Node& node) {
    const std::string& text = node.text();
    const bool plain = !text.empty() && is_name_character(text.front()) &&
                       std::all_of(text.begin(), text.end(), [](char c) {
                           return is_name_character(c) || c == '.' || c == '-';
                       });
    require(plain, node.where(), ": expected a plain file name, got '", text, "'");
    return text;
}

double number_within(const Node& node, double largest) {
    const double value = node.number();
    require(value >= 0 && value <= largest, node.where(), ": expected 0..", largest, ", got ",
            value);
    return value;
}

std::int64_t checked_version(const Json& document, const char* key, std::int64_t known,
                             std::int64_t oldest) {
    const Json missing;
    const Node node(document.contains(key) ? document.at(key) : missing, key);
    const std::int64_t version = node.integer();
    require(version <= known, key, " is ", version, ", newer than this library knows (", known,
            "): upgrade it");
    require(version >= oldest, key, " is ", version, ", older than this library reads (", oldest,
            "): export the bundle anew");
    return version;
}

Thresholds thresholds_in(const Node& node) {
    node.only({"min_score", "max_rival", "max_row_difference_canvas_px", "fit"});
    const Node fit = node["fit"];
    if (!fit.is_null()) {
        fit.only(
            {"precision", "pictures", "false_abstention", "true_abstention", "no_gap_abstention"});
        fit["precision"].text();
        fit["pictures"].integer();
        for (const char* key : {"false_abstention", "true_abstention", "no_gap_abstention"})
            fit[key].number();
    }
    return {number_within(node["min_score"], 1), number_within(node["max_rival"], 1),
            number_within(node["max_row_difference_canvas_px"], kCanvasHeight)};
}

Artefact artefact_in(const Node& node) {
    node.only({"files", "sha256", "format", "precision", "backends", "measured"});
    Artefact artefact;
    artefact.format = node["format"].text();
    const bool known = artefact.format == "onnx" || artefact.format == "openvino-ir";
    require(known, node.where(), ".format: expected one of onnx, openvino-ir, got '",
            artefact.format, "'");
    const bool weights = artefact.format == "openvino-ir";
    for (const char* key : {"files", "sha256"}) {
        if (weights) {
            node[key].only({"model", "weights"});
        } else {
            node[key].only({"model"});
        }
    }
    for (const auto& [role, name] : node["files"].entries()) {
        artefact.files[role] = plain_name_in(name);
        artefact.sha256[role] = sha256_in(node["sha256"][role.c_str()]);
    }
    artefact.precision = node["precision"].text();
    artefact.backends = node["backends"].texts();
    for (const auto& [name, figures] : node["measured"].entries()) figures.entries();
    return artefact;
}

void check_rest(const Node& root) {
    root["model"].only({"name", "config"});
    root["model"]["name"].text();
    root["model"]["config"].entries();
    const double agreement = root["row_agreement"].number();
    require(std::isfinite(agreement) && agreement >= 0,
            "row_agreement: expected a number >= 0, got ", agreement);
    if (const Node calibration = root["calibration"]; !calibration.is_null()) {
        calibration.only({"count", "sha256"})["count"].integer();
        sha256_in(calibration["sha256"]);
    }
    if (const Node golden = root["golden"]; !golden.is_null()) {
        plain_name_in(golden.only({"picture", "sha256", "answer"})["picture"]);
        sha256_in(golden["sha256"]);
        for (const auto& [precision, answer] : golden["answer"].entries())
            for (const char* point : {"gap", "slider"})
                for (const char* axis : {"x", "y"}) answer.needed(point).needed(axis).number();
    }
    for (const auto& [package, version] : root["versions"].entries()) version.text();
}

void check_compression(const Node& node) {
    if (node.is_null()) return;
    node.only({"method", "settings", "gate"})["method"].text();
    node["settings"].entries();
    const Node gate = node["gate"];
    if (gate.is_null()) return;
    gate.only({"testset", "pictures", "fingerprint", "tolerances", "figures"});
    gate["testset"].text();
    gate["pictures"].integer();
    sha256_in(gate["fingerprint"]);
    for (const auto& [name, tolerances] : gate["tolerances"].entries())
        for (const auto& [figure, most] : tolerances.entries()) most.number();
    for (const auto& [name, figures] : gate["figures"].entries()) figures.entries();
}

Json parsed(std::string_view bytes) {
    try {
        return Json::parse(bytes);
    } catch (const Json::exception&) {
        throw ManifestError("it is damaged, it is not JSON");
    }
}

}  // namespace

Manifest parse_manifest(std::string_view bytes) {
    const Json document = parsed(bytes);
    std::int64_t schema = kSchemaVersion;
    if (document.is_object()) {
        schema = checked_version(document, "schema_version", kSchemaVersion, kOldestSchemaRead);
        checked_version(document, "contract_version", kContractVersion, kContractVersion);
    }
    const Node root(document, "");
    if (schema == kOldestSchemaRead) {
        root.only({"model", "row_agreement", "thresholds", "artefacts", "calibration", "golden",
                   "versions", "contract_version", "schema_version"});
    } else {
        root.only({"model", "row_agreement", "thresholds", "artefacts", "calibration", "golden",
                   "versions", "contract_version", "schema_version", "compression"});
        check_compression(root["compression"]);
    }
    Manifest manifest{thresholds_in(root["thresholds"]), {}};
    for (const auto& [name, node] : root["artefacts"].entries())
        manifest.artefacts.push_back(artefact_in(node));
    require(!manifest.artefacts.empty(), "artefacts: expected at least one");
    check_rest(root);
    return manifest;
}

}  // namespace locator::internal
