"""How many CPU cores this process should use: engines count what the machine has instead."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

_ROOT = Path("/")


def default_threads() -> int:
    """Physical performance cores that this process may use, by its affinity and CPU quota.

    A second thread on a core, or one on a slower core, makes one inference slower rather than
    faster. The distinctions are known on Linux; elsewhere these are all CPUs of the machine.
    """
    if hasattr(os, "sched_getaffinity"):
        return usable_cores(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_cores(allowed_cpus: Collection[int], root: Path = _ROOT) -> int:
    """Count physical performance cores among the CPUs, at most the quota and at least 1.

    root: the folder that holds `sys` and `proc`. Where no allowed CPU is a performance core, or
    the kernel does not tell, all of them count.
    """
    performance = _performance_cpus(allowed_cpus, root) or allowed_cpus
    cores = {_core_of(cpu, root) for cpu in performance}
    return max(1, int(min([len(cores), *_quotas(root)])))


def _performance_cpus(allowed_cpus: Collection[int], root: Path) -> set[int]:
    listed = _text(root / "sys/devices/cpu_core/cpus")  # Intel processors of two kinds of cores
    if listed is not None:
        return _parse_cpus(listed).intersection(allowed_cpus)
    capacities = {  # ARM processors; 1024 is the machine's fastest core
        cpu: int(_text(root / f"sys/devices/system/cpu/cpu{cpu}/cpu_capacity") or 1024)
        for cpu in allowed_cpus
    }
    # Three kinds of cores are common: the middle one is fast too, the small one is not.
    return {cpu for cpu, capacity in capacities.items() if capacity >= 512}


def _core_of(cpu: int, root: Path) -> str:
    """Something that the hardware threads of one core have in common."""
    siblings = root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    return _text(siblings) or str(cpu)


def _quotas(root: Path) -> Iterator[float]:
    """CPUs' worth of time that each control group around this process grants."""
    names: tuple[str, ...]
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            mount, names = root / "sys/fs/cgroup", ("cpu.max",)
        elif "cpu" in controllers.split(","):
            mount, names = root / "sys/fs/cgroup/cpu", ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        else:
            continue
        # Inside a container the outer groups' names may show, though not their folders.
        path = mount / group.lstrip("/")
        for folder in (path, *path.parents):
            text = " ".join(_text(folder / name) or "" for name in names)
            quota, _, period = text.partition(" ")
            if quota.isdigit() and period.isdigit():  # unlimited is `max` or -1
                yield int(quota) / int(period)
            if folder == mount:
                break


def _parse_cpus(listed: str) -> set[int]:
    """`0-3,8` -> {0, 1, 2, 3, 8}."""
    ranges = (part.partition("-") for part in listed.split(",") if part)
    return {cpu for low, _, high in ranges for cpu in range(int(low), int(high or low) + 1)}


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
