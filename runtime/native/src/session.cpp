#include "session.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "failure.hpp"
#include "trust.hpp"

namespace locator::internal {

namespace {

constexpr double kPi = 3.14159265358979323846;

void require_finite(const RawResult& raw) {
    const auto finite = [](float value) { return std::isfinite(value); };
    const bool all =
        std::all_of(raw.angle.begin(), raw.angle.end(), finite) &&
        std::all_of(raw.keypoints.begin(), raw.keypoints.end(), [&](const auto& point) {
            return std::all_of(point.begin(), point.end(), finite);
        });
    if (!all) fail(LOCATOR_ERROR_BACKEND, "the network answered with numbers that are not finite");
}

locator_keypoint keypoint(const std::array<float, 4>& raw, const View& view) {
    const Point point = view.to_picture({raw[0], raw[1]});
    // Engines approximate the sigmoid: it may pass 1 by a rounding error.
    return {point.x, point.y, std::clamp<double>(raw[2], 0, 1), std::max<double>(raw[3], 0)};
}

double degrees(const std::array<float, 2>& angle) {
    const double found =
        std::atan2(static_cast<double>(angle[0]), static_cast<double>(angle[1])) * (180 / kPi);
    return found == -180 ? 180 : found;
}

void check_display_width(double width) {
    if (!(width >= 0 && width <= 1e9))
        fail(LOCATOR_ERROR_ARGUMENT, "expected a display_width above 0 and at most 1e9, got ",
             width);
}

}  // namespace

Session::Session(const Bundle& bundle, const std::string& precision, const NetworkOptions& options)
    : thresholds_(bundle.manifest().thresholds),
      network_(bundle.read(bundle.artefact(precision)), options),
      process_(getpid()) {}

void Session::check_process() const {
    if (getpid() != process_)
        fail(
            LOCATOR_ERROR_BACKEND,
            "this handle was opened before the process was forked, and its engine's threads stayed "
            "behind: open one in each process");
}

locator_location Session::predict(const cv::Mat& picture_bgr, const locator_query& query) {
    check_display_width(query.display_width);
    const View view(picture_bgr.cols, picture_bgr.rows, query);
    const auto request = network_.acquire();
    view.render(picture_bgr, request->canvas());
    return locate(request->infer(), view, thresholds_, query.display_width);
}

locator_location locate(const RawResult& raw, const View& view, const Thresholds& thresholds,
                        double display_width) {
    require_finite(raw);
    locator_location found{};
    found.struct_size = sizeof found;
    found.gap = keypoint(raw.keypoints[0], view);
    found.slider = keypoint(raw.keypoints[1], view);
    found.angle_deg = degrees(raw.angle);
    found.picture_width = view.picture_width();
    found.picture_height = view.picture_height();
    found.distance_px = found.gap.x - found.slider.x;
    if (display_width > 0)
        found.distance_px = found.distance_px * display_width / found.picture_width;
    found.display_width = display_width;
    found.oversized = view.is_oversized() ? 1 : 0;
    for (const std::string& reason : doubts(found.gap, found.slider, view, thresholds))
        reason.copy(found.reasons[found.reason_count++], LOCATOR_REASON_BYTES - 1);
    found.ok = found.reason_count == 0 ? 1 : 0;
    return found;
}

}  // namespace locator::internal
