// The C interface as any caller sees it: every status, and structures of older and newer callers.
#include <gtest/gtest.h>
#include <locator/locator.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <locator/locator.hpp>
#include <memory>
#include <openvino/openvino.hpp>
#include <string>
#include <vector>

#include "failing_new.hpp"
#include "tiny_bundle.hpp"

namespace {

struct Close {
    void operator()(locator_handle* handle) const { locator_close(handle); }
};
using Handle = std::unique_ptr<locator_handle, Close>;

locator_options options() {
    locator_options made{};
    made.struct_size = sizeof made;
    made.threads = 1;
    return made;
}

Handle opened(const std::string& bundle) {
    const locator_options asked = options();
    locator_handle* handle = nullptr;
    EXPECT_EQ(locator_open(bundle.c_str(), &asked, &handle), LOCATOR_OK) << locator_last_error();
    return Handle(handle);
}

// Opens what cannot be opened.
locator_status refused(const std::string& bundle, const locator_options& asked = options()) {
    auto* handle = reinterpret_cast<locator_handle*>(1);
    const locator_status status = locator_open(bundle.c_str(), &asked, &handle);
    EXPECT_EQ(handle, nullptr);
    EXPECT_STRNE(locator_last_error(), "");
    return status;
}

bool said(const std::string& part) {
    return std::string(locator_last_error()).find(part) != std::string::npos;
}

class Api : public testing::Test {
protected:
    Api() { found.struct_size = sizeof found; }

    locator_status predict(const locator_query* query = nullptr) {
        return locator_predict_pixels(handle.get(), &pixels, query, &found);
    }

    const TinyBundle bundle;
    const Handle handle = opened(bundle.path());
    const Puzzle puzzle{300, 90, 20, 100};
    locator_pixels pixels{sizeof pixels, puzzle.bgr.data(), Puzzle::kWidth, Puzzle::kHeight, 0,
                          LOCATOR_BGR};
    locator_location found{};
};

TEST_F(Api, AnAnswer) {
    ASSERT_EQ(predict(), LOCATOR_OK) << locator_last_error();
    EXPECT_STREQ(locator_last_error(), "");
    EXPECT_EQ(found.struct_size, sizeof found);
    EXPECT_EQ(found.ok, 1);
    EXPECT_EQ(found.reason_count, 0);
    EXPECT_EQ(found.gap.x, 300);
    EXPECT_EQ(found.gap.y, 90);
    EXPECT_EQ(found.gap.score, 1);
    EXPECT_EQ(found.gap.rival, 0.25);
    EXPECT_EQ(found.slider.x, 20);
    EXPECT_EQ(found.slider.y, 100);
    EXPECT_NEAR(found.angle_deg, 30, 1e-4);
    EXPECT_EQ(found.distance_px, 280);
    EXPECT_EQ(found.picture_width, 512);
    EXPECT_EQ(found.picture_height, 256);
    EXPECT_EQ(found.display_width, 0);
    EXPECT_EQ(found.oversized, 0);
}

TEST_F(Api, AnAnswerNotToTrust) {
    const std::vector<std::uint8_t> dark(puzzle.bgr.size(), 51);
    pixels.data = dark.data();
    ASSERT_EQ(predict(), LOCATOR_OK);
    EXPECT_EQ(found.ok, 0);
    ASSERT_EQ(found.reason_count, 3);
    EXPECT_STREQ(found.reasons[0], "nothing found");
    EXPECT_STREQ(found.reasons[1], "gap score 0.200 is below 0.500");
    EXPECT_STREQ(found.reasons[2], "slider score 0.200 is below 0.500");
}

TEST_F(Api, ARoiAndADisplayWidth) {
    locator_query query{sizeof query, 10, 60, 400, 100, 256};
    ASSERT_EQ(predict(&query), LOCATOR_OK) << locator_last_error();
    EXPECT_NEAR(found.gap.x, 300, 1);
    EXPECT_NEAR(found.gap.y, 90, 1);
    EXPECT_NEAR(found.distance_px, 140, 1);
    EXPECT_EQ(found.display_width, 256);
}

TEST_F(Api, VersionsAreTold) {
    EXPECT_EQ(locator_abi_version(), static_cast<std::uint32_t>(LOCATOR_ABI_VERSION));
    EXPECT_STREQ(locator_version(), VERSION);
}

TEST_F(Api, ArgumentsThatCanNeverWork) {
    const locator_options asked = options();
    EXPECT_EQ(locator_open(bundle.path().c_str(), &asked, nullptr), LOCATOR_ERROR_ARGUMENT);
    locator_handle* none = nullptr;
    EXPECT_EQ(locator_open(nullptr, &asked, &none), LOCATOR_ERROR_ARGUMENT);
    EXPECT_TRUE(said("bundle_dir is null"));
    EXPECT_EQ(locator_predict_pixels(nullptr, &pixels, nullptr, &found), LOCATOR_ERROR_ARGUMENT);
    EXPECT_TRUE(said("handle is null"));
    EXPECT_EQ(locator_predict_pixels(handle.get(), nullptr, nullptr, &found),
              LOCATOR_ERROR_ARGUMENT);
    EXPECT_EQ(locator_predict_pixels(handle.get(), &pixels, nullptr, nullptr),
              LOCATOR_ERROR_ARGUMENT);
    EXPECT_EQ(locator_predict_file(handle.get(), nullptr, nullptr, &found), LOCATOR_ERROR_ARGUMENT);
    EXPECT_EQ(locator_predict_bytes(handle.get(), nullptr, 9, nullptr, &found),
              LOCATOR_ERROR_ARGUMENT);
    locator_close(nullptr);
}

TEST_F(Api, OptionsThatCanNeverWork) {
    auto asked = options();
    asked.threads = -1;
    EXPECT_EQ(refused(bundle.path(), asked), LOCATOR_ERROR_ARGUMENT);
    asked = options();
    asked.precision = "int3";
    EXPECT_EQ(refused(bundle.path(), asked), LOCATOR_ERROR_ARGUMENT);
    EXPECT_TRUE(said("precision 'int3' is not in this bundle"));
    for (const double width : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
        const locator_query query{sizeof query, 0, 0, 0, 0, width};
        EXPECT_EQ(predict(&query), LOCATOR_ERROR_ARGUMENT);
        EXPECT_TRUE(said("expected a display_width above 0"));
    }
    const locator_query query{sizeof query, 500, 0, 20, 20, 0};
    EXPECT_EQ(predict(&query), LOCATOR_ERROR_ARGUMENT);
    EXPECT_TRUE(said("does not lie within the picture of 512 x 256 pixels"));
}

TEST_F(Api, StructuresOfAnotherSize) {
    found.struct_size = sizeof found - 1;
    EXPECT_EQ(predict(), LOCATOR_ERROR_ARGUMENT);
    EXPECT_TRUE(said("locator_location's struct_size"));
    found.struct_size = sizeof found;
    pixels.struct_size = 0;
    EXPECT_EQ(predict(), LOCATOR_ERROR_ARGUMENT);
    pixels.struct_size = sizeof pixels;
    locator_query query{};
    EXPECT_EQ(predict(&query), LOCATOR_ERROR_ARGUMENT);
    auto asked = options();
    asked.struct_size = 1;
    EXPECT_EQ(refused(bundle.path(), asked), LOCATOR_ERROR_ARGUMENT);
}

TEST_F(Api, StructuresOfANewerCaller) {
    struct NewerQuery {
        locator_query known;
        std::uint64_t unknown;
    } query{{sizeof(NewerQuery), 0, 0, 0, 0, 0}, 0};
    struct NewerLocation {
        locator_location known;
        std::uint64_t unknown;
    } newer{{}, 77};
    newer.known.struct_size = sizeof newer;
    ASSERT_EQ(locator_predict_pixels(handle.get(), &pixels, &query.known, &newer.known),
              LOCATOR_OK);
    EXPECT_EQ(newer.known.gap.x, 300);
    EXPECT_EQ(newer.known.struct_size, sizeof newer);
    EXPECT_EQ(newer.unknown, 0U);
    query.unknown = 1;
    EXPECT_EQ(locator_predict_pixels(handle.get(), &pixels, &query.known, &newer.known),
              LOCATOR_ERROR_ARGUMENT);
    EXPECT_TRUE(said("fields that this library does not know"));
}

TEST_F(Api, PicturesThatCannotBeRead) {
    EXPECT_EQ(locator_predict_file(handle.get(), "none.png", nullptr, &found),
              LOCATOR_ERROR_PICTURE);
    EXPECT_STREQ(locator_last_error(), "none.png does not exist: check the path");
    EXPECT_EQ(locator_predict_bytes(handle.get(), "hello", 5, nullptr, &found),
              LOCATOR_ERROR_PICTURE);
    EXPECT_TRUE(said("the picture given as 5 bytes is not a picture"));
    EXPECT_EQ(locator_predict_bytes(handle.get(), "", 0, nullptr, &found), LOCATOR_ERROR_PICTURE);
}

TEST_F(Api, AFailureLeavesTheAnswerAlone) {
    ASSERT_EQ(predict(), LOCATOR_OK);
    const locator_location before = found;
    EXPECT_EQ(locator_predict_file(handle.get(), "none.png", nullptr, &found),
              LOCATOR_ERROR_PICTURE);
    EXPECT_EQ(std::memcmp(&before, &found, sizeof found), 0);
    ASSERT_EQ(predict(), LOCATOR_OK);
    EXPECT_STREQ(locator_last_error(), "");
}

TEST_F(Api, ALackOfMemoryIsTold) {
    ASSERT_EQ(predict(), LOCATOR_OK);
    const std::string missing(2000, 'x');  // its name takes an allocation
    allocations_left = 1;
    const locator_status status =
        locator_predict_file(handle.get(), missing.c_str(), nullptr, &found);
    allocations_left = 0;
    EXPECT_EQ(status, LOCATOR_ERROR_INTERNAL);
    EXPECT_STREQ(locator_last_error(), "out of memory");
    EXPECT_EQ(predict(), LOCATOR_OK);
}

TEST(ApiBundle, DamagedOnes) {
    EXPECT_EQ(refused("/nowhere"), LOCATOR_ERROR_BUNDLE);
    const TinyBundle bundle;
    bundle.folder.write("tiny.xml", content_of(bundle.folder.path() / "tiny.xml") + " ");
    EXPECT_EQ(refused(bundle.path()), LOCATOR_ERROR_BUNDLE);
    EXPECT_TRUE(said("wrong sha256"));
}

TEST(ApiBundle, NetworksThatAreNotOurs) {
    const TinyBundle named([](const auto&) { return tiny_network(0, "points"); });
    EXPECT_EQ(refused(named.path()), LOCATOR_ERROR_BUNDLE);
    EXPECT_TRUE(said("no 'keypoints' of type f32 and shape [1,2,4]"));
    const TinyBundle shaped([](auto network) {
        network->reshape(ov::PartialShape{1, -1, 512, 4});
        return network;
    });
    EXPECT_EQ(refused(shaped.path()), LOCATOR_ERROR_BUNDLE);
    const TinyBundle more([](auto network) {
        network->add_output(
            network->get_results()[0]->get_input_node_shared_ptr(0)->input_value(0));
        return network;
    });
    EXPECT_EQ(refused(more.path()), LOCATOR_ERROR_BUNDLE);
}

TEST(ApiBackend, ANetworkThatTheEngineRefuses) {
    const std::string damaged = "<net name=\"x\" version=\"11\"><layers><layer/></layers></net>";
    const TinyBundle bundle({}, [](auto& manifest) {
        // The digest of the damaged model.
        manifest["artefacts"]["int8"]["sha256"]["model"] =
            "e471ac107c99cebc9e949316e8bf0d04d8ebd7331e5141b3f072ec0f3e899281";
    });
    bundle.folder.write("tiny.xml", damaged);
    EXPECT_EQ(refused(bundle.path()), LOCATOR_ERROR_BACKEND);
    EXPECT_TRUE(said("openvino cannot read the network"));
}

TEST(ApiBackend, NumbersThatAreNotFinite) {
    const TinyBundle bundle(
        [](const auto&) { return tiny_network(std::numeric_limits<float>::infinity()); });
    const Handle handle = opened(bundle.path());
    const Puzzle puzzle(300, 90, 20, 100);
    const locator_pixels pixels{
        sizeof pixels, puzzle.bgr.data(), Puzzle::kWidth, Puzzle::kHeight, 0, LOCATOR_BGR};
    locator_location found{};
    found.struct_size = sizeof found;
    EXPECT_EQ(locator_predict_pixels(handle.get(), &pixels, nullptr, &found),
              LOCATOR_ERROR_BACKEND);
    EXPECT_TRUE(said("not finite"));
}

TEST(ApiBackend, DevicesThatAreNotThere) {
    const TinyBundle bundle;
    auto asked = options();
    for (const char* device : {"abacus", "auto:abacus,cpu", "some:cpu", ""}) {
        asked.device = device;
        EXPECT_EQ(refused(bundle.path(), asked), LOCATOR_ERROR_UNAVAILABLE) << device;
        EXPECT_TRUE(said("is not here: OpenVINO has")) << locator_last_error();
    }
}

TEST(Cpp, AnswersAndErrors) {
    const TinyBundle bundle;
    locator::Options asked;
    asked.threads = 1;
    const locator::Locator locator(bundle.path(), asked);
    const Puzzle puzzle(300, 90, 20, 100);
    const locator::Pixels pixels{puzzle.bgr.data(), Puzzle::kWidth, Puzzle::kHeight};
    locator::Query query;
    query.display_width = 256;
    const locator::Location found = locator.predict(pixels, query);
    EXPECT_TRUE(found.ok());
    EXPECT_EQ(found.gap.x, 300);
    EXPECT_EQ(found.distance_px, 140);
    EXPECT_EQ(found.display_width, 256);
    const std::vector<std::uint8_t> dark(puzzle.bgr.size(), 51);
    const locator::Location unsure =
        locator.predict({dark.data(), Puzzle::kWidth, Puzzle::kHeight});
    EXPECT_FALSE(unsure.ok());
    EXPECT_EQ(unsure.reasons.at(0), "nothing found");
    EXPECT_FALSE(unsure.display_width);
    const auto status = [](auto&& call) {
        try {
            call();
        } catch (const locator::Error& error) {
            EXPECT_STRNE(error.what(), "");
            return error.status();
        }
        return LOCATOR_OK;
    };
    EXPECT_EQ(status([&] { locator.predict_file("none.png"); }), LOCATOR_ERROR_PICTURE);
    EXPECT_EQ(status([&] { locator.predict_bytes("x", 1); }), LOCATOR_ERROR_PICTURE);
    EXPECT_EQ(status([] { const locator::Locator none("/nowhere"); }), LOCATOR_ERROR_BUNDLE);
    query.display_width = 0;
    EXPECT_EQ(status([&] { locator.predict(pixels, query); }), LOCATOR_ERROR_ARGUMENT);
    query = {};
    query.roi = locator::Roi{};
    EXPECT_EQ(status([&] { locator.predict(pixels, query); }), LOCATOR_ERROR_ARGUMENT);
}

}  // namespace
