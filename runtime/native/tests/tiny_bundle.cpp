#include "tiny_bundle.hpp"

#include <openssl/evp.h>

#include <array>
#include <cmath>
#include <openvino/openvino.hpp>
#include <openvino/opsets/opset11.hpp>

namespace {

namespace op = ov::opset11;
using Node = ov::Output<ov::Node>;

template <typename Value>
Node constant(const ov::element::Type& type, const ov::Shape& shape, std::vector<Value> values) {
    return op::Constant::create(type, shape, values);
}

Node number(std::int32_t value) { return constant<std::int32_t>(ov::element::i32, {1}, {value}); }

Node to_float(const Node& node) { return std::make_shared<op::Convert>(node, ov::element::f32); }

// x, y, score and rival of the largest value of a canvas's channel: [1, 1, 4].
Node peak(const Node& floats, std::int32_t channel) {
    const Node plane = std::make_shared<op::Gather>(floats, number(channel), number(3));
    const Node flat = std::make_shared<op::Reshape>(
        plane, constant<std::int64_t>(ov::element::i64, {2}, {1, -1}), false);
    const auto largest = std::make_shared<op::TopK>(
        flat, op::Constant::create(ov::element::i64, {}, {1}), 1, "max", "none", ov::element::i32);
    const Node cell = largest->output(1);
    const Node x = to_float(std::make_shared<op::FloorMod>(cell, number(512)));
    const Node y = to_float(std::make_shared<op::Divide>(cell, number(512)));
    const Node score = std::make_shared<op::Divide>(largest->output(0),
                                                    constant<float>(ov::element::f32, {1}, {255}));
    const Node rival = constant<float>(ov::element::f32, {1, 1}, {0.25F});
    const Node point = std::make_shared<op::Concat>(ov::OutputVector{x, y, score, rival}, 1);
    return std::make_shared<op::Reshape>(
        point, constant<std::int64_t>(ov::element::i64, {3}, {1, 1, 4}), false);
}

std::string sha256(const std::string& data) {
    std::array<unsigned char, 32> digest{};
    EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    std::string hex;
    for (const unsigned char byte : digest) {
        std::array<char, 3> pair{};
        std::snprintf(pair.data(), pair.size(), "%02x", static_cast<unsigned>(byte));
        hex += pair.data();
    }
    return hex;
}

nlohmann::ordered_json manifest_of(const std::string& model, const std::string& weights) {
    return {
        {"model", {{"name", "tiny"}, {"config", nlohmann::ordered_json::object()}}},
        {"row_agreement", 1.0},
        {"thresholds",
         {{"min_score", 0.5},
          {"max_rival", 1.0},
          {"max_row_difference_canvas_px", 256.0},
          {"fit", nullptr}}},
        {"artefacts",
         {{"int8",
           {{"files", {{"model", "tiny.xml"}, {"weights", "tiny.bin"}}},
            {"sha256", {{"model", sha256(model)}, {"weights", sha256(weights)}}},
            {"format", "openvino-ir"},
            {"precision", "int8"},
            {"backends", {"openvino"}},
            {"measured", nlohmann::ordered_json::object()}}}}},
        {"calibration", nullptr},
        {"golden", nullptr},
        {"versions", nlohmann::ordered_json::object()},
        {"contract_version", 1},
        {"schema_version", 2},
    };
}

}  // namespace

std::shared_ptr<ov::Model> tiny_network(float added, const std::string& output) {
    const auto canvas =
        std::make_shared<op::Parameter>(ov::element::u8, ov::PartialShape{1, 256, 512, 4});
    canvas->output(0).set_names({"canvas"});
    const Node floats = to_float(canvas);
    const Node both =
        std::make_shared<op::Concat>(ov::OutputVector{peak(floats, 0), peak(floats, 2)}, 1);
    const auto keypoints =
        std::make_shared<op::Add>(both, constant<float>(ov::element::f32, {1}, {added}));
    keypoints->output(0).set_names({output});
    const auto angle = op::Constant::create(ov::element::f32, {1, 2}, {0.5F, std::sqrt(0.75F)});
    angle->output(0).set_names({"angle"});
    return std::make_shared<ov::Model>(ov::OutputVector{std::make_shared<op::Result>(keypoints),
                                                        std::make_shared<op::Result>(angle)},
                                       ov::ParameterVector{canvas});
}

TinyBundle::TinyBundle(const ChangeNetwork& change_network, const ChangeManifest& change_manifest) {
    auto network = tiny_network();
    if (change_network) network = change_network(network);
    ov::save_model(network, (folder.path() / "tiny.xml").string(), false);
    auto manifest =
        manifest_of(content_of(folder.path() / "tiny.xml"), content_of(folder.path() / "tiny.bin"));
    if (change_manifest) change_manifest(manifest);
    folder.write("manifest.json", manifest.dump());
}

Puzzle::Puzzle(int gap_x, int gap_y, int slider_x, int slider_y)
    : bgr(std::size_t{3} * kWidth * kHeight, 40) {
    const auto paint = [&](int x, int y, std::size_t channel) {
        const auto pixel = static_cast<std::size_t>(y * kWidth + x) * 3;
        for (std::size_t i = 0; i < 3; ++i) bgr[pixel + i] = i == channel ? 255 : 0;
    };
    paint(gap_x, gap_y, 2);
    paint(slider_x, slider_y, 0);
}
