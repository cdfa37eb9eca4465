// Default threads, on machines described by their sysfs files.
#include "cpus.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <map>
#include <set>
#include <string>

#include "folder.hpp"

namespace {

using locator::internal::default_threads;
using locator::internal::usable_cores;

using Files = std::map<std::string, std::string>;
const std::set<int> kEight{0, 1, 2, 3, 4, 5, 6, 7};

int cores(const std::set<int>& allowed, const Files& files) {
    const Folder root;
    for (const auto& [name, text] : files) root.write(name, text + "\n");
    return usable_cores(allowed, root.path());
}

std::string cpu_file(int cpu, const std::string& name) {
    return "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/" + name;
}

// Cores of two hardware threads each, then cores of one.
Files siblings(int doubles, int singles) {
    Files files;
    for (int core = 0; core < doubles; ++core)
        for (int cpu = 2 * core; cpu < 2 * core + 2; ++cpu)
            files[cpu_file(cpu, "topology/thread_siblings_list")] =
                std::to_string(2 * core) + "-" + std::to_string(2 * core + 1);
    for (int cpu = 2 * doubles; cpu < 2 * doubles + singles; ++cpu)
        files[cpu_file(cpu, "topology/thread_siblings_list")] = std::to_string(cpu);
    return files;
}

TEST(Cpus, SecondThreadsAreNotCounted) {
    EXPECT_EQ(cores({0, 1, 2}, {}), 3);
    EXPECT_EQ(cores({0, 1, 2, 3}, siblings(2, 0)), 2);
    EXPECT_EQ(cores({1, 2, 3}, siblings(2, 0)), 2);
}

TEST(Cpus, SlowCoresAreNotCounted) {
    Files hybrid = siblings(4, 8);  // an i5-1240P: four cores of two threads, eight slow ones
    hybrid["sys/devices/cpu_core/cpus"] = "0-7";
    EXPECT_EQ(cores({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, hybrid), 4);
    EXPECT_EQ(cores({0, 2, 9, 10}, hybrid), 2);
    EXPECT_EQ(cores({9, 10, 11}, hybrid), 3);
    const Files arm{{cpu_file(0, "cpu_capacity"), "1024"},
                    {cpu_file(1, "cpu_capacity"), "870"},
                    {cpu_file(2, "cpu_capacity"), "250"}};
    EXPECT_EQ(cores({0, 1, 2}, arm), 2);
    EXPECT_EQ(cores({2}, arm), 1);
}

int cores_under(const std::string& groups, const Files& limits) {
    Files files{{"proc/self/cgroup", groups}};
    for (const auto& [name, text] : limits) files["sys/fs/cgroup/" + name] = text;
    return cores(kEight, files);
}

TEST(Cpus, QuotasOfEveryEnclosingGroupAreKept) {
    const std::string group = "0::/app/job";
    EXPECT_EQ(cores_under(group, {{"app/job/cpu.max", "200000 100000"}}), 2);
    EXPECT_EQ(
        cores_under(group, {{"app/job/cpu.max", "max 100000"}, {"app/cpu.max", "350000 100000"}}),
        3);
    EXPECT_EQ(
        cores_under(group, {{"app/job/cpu.max", "300000 100000"}, {"cpu.max", "150000 100000"}}),
        1);
    EXPECT_EQ(cores_under(group, {{"app/job/cpu.max", "50000 100000"}}), 1);
    EXPECT_EQ(cores_under(group, {{"app/job/cpu.max", "max 100000"}}), 8);
    EXPECT_EQ(cores_under("0::/", {{"cpu.max", "200000 100000"}}), 2);
    EXPECT_EQ(cores_under("0::/../outside", {{"cpu.max", "200000 100000"}}), 2);
}

TEST(Cpus, QuotasOfTheFirstKindOfGroups) {
    const std::string groups = "3:cpuset:/\n2:cpu,cpuacct:/app/job\n0::/";
    EXPECT_EQ(cores_under(groups, {{"cpu/app/job/cpu.cfs_quota_us", "400000"},
                                   {"cpu/app/job/cpu.cfs_period_us", "100000"}}),
              4);
    EXPECT_EQ(cores_under(groups,
                          {{"cpu/cpu.cfs_quota_us", "100000"}, {"cpu/cpu.cfs_period_us", "50000"}}),
              2);
    EXPECT_EQ(cores_under(groups, {{"cpu/app/job/cpu.cfs_quota_us", "-1"},
                                   {"cpu/app/job/cpu.cfs_period_us", "100000"}}),
              8);
    EXPECT_EQ(cores_under("3:cpuset:/app", {{"cpu/app/cpu.cfs_quota_us", "1"}}), 8);
}

TEST(Cpus, ThisProcessIsRespected) {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    EXPECT_GE(default_threads(), 1);
    EXPECT_LE(default_threads(), CPU_COUNT(&before));
    unsigned first = 0;
    while (!CPU_ISSET(first, &before)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(default_threads(), 1);
    ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
