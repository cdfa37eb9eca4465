// The geometry contract: how a picture is laid on the canvas, after runtime/geometry.py.
#pragma once

#include <array>
#include <opencv2/core/mat.hpp>

namespace locator::internal {

constexpr int kContractVersion = 1;
constexpr int kCanvasWidth = 512;
constexpr int kCanvasHeight = 256;

struct Point {
    double x, y;
};

// What the network says about one canvas: rows gap and slider; columns canvas x, canvas y, score,
// rival; then the sine and cosine of the gap's rotation.
struct RawResult {
    std::array<std::array<float, 4>, 2> keypoints;
    std::array<float, 2> angle;
};

// A picture of the given size (pixels, each at least 1), scaled to fit the canvas and centred on
// it.
class Letterbox {
public:
    Letterbox(int picture_width, int picture_height);

    // Size of the scaled picture on the canvas, and the padding to its left and above it, pixels.
    int width() const { return width_; }
    int height() const { return height_; }
    int left() const { return (kCanvasWidth - width_) / 2; }
    int top() const { return (kCanvasHeight - height_) / 2; }

    // Canvas pixels per picture pixel, after rounding.
    double scale_x() const { return static_cast<double>(width_) / picture_width_; }
    double scale_y() const { return static_cast<double>(height_) / picture_height_; }

    Point to_picture(Point canvas) const;

    // Draw a BGR picture of this size on a canvas, CV_8UC4 of 256 rows and 512 columns, all of
    // which is overwritten: channels R, G, B, mask; the mask is 255 over the picture, padding is 0
    // in all.
    void render(const cv::Mat& picture_bgr, cv::Mat& canvas) const;

private:
    int picture_width_, picture_height_;
    int width_ = kCanvasWidth, height_ = kCanvasHeight;
};

}  // namespace locator::internal
