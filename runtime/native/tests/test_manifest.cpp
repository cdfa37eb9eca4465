#include "manifest.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "folder.hpp"

namespace {

using Json = nlohmann::ordered_json;
using locator::internal::ManifestError;
using locator::internal::parse_manifest;

Json shipped() { return Json::parse(content_of(std::string(WEIGHTS) + "/manifest.json")); }

std::string complaint(const std::string& text) {
    try {
        parse_manifest(text);
    } catch (const ManifestError& error) {
        return error.what();
    }
    return "";
}

// What is said of the shipped manifest after a change.
std::string complaint(const std::function<void(Json&)>& change) {
    Json document = shipped();
    change(document);
    return complaint(document.dump());
}

TEST(Manifest, TheShippedOneIsRead) {
    const Json document = shipped();
    const auto manifest = parse_manifest(document.dump());
    EXPECT_EQ(manifest.thresholds.min_score, document["thresholds"]["min_score"]);
    EXPECT_EQ(manifest.thresholds.max_rival, document["thresholds"]["max_rival"]);
    ASSERT_EQ(manifest.artefacts.size(), document["artefacts"].size());
    std::size_t n = 0;
    for (const auto& entry : document["artefacts"].items()) {  // in the file's order
        EXPECT_EQ(manifest.artefacts[n].precision, entry.value()["precision"]);
        EXPECT_EQ(manifest.artefacts[n].files.at("model"), entry.value()["files"]["model"]);
        EXPECT_EQ(manifest.artefacts[n].sha256.at("model"), entry.value()["sha256"]["model"]);
        ++n;
    }
}

TEST(Manifest, WhatIsNoJsonIsDamaged) {
    const std::string whole = shipped().dump();
    for (const std::string& text :
         {std::string(), std::string("{"), whole.substr(0, whole.size() / 2), whole + "}",
          std::string(200'000, '['), std::string("\xff\xfe"), std::string("{\"a\": nan}")})
        EXPECT_NE(complaint(text).find("not JSON"), std::string::npos) << text.substr(0, 50);
    EXPECT_EQ(complaint("[]"), "document: expected an object, got array");
    EXPECT_EQ(complaint("7"), "document: expected an object, got number");
}

TEST(Manifest, EveryKeyIsNeededAndNoOtherIsTaken) {
    const Json whole = shipped();
    for (const auto& entry : whole.items())
        EXPECT_NE(complaint([&](Json& d) { d.erase(entry.key()); }).find(entry.key()),
                  std::string::npos);
    for (const auto& entry : whole["artefacts"]["int8"].items())
        EXPECT_EQ(complaint([&](Json& d) { d["artefacts"]["int8"].erase(entry.key()); }),
                  "missing: artefacts.int8." + entry.key());
    EXPECT_EQ(complaint([](Json& d) { d["more"] = 1; }), "unknown: more");
    EXPECT_EQ(complaint([](Json& d) { d["golden"]["more"] = 1; }), "unknown: golden.more");
}

TEST(Manifest, OtherVersionsAreRefused) {
    for (const char* key : {"schema_version", "contract_version"}) {
        const auto newer = complaint([&](Json& d) { d[key] = d[key].get<int>() + 1; });
        EXPECT_NE(newer.find("newer than this library knows"), std::string::npos) << newer;
        const auto older = complaint([&](Json& d) { d[key] = 0; });
        EXPECT_NE(older.find("older than this library reads"), std::string::npos) << older;
    }
    // A newer schema is refused as such, whatever else it holds.
    EXPECT_NE(complaint("{\"schema_version\": 99}").find("newer"), std::string::npos);
}

TEST(Manifest, TheEarlierSchemaSaysNothingOfCompression) {
    const auto earlier = [](Json& d) {
        d["schema_version"] = 2;
        d.erase("compression");
    };
    EXPECT_EQ(complaint(earlier), "");
    EXPECT_EQ(complaint([](Json& d) { d["schema_version"] = 2; }), "unknown: compression");
}

TEST(Manifest, HowInt8WasMadeIsChecked) {
    const std::string digest(64, '0');
    const Json gate = {{"testset", "fixed"},
                       {"pictures", 2000},
                       {"fingerprint", digest},
                       {"tolerances", {{"int8", {{"mae_added_px", 0.1}}}}},
                       {"figures", {{"int8", {{"mae_added_px", 0.05}}}}}};
    const auto with = [&](const std::function<void(Json&)>& change) {
        return complaint([&](Json& d) {
            d["compression"] = {{"method", "ptq"}, {"settings", Json::object()}, {"gate", gate}};
            change(d["compression"]);
        });
    };
    EXPECT_EQ(with([](Json&) {}), "");
    EXPECT_EQ(with([](Json& c) { c["gate"] = nullptr; }), "");
    EXPECT_EQ(with([](Json& c) { c = nullptr; }), "");
    EXPECT_EQ(with([](Json& c) { c.erase("method"); }), "missing: compression.method");
    EXPECT_EQ(with([](Json& c) { c["more"] = 1; }), "unknown: compression.more");
    EXPECT_NE(with([](Json& c) { c["gate"]["fingerprint"] = "0"; }), "");
    EXPECT_NE(with([](Json& c) { c["gate"]["tolerances"]["int8"]["mae_added_px"] = "0.1"; }), "");
}

TEST(Manifest, NothingIsConverted) {
    EXPECT_EQ(complaint([](Json& d) { d["schema_version"] = "2"; }),
              "schema_version: expected a whole number, got string");
    EXPECT_EQ(complaint([](Json& d) { d["schema_version"] = true; }),
              "schema_version: expected a whole number, got boolean");
    EXPECT_EQ(complaint([](Json& d) { d["row_agreement"] = nullptr; }),
              "row_agreement: expected a number, got null");
    EXPECT_EQ(complaint([](Json& d) { d["versions"]["torch"] = 2; }),
              "versions.torch: expected a text, got number");
    EXPECT_EQ(complaint([](Json& d) { d["calibration"]["count"] = 1.5; }),
              "calibration.count: expected a whole number, got number");
    EXPECT_EQ(complaint([](Json& d) { d["row_agreement"] = 1; }), "");  // a whole number is one
}

TEST(Manifest, ValuesAreWithinTheirRanges) {
    EXPECT_NE(complaint([](Json& d) { d["thresholds"]["min_score"] = 1.5; }), "");
    EXPECT_NE(complaint([](Json& d) { d["thresholds"]["max_rival"] = -0.1; }), "");
    EXPECT_NE(complaint([](Json& d) { d["thresholds"]["max_row_difference_canvas_px"] = 257; }),
              "");
    EXPECT_NE(complaint([](Json& d) { d["row_agreement"] = -1; }), "");
    EXPECT_EQ(complaint([](Json& d) { d["artefacts"] = Json::object(); }),
              "artefacts: expected at least one");
    const auto file = [](const char* name) {
        return complaint([&](Json& d) { d["artefacts"]["int8"]["files"]["model"] = name; });
    };
    for (const char* name : {"../int8.xml", "a/b", ".hidden", "", "a b", "C:\\x", "a\n"})
        EXPECT_NE(file(name).find("expected a plain file name"), std::string::npos) << name;
    EXPECT_EQ(file("A_1-b.xml"), "");
    const auto digest = [](const std::string& text) {
        return complaint([&](Json& d) { d["artefacts"]["int8"]["sha256"]["model"] = text; });
    };
    for (const std::string& text : {std::string(63, '0'), std::string(65, '0'),
                                    std::string(64, 'A'), std::string(63, '0') + "g"})
        EXPECT_NE(digest(text).find("expected 64 hex digits"), std::string::npos) << text;
}

TEST(Manifest, TheRolesFollowTheFormat) {
    EXPECT_NE(complaint([](Json& d) { d["artefacts"]["int8"]["format"] = "tflite"; }), "");
    EXPECT_EQ(complaint([](Json& d) { d["artefacts"]["int8"]["files"].erase("weights"); }),
              "missing: artefacts.int8.files.weights");
    EXPECT_EQ(complaint([](Json& d) { d["artefacts"]["int8"]["format"] = "onnx"; }),
              "unknown: artefacts.int8.files.weights");
}

TEST(Manifest, WhatMayBeMissingMayBeNull) {
    for (const char* key : {"calibration", "golden"})
        EXPECT_EQ(complaint([&](Json& d) { d[key] = nullptr; }), "");
    EXPECT_EQ(complaint([](Json& d) { d["thresholds"]["fit"] = nullptr; }), "");
    EXPECT_NE(complaint([](Json& d) { d["thresholds"] = nullptr; }), "");
}

}  // namespace
