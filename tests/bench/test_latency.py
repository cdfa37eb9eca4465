"""The latency command on the shipped bundle: it checks answers before it believes a time."""

import dataclasses

import pytest

from bench import latency
from runtime import Bundle, Locator
from runtime.bundle import default_bundle_path


def test_percentiles_are_ordered_and_plausible() -> None:
    row = latency.measure(default_bundle_path(), "int8", threads=1, repeats=5)
    assert 0 < row.p50_ms <= row.p95_ms <= row.p99_ms < 10_000


def test_a_wrong_answer_is_not_timed() -> None:
    bundle = Bundle.open(default_bundle_path())
    golden = bundle.manifest.golden
    assert golden is not None
    shifted = {name: dict(answer) for name, answer in golden.answer.items()}
    shifted["int8"]["gap"] = {**shifted["int8"]["gap"], "x": shifted["int8"]["gap"]["x"] + 3}
    wrong = dataclasses.replace(
        bundle,
        manifest=dataclasses.replace(
            bundle.manifest, golden=dataclasses.replace(golden, answer=shifted)
        ),
    )
    with Locator("int8") as locator:
        latency.check_golden(locator, bundle, "int8")
        with pytest.raises(AssertionError, match="gap"):
            latency.check_golden(locator, wrong, "int8")


def test_the_picture_has_the_stated_size() -> None:
    assert latency.picture().shape == (latency.PICTURE_HEIGHT, latency.PICTURE_WIDTH, 3)


def test_the_speedup_is_held_against_its_target() -> None:
    fp32 = latency.Latency("fp32", 10.0, 11.0, 12.0)
    int8 = latency.Latency("int8", 4.0, 9.0, 9.0)
    assert latency.speedup(fp32, int8, "avx2-vnni").endswith(
        "2.50 times as fast as fp32; target 2.5: reached"
    )
    assert latency.speedup(fp32, int8, "none").endswith("target 2.8: missed")
