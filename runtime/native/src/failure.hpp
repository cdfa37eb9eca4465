// The one exception inside the library, and the texts of it.
#pragma once

#include <locator/locator.h>

#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>

namespace locator::internal {

// Every failure on purpose: a status and one line saying what is wrong and what to do.
class Failure : public std::runtime_error {
public:
    Failure(locator_status status, const std::string& text)
        : std::runtime_error(text), status_(status) {}

    locator_status status() const noexcept { return status_; }

private:
    locator_status status_;
};

// The parts, one after the other.
template <typename... Parts>
std::string joined(const Parts&... parts) {
    std::ostringstream text;
    text.imbue(std::locale::classic());  // the host's would group digits its own way
    (text << ... << parts);
    return text.str();
}

template <typename... Parts>
[[noreturn]] void fail(locator_status status, const Parts&... parts) {
    throw Failure(status, joined(parts...));
}

}  // namespace locator::internal
