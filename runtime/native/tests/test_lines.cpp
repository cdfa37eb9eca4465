// The printed lines. What Python prints for the same answers is compared in tests/native.
#include "lines.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "arguments.hpp"

namespace {

using locate::as_json;
using locate::as_text;
using locate::parse;
using locator::Location;

Location sample() {
    return {{1.25, -0.04, 0.125, 1e-5},
            {100, 1e16, 0.996, 0},
            -0.04,
            -98.75,
            340,
            190,
            std::nullopt,
            false,
            {}};
}

TEST(Lines, AnAnswerToTrust) {
    EXPECT_EQ(as_text("a.png", sample()),
              "a.png: gap (1.2, -0.0) score 0.12, slider (100.0, 10000000000000000.0) score 1.00, "
              "angle 0.0 deg, distance -98.8 px, ok");
    EXPECT_EQ(as_json("a.png", sample()),
              R"({"path": "a.png", "ok": true, "reasons": [], )"
              R"("gap": {"x": 1.25, "y": -0.04, "score": 0.125, "rival": 1e-05}, )"
              R"("slider": {"x": 100.0, "y": 1e+16, "score": 0.996, "rival": 0.0}, )"
              R"("angle_deg": -0.04, "distance_px": -98.75, "picture_width": 340, )"
              R"("picture_height": 190, "display_width": null})");
}

TEST(Lines, AnAnswerNotToTrust) {
    Location location = sample();
    location.reasons = {"nothing found", "gap \"x\""};
    location.display_width = 170.5;
    EXPECT_NE(as_text("a", location).find(", not sure: nothing found; gap \"x\""),
              std::string::npos);
    const std::string json = as_json("a", location);
    EXPECT_NE(json.find(R"("ok": false, "reasons": ["nothing found", "gap \"x\""])"),
              std::string::npos);
    EXPECT_NE(json.find(R"("display_width": 170.5})"), std::string::npos);
}

TEST(Lines, PathsAreEscaped) {
    const auto path = [](const std::string& name) {
        const std::string json = as_json(name, sample());
        return json.substr(9, json.find(", \"ok\"") - 9);
    };
    EXPECT_EQ(path("b\u00fcro \"1\"\\\n"), R"("b\u00fcro \"1\"\\\n")");
    EXPECT_EQ(path("\U0001F600"), R"("\ud83d\ude00")");
    EXPECT_EQ(path("\xff"), R"("\ufffd")");
}

TEST(Lines, NumbersReadBackAsThemselves) {
    for (const double value :
         {0.1, 1.0 / 3, 229.26287841796875, 1e-4, 9.9999e-5, 1e15, 123456789.125,
          std::nextafter(100.0, 0.0), 5e-324, 1.7976931348623157e308}) {
        Location location = sample();
        location.gap.x = value;
        EXPECT_EQ(nlohmann::json::parse(as_json("a", location))["gap"]["x"], value);
    }
}

TEST(Arguments, AllOfThem) {
    const auto found = parse({"--json", "--roi", "1,2,3,4", "a.png", "--display-width=260.5",
                              "--precision", "fp32", "--device", "gpu", "--threads", "2",
                              "--cache-dir", "c", "--bundle", "b", "-", "--", "--x"});
    EXPECT_TRUE(found.json);
    ASSERT_TRUE(found.query.roi);
    EXPECT_EQ(found.query.roi->x, 1);
    EXPECT_EQ(found.query.roi->height, 4);
    EXPECT_EQ(found.query.display_width, 260.5);
    EXPECT_EQ(found.options.precision, "fp32");
    EXPECT_EQ(found.options.device, "gpu");
    EXPECT_EQ(found.options.threads, 2);
    EXPECT_EQ(found.options.cache_dir, "c");
    EXPECT_EQ(found.bundle, "b");
    EXPECT_EQ(found.paths, (std::vector<std::string>{"a.png", "-", "--x"}));
}

TEST(Arguments, WrongOnes) {
    const std::vector<std::vector<std::string>> wrong{
        {},
        {"--json"},
        {"a", "--roi"},
        {"a", "--roi", "1,2,3"},
        {"a", "--roi", "1,2,3,4,"},
        {"a", "--roi", "1,2,3,x"},
        {"a", "--roi", ""},
        {"a", "--threads", "0"},
        {"a", "--threads", "two"},
        {"a", "--display-width", "0"},
        {"a", "--display-width", "nan"},
        {"a", "--display-width", "9px"},
        {"a", "--what"},
        {"a", "--what", "3"},
    };
    for (const auto& words : wrong) EXPECT_THROW(parse(words), locate::UsageError);
    EXPECT_TRUE(parse({"--help"}).help);
    EXPECT_TRUE(parse({"--version"}).version);
}

}  // namespace
