#include "cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "files.hpp"

namespace locator::internal {

namespace {

namespace fs = std::filesystem;

std::optional<std::string> text_of(const fs::path& path) {
    try {
        std::string text = read_file(path);
        const auto last = text.find_last_not_of(" \n");
        text.erase(last == std::string::npos ? 0 : last + 1);
        return text;
    } catch (const std::system_error&) {
        return std::nullopt;
    }
}

// The number that the text is, all of it.
std::optional<int> number_in(std::string_view text) {
    int value = 0;
    const auto* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stopped != end) return std::nullopt;
    return value;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

// `0-3,8` -> {0, 1, 2, 3, 8}.
std::set<int> parse_cpus(const std::string& listed) {
    std::set<int> cpus;
    for (const std::string& part : split(listed, ',')) {
        const auto dash = part.find('-');
        const auto low = number_in(std::string_view(part).substr(0, dash));
        const auto high =
            dash == std::string::npos ? low : number_in(std::string_view(part).substr(dash + 1));
        for (int cpu = low.value_or(0); low && high && cpu <= *high; ++cpu) cpus.insert(cpu);
    }
    return cpus;
}

std::set<int> performance_cpus(const std::set<int>& allowed, const fs::path& root) {
    std::set<int> found;
    if (const auto listed = text_of(root / "sys/devices/cpu_core/cpus")) {
        // Intel processors of two kinds of cores.
        const std::set<int> cores = parse_cpus(*listed);
        std::set_intersection(cores.begin(), cores.end(), allowed.begin(), allowed.end(),
                              std::inserter(found, found.end()));
        return found;
    }
    for (const int cpu : allowed) {  // ARM processors; 1024 is the machine's fastest core
        const auto path = root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu));
        const auto capacity = number_in(text_of(path / "cpu_capacity").value_or("1024"));
        // Three kinds of cores are common: the middle one is fast too, the small one is not.
        if (capacity.value_or(1024) >= 512) found.insert(cpu);
    }
    return found;
}

// Something that the hardware threads of one core have in common.
std::string core_of(int cpu, const fs::path& root) {
    const auto path = root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu));
    return text_of(path / "topology/thread_siblings_list").value_or(std::to_string(cpu));
}

// CPUs' worth of time that one control group's files grant; nothing when they set no limit.
std::optional<double> quota_of(const fs::path& group, const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names)
        text += (text.empty() ? "" : " ") + text_of(group / name).value_or("");
    const auto space = text.find(' ');
    if (space == std::string::npos) return std::nullopt;
    const auto quota = number_in(std::string_view(text).substr(0, space));
    const auto period = number_in(std::string_view(text).substr(space + 1));
    // Unlimited is `max` or -1.
    if (!quota || !period || *quota < 0 || *period < 1) return std::nullopt;
    return static_cast<double>(*quota) / *period;
}

// The smallest quota of the control groups around this process, at most `most`.
double smallest_quota(double most, const fs::path& root) {
    for (const std::string& line : split(text_of(root / "proc/self/cgroup").value_or(""), '\n')) {
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        fs::path mount = root / "sys/fs/cgroup";
        std::vector<std::string> names{"cpu.max"};
        if (const std::string controllers = line.substr(first + 1, second - first - 1);
            !controllers.empty()) {
            const auto listed = split(controllers, ',');
            if (std::find(listed.begin(), listed.end(), "cpu") == listed.end()) continue;
            mount /= "cpu";
            names = {"cpu.cfs_quota_us", "cpu.cfs_period_us"};
        }
        // Inside a container the outer groups' names may show, though not their folders.
        fs::path group = mount;
        most = std::min(most, quota_of(group, names).value_or(most));
        for (const fs::path& part : fs::path(line.substr(second + 1)).relative_path()) {
            group /= part;
            most = std::min(most, quota_of(group, names).value_or(most));
        }
    }
    return most;
}

}  // namespace

int default_threads() {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    std::set<int> allowed;
    if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(static_cast<unsigned>(cpu), &mask)) allowed.insert(cpu);
    }
    return usable_cores(allowed, "/");
}

int usable_cores(const std::set<int>& allowed_cpus, const fs::path& root) {
    std::set<int> performance = performance_cpus(allowed_cpus, root);
    if (performance.empty()) performance = allowed_cpus;
    std::set<std::string> cores;
    for (const int cpu : performance) cores.insert(core_of(cpu, root));
    return std::max(1, static_cast<int>(smallest_quota(static_cast<double>(cores.size()), root)));
}

}  // namespace locator::internal
