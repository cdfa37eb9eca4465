// The command line of `locate`.
#pragma once

#include <locator/locator.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace locate {

// Wrong usage; the text says what was expected.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Arguments {
    std::vector<std::string> paths;
    bool json = false, help = false, version = false;
    std::optional<std::string> bundle;
    locator::Options options;
    locator::Query query;
};

// The text of --help.
extern const char* const kHelp;

// Read the arguments after the program's name. Throws UsageError.
Arguments parse(const std::vector<std::string>& words);

}  // namespace locate
