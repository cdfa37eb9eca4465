#include "bundle.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>

#include "failure.hpp"
#include "folder.hpp"

namespace {

namespace fs = std::filesystem;
using locator::internal::Bundle;
using locator::internal::Failure;

// The shipped bundle, to be damaged.
class BundleTest : public testing::Test {
protected:
    BundleTest() { fs::copy(WEIGHTS, folder.path()); }

    void damage(const std::string& name, const std::string& content) const {
        fs::permissions(folder.path() / name, fs::perms::owner_all);
        folder.write(name, content);
    }

    // Opens the bundle and reads its INT8 files; the failure, as status and text.
    std::pair<locator_status, std::string> failure(const std::string& precision = "int8") const {
        try {
            const Bundle bundle(folder.path());
            bundle.read(bundle.artefact(precision));
        } catch (const Failure& error) {
            return {error.status(), error.what()};
        }
        return {LOCATOR_OK, ""};
    }

    Folder folder;
};

TEST_F(BundleTest, FilesAreReadAsTheyAre) {
    const Bundle bundle(folder.path());
    const auto files = bundle.read(bundle.artefact("int8"));
    EXPECT_EQ(files.at("model"), content_of(folder.path() / "int8.xml"));
    EXPECT_EQ(files.at("weights"), content_of(folder.path() / "int8.bin"));
}

TEST_F(BundleTest, AChangedByteIsNoticed) {
    std::string weights = content_of(folder.path() / "int8.bin");
    weights.back() = static_cast<char>(weights.back() ^ 1);
    damage("int8.bin", weights);
    const auto [status, text] = failure();
    EXPECT_EQ(status, LOCATOR_ERROR_BUNDLE);
    EXPECT_NE(text.find("int8.bin is not the file that the manifest describes"), std::string::npos);
}

TEST_F(BundleTest, ATruncatedFileIsNoticed) {
    const std::string model = content_of(folder.path() / "int8.xml");
    damage("int8.xml", model.substr(0, model.size() - 1));
    EXPECT_EQ(failure().first, LOCATOR_ERROR_BUNDLE);
}

TEST_F(BundleTest, AMissingFileIsNamed) {
    fs::remove(folder.path() / "int8.bin");
    auto [status, text] = failure();
    EXPECT_EQ(status, LOCATOR_ERROR_BUNDLE);
    EXPECT_NE(text.find("int8.bin is missing"), std::string::npos) << text;
    fs::remove(folder.path() / "manifest.json");
    std::tie(status, text) = failure();
    EXPECT_EQ(status, LOCATOR_ERROR_BUNDLE);
    EXPECT_NE(text.find("manifest.json is missing"), std::string::npos) << text;
}

TEST_F(BundleTest, AFolderInPlaceOfAFileCannotBeRead) {
    fs::remove(folder.path() / "manifest.json");
    fs::create_directory(folder.path() / "manifest.json");
    const auto [status, text] = failure();
    EXPECT_EQ(status, LOCATOR_ERROR_BUNDLE);
    EXPECT_NE(text.find("cannot be read"), std::string::npos) << text;
}

TEST_F(BundleTest, WhatIsNoFolderIsNoBundle) {
    for (const fs::path& path : {folder.path() / "none", folder.path() / "int8.xml"}) {
        try {
            const Bundle bundle(path);
            ADD_FAILURE();
        } catch (const Failure& error) {
            EXPECT_EQ(error.status(), LOCATOR_ERROR_BUNDLE);
            EXPECT_NE(std::string(error.what()).find("is not a folder"), std::string::npos);
        }
    }
}

TEST_F(BundleTest, ADamagedManifestIsNamed) {
    damage("manifest.json", "{");
    const auto [status, text] = failure();
    EXPECT_EQ(status, LOCATOR_ERROR_BUNDLE);
    EXPECT_NE(text.find("manifest.json: it is damaged"), std::string::npos) << text;
}

TEST_F(BundleTest, APrecisionThatItDoesNotHoldIsRefused) {
    const auto [status, text] = failure("int3");
    EXPECT_EQ(status, LOCATOR_ERROR_ARGUMENT);
    EXPECT_NE(text.find("precision 'int3' is not in this bundle, which holds: "), std::string::npos)
        << text;
}

TEST_F(BundleTest, AnArtefactForOtherEnginesIsRefused) {
    auto document = nlohmann::ordered_json::parse(content_of(folder.path() / "manifest.json"));
    document["artefacts"]["int8"]["backends"] = {"tensorrt", "onnxruntime"};
    damage("manifest.json", document.dump());
    const auto [status, text] = failure();
    EXPECT_EQ(status, LOCATOR_ERROR_ARGUMENT);
    EXPECT_NE(text.find("is for onnxruntime, tensorrt, not for openvino"), std::string::npos);
}

TEST(Sha256, KnownDigests) {  // from FIPS 180-4's examples
    EXPECT_EQ(locator::internal::sha256_of(""),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(locator::internal::sha256_of("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
