from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import runtime
from runtime.cli import main
from tests.runtime.conftest import puzzle

ROOT = Path(runtime.__file__).parents[1]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, x in (("b.png", 200), ("a.PNG", 300), ("c.bmp", 400)):
        _, data = cv2.imencode(".png" if "c" not in name else ".bmp", puzzle((x, 90), (20, 90)))
        (folder / name).write_bytes(data.tobytes())
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def locator(shared_bundle, capsys):
    """Runs the command on the tiny bundle: arguments -> (code, stdout lines, stderr lines)."""

    def run(command: str, *arguments: object) -> tuple[int, list[str], list[str]]:
        code = main([command, "--bundle", str(shared_bundle), *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err.splitlines()

    return run


def test_one_line_a_picture(locator, pictures):
    code, out, err = locator("predict", pictures / "b.png")
    assert (code, err) == (0, [])
    assert out == [
        f"{pictures / 'b.png'}: gap (200.0, 90.0) score 1.00, slider (20.0, 90.0) score 1.00, "
        "angle 30.0 deg, distance 180.0 px, ok"
    ]


def test_a_folder_stands_for_its_pictures_in_order(locator, pictures):
    code, out, _ = locator("predict", pictures)
    assert code == 0
    assert [line.partition(":")[0][-5:] for line in out] == ["a.PNG", "b.png", "c.bmp"]


def test_a_pattern_is_expanded_and_nothing_is_done_twice(locator, pictures):
    code, out, _ = locator("predict", pictures / "*.png", pictures / "b.png", pictures / "?.bmp")
    assert code == 0
    assert [line.partition(":")[0][-5:] for line in out] == ["b.png", "c.bmp"]


def test_json_lines(locator, pictures):
    code, out, _ = locator("predict", pictures, "--json", "--precision", "fp32", "--threads", 1)
    assert code == 0
    answers = [json.loads(line) for line in out]
    assert [answer["distance_px"] for answer in answers] == pytest.approx([280, 180, 380], abs=1e-3)
    assert answers[1]["path"] == str(pictures / "b.png")
    assert answers[1]["ok"] is True


def test_csv(locator, pictures):
    (pictures / "d,e.png").write_bytes(b"")
    dark = np.full((256, 512, 3), 51, np.uint8)
    (pictures / "d,f.png").write_bytes(cv2.imencode(".png", dark)[1].tobytes())
    code, out, err = locator("predict", pictures, "--csv")
    assert (code, len(out), len(err)) == (2, 5, 1)
    rows = list(csv.DictReader(out))
    assert [row["path"][-7:] for row in rows] == ["s/a.PNG", "s/b.png", "s/c.bmp", "d,f.png"]
    assert [float(row["gap_x"]) for row in rows[:3]] == pytest.approx([300, 200, 400], abs=1e-3)
    assert (rows[0]["ok"], rows[0]["reasons"]) == ("True", "")
    assert rows[3]["ok"] == "False"
    assert rows[3]["reasons"].startswith("nothing found; gap score 0.200 is below")
    assert rows[0].keys() >= {"slider_rival", "angle_deg", "distance_px", "picture_height"}


def test_a_picture_from_standard_input(locator, pictures, tmp_path, monkeypatch):
    def give(data: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    give((pictures / "b.png").read_bytes())
    code, out, _ = locator("predict", "-", pictures / "c.bmp", "--draw", tmp_path / "out")
    assert code == 0
    assert out[0].startswith("-: gap (200.0, 90.0)")
    assert out[1].startswith(f"{pictures / 'c.bmp'}: gap (400.0, 90.0)")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["c.png", "stdin.png"]
    give((pictures / "b.png").read_bytes())
    code, out, _ = locator("predict", "-", "-")
    assert (code, len(out)) == (0, 1)
    give(b"")
    code, out, err = locator("predict", "-")
    assert (code, out, len(err)) == (2, [], 1)
    assert "0 bytes is empty" in err[0]


def test_roi_and_display_width(locator, pictures):
    screen = np.full((800, 1400, 3), 51, np.uint8)
    screen[100:356, 200:712] = puzzle((200, 90), (20, 90))
    path = pictures / "screen.png"
    path.write_bytes(cv2.imencode(".png", screen)[1].tobytes())
    code, out, err = locator("predict", path, "--roi", "200,100,512,256", "--display-width", 700)
    assert (code, err) == (0, [])
    assert "gap (400.0, 190.0)" in out[0]
    assert "distance 90.0 px, ok" in out[0]
    code, out, err = locator("predict", pictures / "b.png", path)
    assert (code, len(out)) == (0, 2)
    assert err == [
        f"locator: warning: {path}: 1400 x 800 pixels are much more than a puzzle has: if it is a "
        "screenshot, say where the puzzle is (roi)"
    ]
    code, out, err = locator("predict", path, pictures / "b.png", "--roi", "200,100,512,256")
    assert (code, len(out), len(err)) == (2, 1, 1)
    assert "does not lie within the picture of 512 x 256 pixels" in err[0]
    code, out, err = locator("predict", path, "--roi", "0,0,9,9", "--display-width", 0)
    assert (code, out) == (2, [])
    assert err == ["locator: error: expected a display_width above 0 and at most 1e9, got 0.0"]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("to_terminal", "names", "shown"),
    [
        ((False, True), ["a.PNG", "b.png", "none.png"], True),
        ((True, True), ["a.PNG", "b.png", "none.png"], False),
        ((False, False), ["a.PNG", "b.png", "none.png"], False),
        ((False, True), ["a.PNG"], False),
    ],
)
def test_progress_is_shown_where_nothing_else_tells(
    shared_bundle, pictures, monkeypatch, to_terminal, names, shown
):
    out, err = (_Terminal() if is_terminal else io.StringIO() for is_terminal in to_terminal)
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    main(["predict", "--bundle", str(shared_bundle), *(str(pictures / name) for name in names)])
    seen = "\r1/3\r   \r\r2/3\r   \rlocator: error: " in err.getvalue()
    assert seen == shown
    if not shown:
        assert "\r" not in err.getvalue()
    assert out.getvalue().count("\n") == min(2, len(names))
    assert "\r" not in out.getvalue()


def test_doubts_are_printed_and_are_no_failure(locator, pictures):
    dark = np.full((256, 512, 3), 51, np.uint8)
    (pictures / "dark.png").write_bytes(cv2.imencode(".png", dark)[1].tobytes())
    code, out, _ = locator("predict", pictures / "dark.png")
    assert code == 0
    assert out[0].endswith(
        "not sure: nothing found; gap score 0.200 is below 0.500; slider score 0.200 is below 0.500"
    )


def test_one_bad_file_does_not_stop_the_others(locator, pictures, tmp_path):
    (pictures / "b.png").write_bytes((pictures / "b.png").read_bytes()[:-30])
    code, out, err = locator(
        "predict", pictures, tmp_path / "none.png", tmp_path / "*.gif", pictures / "notes.txt"
    )
    assert code == 2
    assert [line.partition(":")[0][-5:] for line in out] == ["a.PNG", "c.bmp"]
    assert len(err) == 4
    assert all(line.startswith("locator: error: ") for line in err)
    for part in ("b.png is truncated", "none.png does not exist", "no file matches", "notes.txt"):
        assert sum(part in line for line in err) == 1


def test_drawings_are_named_after_their_pictures(locator, pictures, tmp_path):
    out = tmp_path / "new" / "drawings"
    code, _, _ = locator("predict", pictures, "--draw", out)
    assert code == 0
    assert sorted(p.name for p in out.iterdir()) == ["a.png", "b.png", "c.png"]
    drawn = cv2.imread(str(out / "b.png"))
    plain = cv2.imread(str(pictures / "b.png"))
    ys, xs = np.nonzero((drawn != plain).any(axis=2))
    assert drawn.shape == plain.shape
    assert {(200, 90), (20, 90)} <= set(zip(xs.tolist(), ys.tolist(), strict=True))


def test_drawings_overwrite_neither_each_other_nor_a_picture(locator, pictures, tmp_path):
    twin = tmp_path / "twin"
    shutil.copytree(pictures, twin)
    shutil.copy(pictures / "b.png", pictures / "b.webp.png")
    before = {p: p.read_bytes() for p in (*pictures.iterdir(), *twin.iterdir())}
    code, out, _ = locator("predict", pictures, twin, "--draw", pictures)
    assert code == 0
    assert len(out) == 7
    assert {p: p.read_bytes() for p in before} == before
    made = sorted(p.name for p in pictures.iterdir() if p not in before)
    assert made == ["a-2.png", "a-3.png", "b-2.png", "b-3.png", "b.webp-2.png", "c-2.png", "c.png"]


def test_drawing_again_replaces_the_earlier_drawings(locator, pictures, tmp_path):
    for _ in range(2):
        assert locator("predict", pictures, "--draw", tmp_path / "out")[0] == 0
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_drawings_that_cannot_be_written(locator, pictures, tmp_path):
    blocked = pictures / "notes.txt"
    code, out, err = locator("predict", pictures, "--draw", blocked)
    assert (code, out, len(err)) == (2, [], 1)
    assert "notes.txt cannot be made (File exists): give another folder" in err[0]
    (tmp_path / "out" / "b.png").mkdir(parents=True)
    code, out, err = locator("predict", pictures, "--draw", tmp_path / "out")
    assert (code, len(out), len(err)) == (2, 3, 1)
    assert "b.png cannot be written (Is a directory)" in err[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--precision", "int4"], "unknown precision 'int4': expected fp32 or int8"),
        (["--backend", "tpu"], "unknown backend 'tpu': expected auto or "),
        (["--device", "cuda"], "has no device 'cuda' here, expected cpu"),
        (["--threads", "0"], "expected at least 1 thread, got 0"),
    ],
)
def test_requests_that_cannot_be_met(locator, pictures, arguments, says):
    code, out, err = locator("predict", pictures, *arguments)
    assert (code, out, len(err)) == (2, [], 1)
    assert says in err[0]


def test_a_damaged_bundle(own_bundle, pictures, capsys):
    (own_bundle / "int8.bin").write_bytes(b"")
    for command in (["predict", str(pictures)], ["info"]):
        assert main([*command, "--bundle", str(own_bundle)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "int8.bin is not the file that the manifest describes" in printed.err


def test_only_bad_arguments(locator, tmp_path):
    code, out, err = locator("predict", tmp_path)
    assert (code, out, len(err)) == (2, [], 1)
    assert "holds no pictures (.png .jpg .jpeg .webp .bmp)" in err[0]


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["predict"], ["nonsense"], ["predict", "a", "--thr=x"],
        ["predict", "a", "--json", "--csv"], ["predict", "a", "--roi=1,2,3"],
        ["predict", "a", "--roi", "1,2,3,x"],
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: locator" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["predict", "info", "doctor", "bench"])
def test_help_teaches_with_examples(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"examples:\n  locator {command}" in capsys.readouterr().out


def test_interrupting_is_quiet(locator, pictures, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("runtime.locator.load", interrupt)
    assert locator("predict", pictures) == (130, [], [])


def _start(*arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "runtime", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, **options,
    )  # fmt: skip


def test_the_module_runs_as_a_command(shared_bundle, pictures):
    odd = pictures / "ü.png"
    (pictures / "b.png").rename(odd)
    (pictures / "zero.png").touch()
    with _start(
        "predict", "--bundle", str(shared_bundle), str(odd), str(pictures / "zero.png")
    ) as p:
        out, err = p.communicate(timeout=60)
    assert p.returncode == 2
    assert out.endswith(", ok\n")
    assert "\\xfc.png" in out
    assert err == f"locator: error: {pictures / 'zero.png'} is empty (0 bytes): give a complete " \
        "PNG, JPEG, WebP, BMP file\n"  # fmt: skip


def test_a_reader_that_leaves_is_no_traceback(shared_bundle, pictures):
    with _start("predict", "--bundle", str(shared_bundle), str(pictures)) as process:
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=60)
    assert (process.returncode, err) == (141, "")


def test_importing_loads_no_engine_and_no_training_stack():
    code = (
        "import sys, runtime, runtime.cli\n"
        "heavy = {'torch', 'openvino', 'onnxruntime', 'onnx', 'nncf', 'PIL', 'tensorrt'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    assert done.stdout == "[]\n"
