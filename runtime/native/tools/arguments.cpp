#include "arguments.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace locate {

const char* const kHelp =
    R"(usage: locate [--json] [--roi X,Y,W,H] [--display-width W] [--precision P] [--device D]
              [--threads N] [--cache-dir DIR] [--bundle DIR] PATH...

Locates the gap and the piece in slider-puzzle pictures: the lines of `locator predict`.

  PATH                 a picture, a folder of them, or - for the standard input
  --json               print a JSON object a picture
  --roi X,Y,W,H        where the puzzle is in every picture, pixels
  --display-width W    how wide the pictures are shown; the distance is then for that size
  --precision P        int8 (default) or fp32
  --device D           cpu (default), gpu, ...
  --threads N          threads of one inference (default: this machine's best cores)
  --cache-dir DIR      keep the compiled network there, for quicker starts
  --bundle DIR         use your own bundle
  --help, --version

exit code: 0 every picture could be read, however sure the answers are; 2 a picture, an argument or
the bundle could not be used: standard error says which and why, every other picture was answered
)";

namespace {

std::optional<int> whole_number(std::string_view text) {
    int value = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stopped != end) return std::nullopt;
    return value;
}

int threads_in(const std::string& text) {
    const auto value = whole_number(text);
    if (!value || *value < 1) throw UsageError("expected at least 1 thread, got '" + text + "'");
    return *value;
}

double width_in(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(value > 0 && value <= 1e9))
        throw UsageError("expected a display width above 0 and at most 1e9, got '" + text + "'");
    return value;
}

locator::Roi roi_in(const std::string& text) {
    locator::Roi roi;
    std::array<char, 3> commas{};
    std::istringstream numbers(text);
    numbers >> roi.x >> commas[0] >> roi.y >> commas[1] >> roi.width >> commas[2] >> roi.height;
    const bool complete = numbers && numbers.peek() == std::istringstream::traits_type::eof();
    if (!complete || commas != std::array{',', ',', ','})
        throw UsageError("expected four whole numbers X,Y,W,H, got '" + text + "'");
    return roi;
}

// Whether the word is a flag, which it then sets.
bool set_flag(const std::string& word, Arguments& arguments) {
    if (word == "--json") {
        arguments.json = true;
    } else if (word == "--help" || word == "-h") {
        arguments.help = true;
    } else if (word == "--version") {
        arguments.version = true;
    } else {
        return false;
    }
    return true;
}

void set_option(const std::string& name, const std::string& value, Arguments& arguments) {
    if (name == "--roi") {
        arguments.query.roi = roi_in(value);
    } else if (name == "--display-width") {
        arguments.query.display_width = width_in(value);
    } else if (name == "--precision") {
        arguments.options.precision = value;
    } else if (name == "--device") {
        arguments.options.device = value;
    } else if (name == "--threads") {
        arguments.options.threads = threads_in(value);
    } else if (name == "--cache-dir") {
        arguments.options.cache_dir = value;
    } else if (name == "--bundle") {
        arguments.bundle = value;
    } else {
        throw UsageError("unknown option " + name);
    }
}

}  // namespace

Arguments parse(const std::vector<std::string>& words) {
    Arguments arguments;
    bool options = true;
    for (auto word = words.begin(); word != words.end(); ++word) {
        if (!options || *word == "-" || word->compare(0, 1, "-") != 0) {
            arguments.paths.push_back(*word);
        } else if (*word == "--") {
            options = false;
        } else if (!set_flag(*word, arguments)) {
            const auto equals = word->find('=');
            const std::string name = word->substr(0, equals);
            if (equals != std::string::npos) {
                set_option(name, word->substr(equals + 1), arguments);
            } else if (word + 1 != words.end()) {
                set_option(name, *++word, arguments);
            } else {
                throw UsageError("expected a value after " + name);
            }
        }
    }
    if (arguments.paths.empty() && !arguments.help && !arguments.version)
        throw UsageError("expected a picture, a folder of pictures, or -");
    return arguments;
}

}  // namespace locate
