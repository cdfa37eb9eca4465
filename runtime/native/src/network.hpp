// The network on OpenVINO; after runtime/backends/openvino.py.
#pragma once

#include <map>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <string>

#include "geometry.hpp"

namespace locator::internal {

struct NetworkOptions {
    std::string device;
    int threads;            // of one inference on a CPU
    std::string cache_dir;  // empty: none
};

// A loaded network. Several threads may call it at once.
class Network {
public:
    // One inference under way: draw on its canvas, then infer.
    class Request {
    public:
        virtual ~Request() = default;

        // CV_8UC4, 256 rows and 512 columns: the very memory that the network reads.
        virtual cv::Mat& canvas() = 0;

        // Throws Failure (BACKEND).
        virtual RawResult infer() = 0;
    };

    // files: by role, already verified. Throws Failure: UNAVAILABLE when the device is not there,
    // BACKEND when the engine refuses the network, BUNDLE when it is not one of this package's.
    Network(const std::map<std::string, std::string>& files, const NetworkOptions& options);
    ~Network();
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;
    Network(Network&&) = delete;
    Network& operator=(Network&&) = delete;

    // A request that no other thread has, until the pointer goes.
    std::shared_ptr<Request> acquire();

private:
    struct Pool;
    std::unique_ptr<Pool> pool_;
};

}  // namespace locator::internal
