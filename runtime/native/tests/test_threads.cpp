// One handle, many threads, and other processes.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <locator/locator.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tiny_bundle.hpp"

namespace {

constexpr int kThreads = 8;
constexpr int kRounds = 100;

TEST(Threads, EachGetsTheAnswersToItsOwnPictures) {
    const TinyBundle bundle;
    locator::Options options;
    options.threads = 1;
    const locator::Locator locator(bundle.path(), options);
    std::atomic<int> wrong{0};
    std::atomic<int> answered{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < kThreads; ++number)
        threads.emplace_back([&, number] {
            for (int round = 0; round < kRounds; ++round) {
                const int x = 100 + 40 * number + round % 40;
                const Puzzle puzzle(x, 10 * number + 5, 20 + number, round + 9);
                const auto found =
                    locator.predict({puzzle.bgr.data(), Puzzle::kWidth, Puzzle::kHeight});
                const bool right = found.gap.x == x && found.gap.y == 10 * number + 5 &&
                                   found.slider.x == 20 + number && found.slider.y == round + 9;
                wrong += right ? 0 : 1;
                ++answered;
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(answered, kThreads * kRounds);
    EXPECT_EQ(wrong, 0);
}

TEST(Threads, EachHasItsOwnLastError) {
    const TinyBundle bundle;
    const locator::Locator locator(bundle.path());
    EXPECT_THROW(locator.predict_file("mine.png"), locator::Error);
    std::string others = "unset";
    std::thread([&] { others = locator_last_error(); }).join();
    EXPECT_EQ(others, "");
    std::thread([&] {
        EXPECT_THROW(locator.predict_file("theirs.png"), locator::Error);
        others = locator_last_error();
    }).join();
    EXPECT_NE(others.find("theirs.png"), std::string::npos);
    EXPECT_NE(std::string(locator_last_error()).find("mine.png"), std::string::npos);
}

TEST(Threads, AForkedProcessIsToldToOpenItsOwn) {
    const TinyBundle bundle;
    const locator::Locator locator(bundle.path());
    const Puzzle puzzle(300, 90, 20, 100);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        int code = 1;
        try {
            locator.predict({puzzle.bgr.data(), Puzzle::kWidth, Puzzle::kHeight});
        } catch (const locator::Error& error) {
            const bool told = std::string(error.what()).find("forked") != std::string::npos;
            code = error.status() == LOCATOR_ERROR_BACKEND && told ? 0 : 2;
        }
        _exit(code);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
