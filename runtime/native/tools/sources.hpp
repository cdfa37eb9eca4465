// Which pictures the command line means.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace locate {

// The files that a file name or a folder stands for; a folder for the pictures directly in it,
// sorted. A plain name is returned whether or not it exists. Throws locator::Error (PICTURE) for a
// folder that cannot be read or holds no pictures.
std::vector<std::string> expand(const std::string& argument);

// The shipped bundle of the installation that this program belongs to.
std::filesystem::path shipped_bundle();

}  // namespace locate
