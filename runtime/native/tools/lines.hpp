// How an answer is printed: letter for letter as `locator predict` prints it.
#pragma once

#include <locator/locator.hpp>

#include <string>

namespace locate {

// A line for people.
std::string as_text(const std::string& path, const locator::Location& location);

// A JSON object, on one line.
std::string as_json(const std::string& path, const locator::Location& location);

}  // namespace locate
