// What a handle is: a bundle's network and its thresholds; after runtime/locator.py.
#pragma once

#include <locator/locator.h>

#include <opencv2/core/mat.hpp>
#include <string>

#include "bundle.hpp"
#include "network.hpp"
#include "view.hpp"

namespace locator::internal {

class Session {
public:
    // Throws Failure; see locator_open.
    Session(const Bundle& bundle, const std::string& precision, const NetworkOptions& options);

    // Locate both points in a CV_8UC3 (BGR) picture. Throws Failure: ARGUMENT for a roi or a
    // display_width that is none, BACKEND when the engine fails.
    locator_location predict(const cv::Mat& picture_bgr, const locator_query& query);

    // Throws Failure (BACKEND) in a process forked after this was made: the engine's threads stayed
    // behind.
    void check_process() const;

private:
    Thresholds thresholds_;
    Network network_;
    int process_;
};

// The network's answer for a canvas as one for the picture that the view is of. Throws Failure
// (BACKEND) when it holds numbers that are not finite.
locator_location locate(const RawResult& raw, const View& view, const Thresholds& thresholds,
                        double display_width);

}  // namespace locator::internal
