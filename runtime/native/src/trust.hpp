// What speaks against an answer; after runtime/trust.py.
#pragma once

#include <locator/locator.h>

#include <string>
#include <vector>

#include "manifest.hpp"
#include "view.hpp"

namespace locator::internal {

// The reasons not to trust two points (pixels of the whole picture), in words; at most
// LOCATOR_MAX_REASONS.
std::vector<std::string> doubts(const locator_keypoint& gap, const locator_keypoint& slider,
                                const View& view, const Thresholds& limits);

}  // namespace locator::internal
