"""Reports on results made up here; and what the README quotes."""

import copy
import json
from pathlib import Path

import pytest

from bench import report
from bench.results import Results
from train.readme import with_part

ROOT = Path(__file__).parents[2]


def _predict(precision: str, cap: str, p50_ms: float, **options: object) -> dict:
    return {
        "subject": "predict",
        "cap": cap,
        "options": {"precision": precision, "backend": "openvino", "threads": 2, **options},
        "facts": {},
        "p50_ms": p50_ms,
        "p95_ms": p50_ms + 1,
        "p99_ms": p50_ms + 2,
    }


def _share(value: float) -> dict:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


GROUP = {
    "pictures": 10,
    "mae_px": {"value": 2.0, "low": 1.0, "high": 3.0},
    **{f"accuracy_{px}px": _share(0.9) for px in (1, 3, 5, 10)},
}
LIMIT = {
    "peak_gmacs_per_s": 100.0,
    "macs": 10**9,
    "bytes": 2**20,
    "convolutions_ms": 2.0,
    "gmacs_per_s": 50.0,
    "fraction_of_peak": 0.5,
    "slowest": [{"name": "a", "ms": 1.0, "macs": 10**6, "bytes": 10, "gmacs_per_s": 1.0}],
}
LOAD = {"per_second": 100.0, "p50_ms": 3.0, "p99_ms": 9.0}
ROWS = {
    "int8": _predict("int8", "none", 4.0),
    "int8 capped": _predict("int8", "avx2-vnni", 7.0),
    "fp32": _predict("fp32", "none", 12.0),
    "wide": _predict("int8", "none", 40.0, width=1920, height=1080),
    "speedup": {"subject": "speedup", "cap": "none", "times_faster": 3.0, "p50_ms": 4.0},
    "overhead": {"subject": "overhead", "beyond_engine_ms": 0.3, "p50_ms": 4.0},
    "peer": {"subject": "peer", "peer": "fp32-torch", "times_ours": 11.0}
    | {"p50_ms": 44.0, "p95_ms": 45.0, "p99_ms": 46.0},
    "gone": {
        "subject": "peer",
        "peer": "int8-onnxruntime",
        "cannot_run": "no wheel",
        "p50_ms": 0.0,
    },
    "accuracy": {
        "subject": "accuracy",
        "precision": "int8",
        "backend": "openvino",
        "testset": "fixed-procedural",
        "pictures": 10,
        "points": {
            name: dict.fromkeys(("all", "normal", "confusing", "rotated", "noise"), GROUP)
            for name in ("gap", "slider", "both")
        },
        "angle_error_deg": 1.5,
        "p50_ms": 4.0,
    },
    "capacity": {"subject": "capacity", "rows": [LOAD | {"threads": 2, "callers": 1}]}
    | {"p50_ms": 3.0},
    "loaded": {"subject": "loaded", "rows": [LOAD | {"share": 0.5}], "p50_ms": 3.0},
    "limit": {"subject": "limit", "cap": "avx2-vnni", "int8": LIMIT, "fp32": LIMIT, "p50_ms": 2.0},
}
MACHINE = {
    "processor": "Some CPU",
    "cores": 2,
    "memory_gib": 8,
    "instructions": ["avx2"],
    "system": "Linux",
    "packages": {"openvino": "1"},
    "bundle_sha256": "ab" * 32,
}


@pytest.fixture
def plugin_json(tmp_path) -> Path:
    """What pytest-benchmark writes, as far as it is read."""
    benchmarks = [
        {"name": name, "extra_info": row, "stats": {"data": [row["p50_ms"] / 1e3] * 3}}
        for name, row in ROWS.items()
    ]
    path = tmp_path / "results.json"
    document = {"machine_info": MACHINE, "datetime": "2026-01-02T03", "benchmarks": benchmarks}
    path.write_text(json.dumps(document))
    return path


def _verdicts(results: Results) -> dict[tuple[str, str, str], tuple[float | None, str]]:
    return {
        (one.target.metric, one.target.on, one.precision): (one.value, one.verdict)
        for one in results.judged()
        if one.target.difficulty is None
    }


def test_targets_are_judged_where_the_machine_is_of_their_class(plugin_json):
    found = _verdicts(Results.read(plugin_json))
    assert found["predict_ms", "i5-1240P", "int8"] == (None, "unknown")
    assert found["predict_ms", "RTX 3050", "fp16"] == (None, "unknown")
    assert found["predict_ms", "2-threads", "int8"] == (4.0, "met")
    assert found["predict_ms", "avx2-vnni-2-threads", "int8"] == (7.0, "missed")
    assert found["times_faster_than_fp32", "2-threads", "int8"] == (3.0, "met")
    assert found["times_faster_than_fp32", "avx2-vnni-2-threads", "int8"] == (None, "unknown")
    assert found["times_faster_than_fp32_torch", "2-threads", "int8"] == (11.0, "met")
    assert found["predict_beyond_engine_ms", "2-threads", "int8"] == (0.3, "met")
    assert found["fraction_of_peak", "avx2-vnni-2-threads", "int8"] == (0.5, "met")
    assert found["mae_px", "anywhere", "int8"] == (2.0, "met")
    assert found["accuracy_5px", "anywhere", "int8"] == (0.9, "missed")
    assert found["angle_error_deg", "anywhere", "int8"] == (1.5, "met")
    assert found["mae_px", "anywhere", "fp32"] == (None, "unknown")
    named = Results.read(plugin_json)
    named.machine["processor"] = "12th Gen Intel(R) Core(TM) i5-1240P"
    assert _verdicts(named)["predict_ms", "i5-1240P", "int8"] == (4.0, "met")


def test_a_missed_target_is_exit_code_1(plugin_json, capsys):
    assert report.main([str(plugin_json), "--check"]) == 1
    assert "predict_ms avx2-vnni-2-threads int8 ≤ 6 ≤ 4 7 missed" in capsys.readouterr().out
    document = json.loads(plugin_json.read_text())
    kept = {"int8", "speedup", "overhead", "peer"}
    document["benchmarks"] = [one for one in document["benchmarks"] if one["name"] in kept]
    plugin_json.write_text(json.dumps(document))
    assert report.main([str(plugin_json), "--check"]) == 0


def test_a_report_is_written_and_read_again(plugin_json, tmp_path, capsys):
    assert report.main([str(plugin_json), "-o", str(tmp_path / "docs")]) == 0
    text = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "| int8 | openvino | 2 | none | 4.00 | 5.00 | 6.00 |" in text
    assert "| 1920×1080 | 40.00 | 41.00 | 42.00 |" in text
    assert "| int8-onnxruntime |  |  |  | cannot run: no wheel |" in text
    assert "| int8 | openvino | gap | 2.00 (1.00–3.00) | 90.0% (89.0%–91.0%)" in text
    for name in ("latencies", "pareto", "scaling", "roofline"):
        assert f"![bench-{name}.png](figures/bench-{name}.png)" in text
        assert (tmp_path / "docs" / "figures" / f"bench-{name}.png").stat().st_size > 5000
    kept = Results.read(tmp_path / "docs" / "benchmarks.json")
    assert all("times_s" not in row for row in kept.rows)
    assert _verdicts(kept) == _verdicts(Results.read(plugin_json))
    again = report.markdown(kept, tmp_path / "docs" / report.FRONTIER)
    assert text.startswith(again.rstrip())
    assert "## Which network" not in text, "candidates timed elsewhere are another machine's"
    capsys.readouterr()


def test_a_slower_run_is_told_from_noise(plugin_json, tmp_path, capsys):
    document = json.loads(plugin_json.read_text())
    slower = copy.deepcopy(document)
    for one in slower["benchmarks"]:
        one["extra_info"]["p50_ms"] *= {"int8": 1.2, "fp32": 1.5, "wide": 0.5}.get(one["name"], 1)
        one["extra_info"]["noise"] = 0.15 if one["name"] == "int8" else 0.0
    new = tmp_path / "new.json"
    new.write_text(json.dumps(slower))
    assert report.main([str(new), "--compare", str(plugin_json)]) == 1
    out = capsys.readouterr().out
    assert "| fp32 | 12.00 | 18.00 | 1.50 | 1.10 | slower |" in out
    assert "| wide | 40.00 | 20.00 | 0.50 | 1.10 | faster |" in out
    assert "| int8 | 4.00 | 4.80 | 1.20 | 1.25 |  |" in out
    assert report.main([str(plugin_json), "--compare", str(plugin_json)]) == 0
    slower["machine_info"]["processor"] = "Another CPU"
    new.write_text(json.dumps(slower))
    capsys.readouterr()
    report.main([str(new), "--compare", str(plugin_json)])
    assert capsys.readouterr().out.startswith("not the same processor")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"benchmarks": [{}]}', None])
def test_what_holds_no_results_is_one_line(tmp_path, capsys, content):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    assert report.main([str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path} ")
    assert error.count("\n") == 1


def test_what_is_written_is_what_was_shown(plugin_json, tmp_path):
    document = json.loads(plugin_json.read_text())
    document["benchmarks"][0]["extra_info"]["p50_ms"] = 12.8349999  # would be shown as 12.83
    plugin_json.write_text(json.dumps(document))
    taken = Results.read(plugin_json)
    report.write(taken, tmp_path)
    kept = Results.read(tmp_path / "benchmarks.json")
    assert kept.rows == [{k: v for k, v in row.items() if k != "times_s"} for row in taken.rows]
    assert kept.rows[0]["p50_ms"] == 12.835


def test_the_readme_shows_what_the_json_holds(tmp_path, plugin_json, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- bench: end -->\nafter")
    command = [str(plugin_json), "-o", str(tmp_path / "docs"), "--readme", str(readme)]
    assert report.main(command) == 0
    once = readme.read_text()
    assert "| Some CPU | 4.00 | 5.00 | 12.00 | 13.00 |" in once
    assert "in the same run: 11.0 times as fast as torch's FP32." in once
    assert once.startswith("before\n<!-- bench -->\n\n| whole")
    assert once.endswith("\n\n<!-- bench: end -->\nafter")
    assert report.main(command) == 0
    assert readme.read_text() == once
    readme.write_text("no marks")
    assert report.main(command) == 2
    assert "the README lacks the marks <!-- bench --> and" in capsys.readouterr().err


def test_the_readme_is_that_of_the_shipped_results():
    results = Results.read(ROOT / "docs" / "benchmarks.json")
    readme = (ROOT / "README.md").read_text("utf-8")
    assert with_part(readme, report.README_PART, report.readme_table(results)) == readme
