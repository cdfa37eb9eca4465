#include "view.hpp"

#include <algorithm>
#include <cstdint>

#include "failure.hpp"

namespace locator::internal {

namespace {

// Canvas pixels per picture pixel below which the picture is hardly a puzzle alone.
constexpr double kSmallScale = 0.4;

bool has_roi(const locator_query& query) {
    return query.roi_x != 0 || query.roi_y != 0 || query.roi_width != 0 || query.roi_height != 0;
}

cv::Rect part_of(int width, int height, const locator_query& query) {
    if (!has_roi(query)) return {0, 0, width, height};
    const std::int64_t right = std::int64_t{query.roi_x} + query.roi_width;
    const std::int64_t bottom = std::int64_t{query.roi_y} + query.roi_height;
    const bool inside = query.roi_x >= 0 && query.roi_y >= 0 && right <= width && bottom <= height;
    if (!inside || query.roi_width < 1 || query.roi_height < 1)
        fail(LOCATOR_ERROR_ARGUMENT, "the roi (x ", query.roi_x, ", y ", query.roi_y, ", width ",
             query.roi_width, ", height ", query.roi_height,
             ") does not lie within the picture of ", width, " x ", height, " pixels");
    return {query.roi_x, query.roi_y, query.roi_width, query.roi_height};
}

}  // namespace

View::View(int picture_width, int picture_height, const locator_query& query)
    : picture_width_(picture_width),
      picture_height_(picture_height),
      part_(part_of(picture_width, picture_height, query)),
      letterbox_(part_.width, part_.height),
      oversized_(!has_roi(query) &&
                 std::min(letterbox_.scale_x(), letterbox_.scale_y()) < kSmallScale) {}

void View::render(const cv::Mat& picture_bgr, cv::Mat& canvas) const {
    letterbox_.render(picture_bgr(part_), canvas);
}

Point View::to_picture(Point canvas) const {
    const Point point = letterbox_.to_picture(canvas);
    return {part_.x + point.x, part_.y + point.y};
}

bool View::contains(double x, double y) const {
    return part_.x - 0.5 <= x && x < part_.x + part_.width - 0.5 &&  //
           part_.y - 0.5 <= y && y < part_.y + part_.height - 0.5;
}

}  // namespace locator::internal
