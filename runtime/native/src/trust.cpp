#include "trust.hpp"

#include <cmath>
#include <iomanip>
#include <locale>
#include <sstream>

#include "failure.hpp"

namespace locator::internal {

namespace {

constexpr double kOnePlaceCanvasPx = 8;  // two cells of the heatmap

std::string fixed(double value, int decimals) {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << std::fixed << std::setprecision(decimals) << value;
    return text.str();
}

void doubt_point(const std::string& name, const locator_keypoint& point, const View& view,
                 const Thresholds& limits, std::vector<std::string>& found) {
    if (point.score < limits.min_score)
        found.push_back(joined(name, " score ", fixed(point.score, 3), " is below ",
                               fixed(limits.min_score, 3)));
    if (point.rival > limits.max_rival)
        found.push_back(joined(name, " rival ", fixed(point.rival, 3), " is above ",
                               fixed(limits.max_rival, 3)));
    if (!view.contains(point.x, point.y))
        found.push_back(joined(name, " lies outside the ", view.is_whole() ? "picture" : "roi"));
}

bool at_one_place(const locator_keypoint& gap, const locator_keypoint& slider, const View& view) {
    return std::hypot((gap.x - slider.x) * view.letterbox().scale_x(),
                      (gap.y - slider.y) * view.letterbox().scale_y()) < kOnePlaceCanvasPx;
}

}  // namespace

std::vector<std::string> doubts(const locator_keypoint& gap, const locator_keypoint& slider,
                                const View& view, const Thresholds& limits) {
    std::vector<std::string> found;
    const bool nothing = gap.score < limits.min_score && slider.score < limits.min_score;
    if (nothing) found.emplace_back("nothing found");
    doubt_point("gap", gap, view, limits, found);
    doubt_point("slider", slider, view, limits, found);
    if (!nothing && at_one_place(gap, slider, view))
        found.emplace_back("both points at one place: one of them may be missing");
    const double difference_px = std::abs(gap.y - slider.y);
    const double largest_px = limits.max_row_difference_canvas_px / view.letterbox().scale_y();
    if (difference_px > largest_px)
        found.push_back(joined("rows differ by ", fixed(difference_px, 1), " px, more than ",
                               fixed(largest_px, 1), " px"));
    return found;
}

}  // namespace locator::internal
