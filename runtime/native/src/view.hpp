// What of a picture the network looks at, and how its answers get back; after runtime/view.py.
#pragma once

#include <locator/locator.h>

#include <opencv2/core/mat.hpp>

#include "geometry.hpp"

namespace locator::internal {

// A part of a picture, seen whole by the network.
class View {
public:
    // The view of a picture of that size through the query's roi, or of all of it. Throws Failure
    // (ARGUMENT) for a roi that does not lie within the picture.
    View(int picture_width, int picture_height, const locator_query& query);

    int picture_width() const { return picture_width_; }
    int picture_height() const { return picture_height_; }
    const Letterbox& letterbox() const { return letterbox_; }

    // Draw the part of the picture on a canvas; see Letterbox::render.
    void render(const cv::Mat& picture_bgr, cv::Mat& canvas) const;

    // A point of the canvas as a point of the whole picture.
    Point to_picture(Point canvas) const;

    // Whether a point of the whole picture lies in the part.
    bool contains(double x, double y) const;

    bool is_whole() const { return part_.size() == cv::Size(picture_width_, picture_height_); }

    // Whether the whole of a picture much larger than a puzzle is looked at, without a roi.
    bool is_oversized() const { return oversized_; }

private:
    int picture_width_, picture_height_;
    cv::Rect part_;
    Letterbox letterbox_;
    bool oversized_;
};

}  // namespace locator::internal
