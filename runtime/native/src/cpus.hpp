// How many CPU cores this process should use; after runtime/cpus.py.
#pragma once

#include <filesystem>
#include <set>

namespace locator::internal {

// Physical performance cores that this process may use, by its affinity and CPU quota.
int default_threads();

// Count physical performance cores among the CPUs, at most the quota and at least 1. root: the
// folder that holds `sys` and `proc`. Where no allowed CPU is a performance core, or the kernel
// does not tell, all of them count.
int usable_cores(const std::set<int>& allowed_cpus, const std::filesystem::path& root);

}  // namespace locator::internal
