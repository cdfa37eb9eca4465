// Finds the gap and the piece in slider-puzzle pictures: the C++ interface.
//
// A thin layer over locator.h, which says what everything means: it owns the handle and turns
// statuses into exceptions. Header only, so that no C++ type crosses the library's border.
#ifndef LOCATOR_LOCATOR_HPP
#define LOCATOR_LOCATOR_HPP

#include <locator/locator.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace locator {

// What every call here throws when it fails: a line saying what is wrong and what to do.
class Error : public std::runtime_error {
public:
    Error(locator_status status, const std::string& text)
        : std::runtime_error(text), status_(status) {}

    locator_status status() const noexcept { return status_; }

private:
    locator_status status_;
};

struct Options {
    std::string precision = "int8";
    std::string device = "cpu";
    int threads = 0;        // 0: as many as suit this machine
    std::string cache_dir;  // empty: none
};

// x, y, width, height in picture pixels.
struct Roi {
    int x = 0, y = 0, width = 0, height = 0;
};

struct Query {
    std::optional<Roi> roi;
    std::optional<double> display_width;
};

// A picture in memory; the pixels stay the caller's.
struct Pixels {
    const std::uint8_t* data = nullptr;
    int width = 0, height = 0;
    locator_format format = LOCATOR_BGR;
    std::size_t stride_bytes = 0;
};

using Keypoint = locator_keypoint;

struct Location {
    Keypoint gap, slider;
    double angle_deg, distance_px;
    int picture_width, picture_height;
    std::optional<double> display_width;
    bool oversized;
    std::vector<std::string> reasons;  // empty: the answer can be trusted

    bool ok() const noexcept { return reasons.empty(); }
};

namespace detail {

inline void check(locator_status status) {
    if (status != LOCATOR_OK) throw Error(status, locator_last_error());
}

// A structure of the C interface, all zero but for its size.
template <typename Struct>
Struct sized() {
    Struct made{};
    made.struct_size = sizeof(Struct);
    return made;
}

inline locator_query lowered(const Query& query) {
    auto low = sized<locator_query>();
    if (query.roi) {
        const Roi& roi = *query.roi;
        if (roi.width < 1 || roi.height < 1)
            throw Error(LOCATOR_ERROR_ARGUMENT, "expected a roi of at least 1 x 1 pixels");
        low.roi_x = roi.x;
        low.roi_y = roi.y;
        low.roi_width = roi.width;
        low.roi_height = roi.height;
    }
    if (query.display_width) {
        if (!(*query.display_width > 0))
            throw Error(LOCATOR_ERROR_ARGUMENT, "expected a display_width above 0");
        low.display_width = *query.display_width;
    }
    return low;
}

inline Location raised(const locator_location& low) {
    Location found{low.gap,         low.slider,         low.angle_deg,
                   low.distance_px, low.picture_width,  low.picture_height,
                   std::nullopt,    low.oversized != 0, {}};
    if (low.display_width > 0) found.display_width = low.display_width;
    for (int i = 0; i < low.reason_count; ++i) found.reasons.emplace_back(low.reasons[i]);
    return found;
}

}  // namespace detail

// An opened bundle. Any number of threads may call predict at the same time.
class Locator {
public:
    explicit Locator(const std::string& bundle_dir, const Options& options = {}) {
        if (locator_abi_version() != LOCATOR_ABI_VERSION)
            throw Error(LOCATOR_ERROR_ARGUMENT, "the locator library has another ABI version");
        auto low = detail::sized<locator_options>();
        low.precision = options.precision.c_str();
        low.device = options.device.c_str();
        low.threads = options.threads;
        low.cache_dir = options.cache_dir.empty() ? nullptr : options.cache_dir.c_str();
        locator_handle* handle = nullptr;
        detail::check(locator_open(bundle_dir.c_str(), &low, &handle));
        handle_.reset(handle);
    }

    Location predict(const Pixels& pixels, const Query& query = {}) const {
        auto low = detail::sized<locator_pixels>();
        low.data = pixels.data;
        low.width = pixels.width;
        low.height = pixels.height;
        low.stride_bytes = pixels.stride_bytes;
        low.format = static_cast<std::int32_t>(pixels.format);
        return answer(query, [&](const locator_query* asked, locator_location* found) {
            return locator_predict_pixels(handle_.get(), &low, asked, found);
        });
    }

    Location predict_file(const std::string& path, const Query& query = {}) const {
        return answer(query, [&](const locator_query* asked, locator_location* found) {
            return locator_predict_file(handle_.get(), path.c_str(), asked, found);
        });
    }

    // data: the bytes of a picture file.
    Location predict_bytes(const void* data, std::size_t size, const Query& query = {}) const {
        return answer(query, [&](const locator_query* asked, locator_location* found) {
            return locator_predict_bytes(handle_.get(), data, size, asked, found);
        });
    }

private:
    template <typename Call>
    Location answer(const Query& query, Call&& call) const {
        const locator_query asked = detail::lowered(query);
        auto found = detail::sized<locator_location>();
        detail::check(std::forward<Call>(call)(&asked, &found));
        return detail::raised(found);
    }

    struct Close {
        void operator()(locator_handle* handle) const noexcept { locator_close(handle); }
    };
    std::unique_ptr<locator_handle, Close> handle_;
};

}  // namespace locator

#endif
