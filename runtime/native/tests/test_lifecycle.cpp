// Handles come and go: nothing stays behind. Under the asan preset a leak fails at the exit.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <locator/locator.hpp>

#include "tiny_bundle.hpp"

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

double resident_mib() {
    std::ifstream statm("/proc/self/statm");
    double size = 0;
    double resident = 0;
    statm >> size >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

locator::Options one_thread() {
    locator::Options options;
    options.threads = 1;
    return options;
}

TEST(Lifecycle, AThousandHandlesLeaveNothing) {
    const TinyBundle bundle;
    const Puzzle puzzle(300, 90, 20, 100);
    double before = 0;
    for (int n = 0; n < 1000; ++n) {
        if (n == 200) before = resident_mib();  // by then, what is kept on purpose is there
        const locator::Locator locator(bundle.path(), one_thread());
        const auto found = locator.predict({puzzle.bgr.data(), Puzzle::kWidth, Puzzle::kHeight});
        ASSERT_EQ(found.gap.x, 300);
    }
    // A sanitizer keeps freed memory aside, and finds leaks better.
    if (!kSanitized) {
        EXPECT_LT(resident_mib() - before, 16);
    }
}

TEST(Lifecycle, HandlesDoNotShareAnything) {
    const TinyBundle bundle;
    const Puzzle puzzle(300, 90, 20, 100);
    const locator::Pixels pixels{puzzle.bgr.data(), Puzzle::kWidth, Puzzle::kHeight};
    const locator::Locator first(bundle.path(), one_thread());
    { const locator::Locator second(bundle.path(), one_thread()); }
    EXPECT_EQ(first.predict(pixels).gap.x, 300);
}

TEST(Lifecycle, ACacheFolderIsFilledAndDamageInItIsNoticed) {
    const TinyBundle bundle;
    const Folder folder;
    const Puzzle puzzle(300, 90, 20, 100);
    auto options = one_thread();
    options.cache_dir = (folder.path() / "cache").string();
    for (const bool damaged : {false, false, true, false}) {
        if (damaged)
            for (const auto& entry : std::filesystem::directory_iterator(options.cache_dir))
                std::ofstream(entry.path(), std::ios::binary) << "damaged";
        const locator::Locator locator(bundle.path(), options);
        const auto found = locator.predict({puzzle.bgr.data(), Puzzle::kWidth, Puzzle::kHeight});
        EXPECT_EQ(found.gap.x, 300);
        EXPECT_FALSE(std::filesystem::is_empty(options.cache_dir));
    }
}

}  // namespace
