#include "geometry.hpp"

#include <algorithm>
#include <cstdint>
#include <opencv2/imgproc.hpp>

namespace locator::internal {

namespace {

// floor(numerator / denominator + 1/2), exact: floats would move some .5 ties.
int round_half_up(std::int64_t numerator, std::int64_t denominator) {
    return static_cast<int>((2 * numerator + denominator) / (2 * denominator));
}

}  // namespace

Letterbox::Letterbox(int picture_width, int picture_height)
    : picture_width_(picture_width), picture_height_(picture_height) {
    const std::int64_t across = std::int64_t{kCanvasWidth} * picture_height;
    const std::int64_t down = std::int64_t{kCanvasHeight} * picture_width;
    if (across <= down) {
        height_ = std::max(1, round_half_up(across, picture_width));
    } else {
        width_ = std::max(1, round_half_up(down, picture_height));
    }
}

Point Letterbox::to_picture(Point canvas) const {
    return {(canvas.x - left() + 0.5) / scale_x() - 0.5,
            (canvas.y - top() + 0.5) / scale_y() - 0.5};
}

void Letterbox::render(const cv::Mat& picture_bgr, cv::Mat& canvas) const {
    const bool shrinks = picture_width_ > kCanvasWidth || picture_height_ > kCanvasHeight;
    cv::Mat scaled;
    cv::resize(picture_bgr, scaled, {width_, height_}, 0, 0,
               shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
    canvas.setTo(cv::Scalar::all(0));
    // The added fourth channel is 255 throughout: the mask.
    cv::Mat drawn = canvas(cv::Rect(left(), top(), width_, height_));
    cv::cvtColor(scaled, drawn, cv::COLOR_BGR2RGBA);
}

}  // namespace locator::internal
