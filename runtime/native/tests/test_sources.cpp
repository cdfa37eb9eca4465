#include "sources.hpp"

#include <gtest/gtest.h>

#include <locator/locator.hpp>
#include <string>
#include <vector>

#include "folder.hpp"

namespace {

using locate::expand;

TEST(Sources, AFolderStandsForItsPicturesInOrder) {
    const Folder folder;
    for (const char* name :
         {"b.png", "a.PNG", "c.bmp", "d.jpeg", "e.webp", "notes.txt", "png", "sub/f.png"})
        folder.write(name, "");
    std::vector<std::string> expected;
    for (const char* name : {"a.PNG", "b.png", "c.bmp", "d.jpeg", "e.webp"})
        expected.push_back((folder.path() / name).string());
    EXPECT_EQ(expand(folder.path().string()), expected);
    EXPECT_EQ(expand(folder.path().string() + "//./"), expected);
}

TEST(Sources, ANameStandsForItself) {
    EXPECT_EQ(expand("./none.png"), std::vector<std::string>{"none.png"});
    EXPECT_EQ(expand("a//b/../c.png"), std::vector<std::string>{"a/b/../c.png"});
}

TEST(Sources, AFolderWithoutPicturesIsNone) {
    const Folder folder;
    folder.write("notes.txt", "");
    try {
        expand(folder.path().string());
        ADD_FAILURE();
    } catch (const locator::Error& error) {
        EXPECT_EQ(error.status(), LOCATOR_ERROR_PICTURE);
        EXPECT_NE(std::string(error.what()).find("holds no pictures"), std::string::npos);
    }
}

}  // namespace
