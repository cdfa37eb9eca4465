// Reading files whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>

namespace locator::internal {

// The file's first max_bytes bytes, all of it when it is shorter. Throws std::system_error.
std::string read_file(const std::filesystem::path& path,
                      std::size_t max_bytes = std::numeric_limits<std::size_t>::max());

}  // namespace locator::internal
