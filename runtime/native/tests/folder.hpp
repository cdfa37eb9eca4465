// A folder of its own for a test, gone at the end, and reading and writing files.
#pragma once

#include <filesystem>
#include <string>

class Folder {
public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    Folder(Folder&&) = delete;
    Folder& operator=(Folder&&) = delete;

    const std::filesystem::path& path() const { return path_; }

    // Write a file, and the folders it needs, below this one; returns its path.
    std::filesystem::path write(const std::string& name, const std::string& content) const;

private:
    std::filesystem::path path_;
};

std::string content_of(const std::filesystem::path& path);
