// A tiny bundle whose network can be predicted by hand.
//
// Its gap is the reddest pixel of the canvas and its slider the bluest one; the score is that
// pixel's value / 255, the rival is 0.25 and the angle 30 degrees. An answer is trusted from 0.5
// on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <openvino/core/model.hpp>
#include <string>
#include <vector>

#include "folder.hpp"

// What to do to a network, or to a manifest, before it is written.
using ChangeNetwork = std::function<std::shared_ptr<ov::Model>(std::shared_ptr<ov::Model>)>;
using ChangeManifest = std::function<void(nlohmann::ordered_json&)>;

class TinyBundle {
public:
    explicit TinyBundle(const ChangeNetwork& change_network = {},
                        const ChangeManifest& change_manifest = {});

    std::string path() const { return folder.path().string(); }

    const Folder folder;
};

// The network; added: to all of its numbers; output: the name of its first output.
std::shared_ptr<ov::Model> tiny_network(float added = 0, const std::string& output = "keypoints");

// A BGR picture of the canvas's size, so that its pixels are the canvas's.
class Puzzle {
public:
    Puzzle(int gap_x, int gap_y, int slider_x, int slider_y);

    static constexpr int kWidth = 512, kHeight = 256;
    std::vector<std::uint8_t> bgr;
};
