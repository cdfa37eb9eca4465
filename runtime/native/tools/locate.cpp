// The `locate` command: pictures in, the lines of `locator predict` out.
#include <algorithm>
#include <exception>
#include <iostream>
#include <locator/locator.hpp>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "lines.hpp"
#include "sources.hpp"

namespace {

constexpr int kOk = 0;
constexpr int kFailed = 2;
constexpr auto kStandardInput = "-";

int complain(const std::exception& error) {
    std::cerr << "locate: error: " << error.what() << std::endl;
    return kFailed;
}

// The names of all pictures, each once, in order; code becomes kFailed where an argument has none.
std::vector<std::string> names_of(const std::vector<std::string>& arguments, int& code) {
    std::vector<std::string> names;
    for (const std::string& argument : arguments) {
        try {
            const auto found = argument == kStandardInput ? std::vector<std::string>{argument}
                                                          : locate::expand(argument);
            for (const std::string& name : found)
                if (std::find(names.begin(), names.end(), name) == names.end())
                    names.push_back(name);
        } catch (const locator::Error& error) {
            code = complain(error);
        }
    }
    return names;
}

locator::Location predict(const locator::Locator& locator, const std::string& name,
                          const locator::Query& query) {
    if (name != kStandardInput) return locator.predict_file(name, query);
    std::string data(LOCATOR_MAX_FILE_BYTES + 1, '\0');  // too large a picture is refused as such
    std::cin.read(data.data(), static_cast<std::streamsize>(data.size()));
    return locator.predict_bytes(data.data(), static_cast<std::size_t>(std::cin.gcount()), query);
}

void print(const std::string& name, const locator::Location& location, bool json) {
    std::cout << (json ? locate::as_json(name, location) : locate::as_text(name, location))
              << std::endl;
    if (location.oversized)
        std::cerr
            << "locate: warning: " << name << ": " << location.picture_width << " x "
            << location.picture_height
            << " pixels are much more than a puzzle has: if it is a screenshot, say where the "
               "puzzle is (roi)"
            << std::endl;
}

int run(const locate::Arguments& arguments) {
    int code = kOk;
    const std::vector<std::string> names = names_of(arguments.paths, code);
    if (names.empty()) return code;
    const locator::Locator locator(arguments.bundle.value_or(locate::shipped_bundle().string()),
                                   arguments.options);
    for (const std::string& name : names) {
        try {
            print(name, predict(locator, name, arguments.query), arguments.json);
        } catch (const locator::Error& error) {
            code = complain(error);
        }
    }
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const locate::Arguments arguments = locate::parse({argv + 1, argv + argc});
        if (arguments.help) {
            std::cout << locate::kHelp;
        } else if (arguments.version) {
            std::cout << "locate " << locator_version() << '\n';
        } else {
            return run(arguments);
        }
        return kOk;
    } catch (const std::exception& error) {
        return complain(error);
    }
}
