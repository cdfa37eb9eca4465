#include "network.hpp"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <openvino/openvino.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "failure.hpp"

namespace locator::internal {

namespace {

const ov::Shape kCanvasShape{1, kCanvasHeight, kCanvasWidth, 4};
const ov::Shape kKeypointsShape{1, 2, 4};
const ov::Shape kAngleShape{1, 2};

std::string cased(std::string text, int (*change)(int)) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [change](unsigned char c) { return static_cast<char>(change(c)); });
    return text;
}

// The last line of OpenVINO's text: the lines before say where in its sources it happened.
std::string reason(const std::exception& error) {
    std::istringstream lines(error.what());
    std::string last = "no reason given";
    for (std::string line; std::getline(lines, line);)
        if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
    return last;
}

// Calls OpenVINO; what it throws becomes a Failure (BACKEND) that begins with the text.
template <typename Call>
auto translated(const std::string& text, Call&& call) {
    try {
        return std::forward<Call>(call)();
    } catch (const ov::Exception& error) {
        fail(LOCATOR_ERROR_BACKEND, text, ": ", reason(error));
    }
}

bool is_present(const std::vector<std::string>& devices, const std::string& name) {
    return std::any_of(devices.begin(), devices.end(), [&](const std::string& device) {
        const std::string found = cased(device, std::tolower);
        return name == found || name == found.substr(0, found.find('.'));
    });
}

// Whether the device, as a caller may write it, is there: `cpu`, `gpu`, `gpu.1`, `auto:gpu,cpu`.
bool matches(const std::vector<std::string>& devices, const std::string& device) {
    const auto colon = device.find(':');
    if (colon == std::string::npos) return is_present(devices, device);
    const std::string mode = device.substr(0, colon);
    if (mode != "auto" && mode != "multi" && mode != "hetero") return false;
    std::istringstream listed(device.substr(colon + 1));
    for (std::string name; std::getline(listed, name, ',');)
        if (!is_present(devices, name.substr(0, name.find('(')))) return false;
    return true;
}

void check_device(ov::Core& core, const std::string& device) {
    // To list the devices every plugin is loaded; the CPU's says by itself when it is missing.
    if (device == "cpu") return;
    const auto devices = core.get_available_devices();
    if (matches(devices, device)) return;
    std::string listed;
    for (const std::string& name : devices)
        listed += (listed.empty() ? "" : ", ") + cased(name, std::tolower);
    fail(LOCATOR_ERROR_UNAVAILABLE, "device '", device, "' is not here: OpenVINO has ", listed);
}

void check_port(const std::vector<ov::Output<const ov::Node>>& ports, const std::string& name,
                const ov::element::Type& type, const ov::Shape& shape) {
    const bool found = std::any_of(ports.begin(), ports.end(), [&](const auto& port) {
        return port.get_names().count(name) != 0 && port.get_element_type() == type &&
               port.get_partial_shape() == ov::PartialShape(shape);
    });
    if (!found)
        fail(LOCATOR_ERROR_BUNDLE, "the bundle's network has no '", name, "' of type ", type,
             " and shape ", shape, ": export the bundle anew");
}

void check_interface(const ov::Model& model) {
    check_port(model.inputs(), "canvas", ov::element::u8, kCanvasShape);
    check_port(model.outputs(), "keypoints", ov::element::f32, kKeypointsShape);
    check_port(model.outputs(), "angle", ov::element::f32, kAngleShape);
    if (model.inputs().size() != 1 || model.outputs().size() != 2)
        fail(LOCATOR_ERROR_BUNDLE, "the bundle's network has ", model.inputs().size(),
             " inputs and ", model.outputs().size(),
             " outputs, expected 1 and 2: export the bundle anew");
}

std::shared_ptr<ov::Model> read_model(ov::Core& core,
                                      const std::map<std::string, std::string>& files) {
    ov::Tensor weights;
    if (const auto found = files.find("weights"); found != files.end()) {
        // A copy of its own: the network may refer to it for as long as it lives.
        weights = ov::Tensor(ov::element::u8, {found->second.size()});
        std::copy(found->second.begin(), found->second.end(), weights.data<std::uint8_t>());
    }
    return translated("openvino cannot read the network",
                      [&] { return core.read_model(files.at("model"), weights); });
}

ov::AnyMap settings(const NetworkOptions& options, const std::string& device) {
    ov::AnyMap map{ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY)};
    if (device == "cpu") {
        map.insert(ov::inference_num_threads(options.threads));
        // The default on some CPUs is bf16, which moves ties and costs accuracy in every layer that
        // is not INT8. Accelerators keep their own default: FP32 may not exist there.
        map.insert(ov::hint::inference_precision(ov::element::f32));
    }
    if (!options.cache_dir.empty()) map.insert(ov::cache_dir(options.cache_dir));
    return map;
}

class OpenVinoRequest : public Network::Request {
public:
    explicit OpenVinoRequest(ov::InferRequest request)
        : request_(std::move(request)),
          input_(request_.get_tensor("canvas")),
          canvas_(kCanvasHeight, kCanvasWidth, CV_8UC4, input_.data<std::uint8_t>()) {}

    cv::Mat& canvas() override { return canvas_; }

    RawResult infer() override {
        return translated("openvino failed", [&] {
            request_.infer();
            const ov::Tensor keypoints = request_.get_tensor("keypoints");
            const ov::Tensor angle = request_.get_tensor("angle");
            RawResult result{};
            const auto* values = keypoints.data<const float>();
            for (auto& point : result.keypoints) {
                std::copy_n(values, point.size(), point.begin());
                values += point.size();
            }
            std::copy_n(angle.data<const float>(), result.angle.size(), result.angle.begin());
            return result;
        });
    }

private:
    ov::InferRequest request_;
    ov::Tensor input_;
    cv::Mat canvas_;
};

}  // namespace

// The network and the requests that nobody uses just now: as many as there ever were threads at
// once.
struct Network::Pool {
    ov::Core core;
    ov::CompiledModel compiled;
    std::mutex mutex;
    std::vector<std::unique_ptr<OpenVinoRequest>> idle;

    std::unique_ptr<OpenVinoRequest> take() {
        const std::lock_guard<std::mutex> lock(mutex);
        if (idle.empty()) return nullptr;
        auto request = std::move(idle.back());
        idle.pop_back();
        return request;
    }

    void give_back(std::unique_ptr<OpenVinoRequest> request) noexcept {
        const std::lock_guard<std::mutex> lock(mutex);
        try {
            idle.push_back(std::move(request));
        } catch (const std::bad_alloc&) {  // then it goes, and the next thread makes a new one
        }
    }
};

Network::Network(const std::map<std::string, std::string>& files, const NetworkOptions& options)
    : pool_(translated("openvino cannot start", [] { return std::make_unique<Pool>(); })) {
    const std::string device = cased(options.device, std::tolower);
    check_device(pool_->core, device);
    const auto model = read_model(pool_->core, files);
    check_interface(*model);
    pool_->compiled = translated("openvino cannot load the network on '" + device + "'", [&] {
        return pool_->core.compile_model(model, cased(device, std::toupper),
                                         settings(options, device));
    });
}

Network::~Network() = default;

std::shared_ptr<Network::Request> Network::acquire() {
    auto request = pool_->take();
    if (!request)
        request = translated("openvino failed", [&] {
            return std::make_unique<OpenVinoRequest>(pool_->compiled.create_infer_request());
        });
    Pool* pool = pool_.get();
    return {request.release(), [pool](OpenVinoRequest* used) {
                pool->give_back(std::unique_ptr<OpenVinoRequest>(used));
            }};
}

}  // namespace locator::internal
