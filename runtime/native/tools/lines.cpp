#include "lines.hpp"

#include <array>
#include <charconv>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

namespace locate {

namespace {

std::string fixed(double value, int decimals) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(decimals) << value;
    return text.str();
}

std::string point_text(const locator::Keypoint& point) {
    return "(" + fixed(point.x, 1) + ", " + fixed(point.y, 1) + ") score " + fixed(point.score, 2);
}

// The shortest text that reads back as the same number, laid out as Python does.
std::string number(double value) {
    std::array<char, 32> buffer{};
    auto written =
        std::to_chars(buffer.begin(), buffer.end(), value, std::chars_format::scientific);
    std::string scientific(buffer.begin(), written.ptr);
    const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
    if (exponent < -4 || exponent >= 16) return scientific;
    written = std::to_chars(buffer.begin(), buffer.end(), value, std::chars_format::fixed);
    const std::string plain(buffer.begin(), written.ptr);
    return plain.find('.') == std::string::npos ? plain + ".0" : plain;
}

// In ASCII; bytes that are no UTF-8 become U+FFFD.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string list(const std::vector<std::string>& texts) {
    std::string joined;
    for (const std::string& text : texts) joined += (joined.empty() ? "" : ", ") + quoted(text);
    return "[" + joined + "]";
}

std::string point_json(const locator::Keypoint& point) {
    return R"({"x": )" + number(point.x) + R"(, "y": )" + number(point.y) + R"(, "score": )" +
           number(point.score) + R"(, "rival": )" + number(point.rival) + "}";
}

}  // namespace

std::string as_text(const std::string& path, const locator::Location& location) {
    std::string angle = fixed(location.angle_deg, 1);
    if (angle == "-0.0") angle = "0.0";
    std::string verdict = location.ok() ? "ok" : "not sure: ";
    for (std::size_t i = 0; i < location.reasons.size(); ++i)
        verdict += (i == 0 ? "" : "; ") + location.reasons[i];
    return path + ": gap " + point_text(location.gap) + ", slider " + point_text(location.slider) +
           ", angle " + angle + " deg, distance " + fixed(location.distance_px, 1) + " px, " +
           verdict;
}

std::string as_json(const std::string& path, const locator::Location& location) {
    const auto& shown = location.display_width;
    return R"({"path": )" + quoted(path) +                          //
           R"(, "ok": )" + (location.ok() ? "true" : "false") +     //
           R"(, "reasons": )" + list(location.reasons) +            //
           R"(, "gap": )" + point_json(location.gap) +              //
           R"(, "slider": )" + point_json(location.slider) +        //
           R"(, "angle_deg": )" + number(location.angle_deg) +      //
           R"(, "distance_px": )" + number(location.distance_px) +  //
           R"(, "picture_width": )" + std::to_string(location.picture_width) +
           R"(, "picture_height": )" + std::to_string(location.picture_height) +
           R"(, "display_width": )" + (shown ? number(*shown) : "null") + "}";
}

}  // namespace locate
