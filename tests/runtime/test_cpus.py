"""Default threads, on machines described by their sysfs files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.cpus import default_threads, usable_cores

CPU = "sys/devices/system/cpu"


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def siblings(*cores: str) -> dict[str, str]:
    """cores: each core's hardware threads as the kernel lists them, such as `0-1`."""
    files = {}
    for listed in cores:
        low, _, high = listed.partition("-")
        for cpu in range(int(low), int(high or low) + 1):
            files[f"{CPU}/cpu{cpu}/topology/thread_siblings_list"] = listed
    return files


# An i5-1240P: four cores of two threads, eight slow ones.
HYBRID = {
    **siblings("0-1", "2-3", "4-5", "6-7", *map(str, range(8, 16))),
    "sys/devices/cpu_core/cpus": "0-7",
    "sys/devices/cpu_atom/cpus": "8-15",
}


@pytest.mark.parametrize(
    ("files", "allowed", "expected"),
    [
        ({}, {0, 1, 2}, 3),
        (siblings("0-1", "2-3"), {0, 1, 2, 3}, 2),
        (siblings("0-1", "2-3"), {1, 2, 3}, 2),
        (HYBRID, set(range(16)), 4),
        (HYBRID, {0, 2, 9, 10}, 2),
        (HYBRID, {9, 10, 11}, 3),
        ({f"{CPU}/cpu{n}/cpu_capacity": c for n, c in enumerate(("1024", "870", "250"))},
         {0, 1, 2}, 2),
        ({f"{CPU}/cpu0/cpu_capacity": "250"}, {0}, 1),
    ],
)  # fmt: skip
def test_threads_and_slow_cores_are_not_counted(tmp_path, files, allowed, expected):
    assert usable_cores(allowed, machine(tmp_path, files)) == expected


V2, V1 = "0::/app/job", "3:cpuset:/\n2:cpu,cpuacct:/app/job\n0::/"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2, {"app/job/cpu.max": "200000 100000"}, 2),
        (V2, {"app/job/cpu.max": "max 100000", "app/cpu.max": "350000 100000"}, 3),
        (V2, {"app/job/cpu.max": "300000 100000", "cpu.max": "150000 100000"}, 1),
        (V2, {"app/job/cpu.max": "50000 100000"}, 1),
        (V2, {"app/job/cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/../outside", {"cpu.max": "200000 100000"}, 2),
        (V1, {"cpu/app/job/cpu.cfs_quota_us": "400000", "cpu/app/job/cpu.cfs_period_us": "100000"},
         4),
        (V1, {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}, 2),
        (V1, {"cpu/app/job/cpu.cfs_quota_us": "-1", "cpu/app/job/cpu.cfs_period_us": "100000"}, 8),
        ("3:cpuset:/app", {"cpu/app/cpu.cfs_quota_us": "1"}, 8),
    ],
)  # fmt: skip
def test_quotas_of_every_enclosing_group_are_kept(tmp_path, groups, files, expected):
    described = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    root = machine(tmp_path, {"proc/self/cgroup": groups, **described})
    assert usable_cores(set(range(8)), root) == expected


def test_a_machine_without_control_groups(tmp_path):
    assert usable_cores({0, 1}, tmp_path) == 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_this_process_is_respected():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert default_threads() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert 1 <= default_threads() <= len(before)


def test_elsewhere_every_cpu_counts(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert default_threads() == 6
