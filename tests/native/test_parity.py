"""The native library answers as the package does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from examples.native import locate_ctypes
from runtime import Bundle, BundleError, Locator
from runtime.bundle import default_bundle_path
from runtime.commands.lines import as_json, as_text
from tests.runtime.conftest import puzzle
from train.synth import SynthOptions, render

pytestmark = pytest.mark.native

PICTURES = 300
SEED = 7_000_001


def _encoded(picture: np.ndarray, kind: int) -> tuple[str, bytes]:
    """A suffix and the bytes of a picture file; every kind of file takes its turn."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    kinds: tuple[tuple[str, np.ndarray, tuple[int, ...]], ...] = (
        (".png", picture, ()),
        (".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 90)),
        (".webp", picture, (cv2.IMWRITE_WEBP_QUALITY, 80)),
        (".bmp", picture, ()),
        (".png", np.dstack([picture, grey]), ()),
        (".jpg", picture, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".webp", picture, (cv2.IMWRITE_WEBP_QUALITY, 101)),
        (".png", picture.astype(np.uint16) * 257, ()),
        (".jpg", grey, ()),
    )
    suffix, pixels, options = kinds[kind % len(kinds)]
    return suffix, cv2.imencode(suffix, pixels, options)[1].tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated pictures of many sizes, in every accepted format."""
    made = tmp_path_factory.mktemp("generated")
    for number in range(PICTURES):
        suffix, data = _encoded(render(SEED, number, SynthOptions()).picture, number)
        (made / f"{number:03}{suffix}").write_bytes(data)
    return made


def _differences(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """Largest difference of the points, pixels, and of the other numbers of a point."""
    both = [(ours[name], theirs[name]) for name in ("gap", "slider")]
    largest = {"xy": ("x", "y"), "score": ("score", "rival")}
    return {
        kind: max(abs(a[key] - b[key]) for a, b in both for key in keys)
        for kind, keys in largest.items()
    }


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_generated_pictures_get_the_same_answers(locate, folder, precision):
    code, lines, errors = locate(folder, "--json", "--precision", precision)
    assert (code, len(lines), errors) == (0, PICTURES, [])
    with Locator(precision, backend="openvino") as locator:
        for line in lines:
            theirs = json.loads(line)
            ours = locator.predict(theirs["path"]).to_dict()
            assert list(theirs) == ["path", *ours]
            differences = _differences(ours, theirs)
            assert differences["xy"] <= 1e-3, theirs["path"]
            assert differences["score"] <= 1e-5, theirs["path"]
            assert theirs["angle_deg"] == pytest.approx(ours["angle_deg"], abs=1e-2)
            for key in ("ok", "reasons", "picture_width", "picture_height", "display_width"):
                assert theirs[key] == ours[key], theirs["path"]


@pytest.mark.filterwarnings("ignore::runtime.PictureSizeWarning")
@pytest.mark.parametrize(
    "options", [{}, {"roi": (3, 5, 300, 160)}, {"display_width": 260.0}], ids=lambda o: str(list(o))
)
def test_lines_are_the_same_letter_for_letter(locate, shared_bundle, tmp_path, options):
    sizes = [(512, 256), (340, 190), (1400, 800)]
    for number, size in enumerate(sizes):
        drawn = puzzle((200, 90), (20 + number, 91), size)
        (tmp_path / f"bü {number}.png").write_bytes(cv2.imencode(".png", drawn)[1].tobytes())
    dark = np.full((256, 512, 3), 51, np.uint8)
    (tmp_path / "dark.bmp").write_bytes(cv2.imencode(".bmp", dark)[1].tobytes())
    arguments = ["--bundle", shared_bundle]
    if roi := options.get("roi"):
        arguments += ["--roi", ",".join(map(str, roi))]
    if width := options.get("display_width"):
        arguments += ["--display-width", width]
    paths = sorted(tmp_path.iterdir())
    with Locator(bundle=shared_bundle, backend="openvino") as locator:
        answers = [locator.predict(cv2.imread(str(path)), **options) for path in paths]
    for form, flags in ((as_text, []), (as_json, ["--json"])):
        code, lines, _ = locate(tmp_path, *arguments, *flags)
        assert code == 0
        expected = [form(str(p), a) for p, a in zip(paths, answers, strict=True)]
        assert lines == expected


def test_what_cannot_be_read_is_refused_in_the_same_words(locate, shared_bundle, tmp_path):
    whole = cv2.imencode(".png", puzzle((200, 90), (20, 90)))[1].tobytes()
    broken = {
        "a.png": b"",
        "b.png": whole[:-9],
        "c.png": b"GIF89a, say",
        "d.png": whole[:60] + b"x" + whole[61:],
        "e.bmp": b"BM, say",
        "f.jpg": b"\xff\xd8\xff\xd9",
        "g.webp": b"RIFF\x08\0\0\0WEBPwhat",
        "h.txt": b"hello",
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
    paths = [*sorted(tmp_path.iterdir()), tmp_path / "none.png"]
    code, lines, errors = locate(*paths, "--bundle", shared_bundle)
    assert (code, lines) == (2, [])
    with Locator(bundle=shared_bundle, backend="openvino") as locator:
        refusals = locator.predict_batch(paths)
    assert errors == [f"locate: error: {error}" for error in refusals]


def test_a_picture_from_standard_input_and_a_warning(locate, shared_bundle):
    whole = cv2.imencode(".png", puzzle((200, 90), (20, 90), (1400, 800)))[1].tobytes()
    code, lines, errors = locate("-", "--bundle", shared_bundle, stdin=whole)
    assert (code, len(lines), len(errors)) == (0, 1, 1)
    assert lines[0].startswith("-: gap (")
    assert errors[0].startswith("locate: warning: -: 1400 x 800 pixels are much more than a puzzle")


def test_wrong_usage_is_told(locate, shared_bundle):
    for arguments in ([], ["x.png", "--what"], ["x.png", "--bundle", "/nowhere"]):
        code, lines, errors = locate(*arguments)
        assert (code, lines, len(errors)) == (2, [], 1)
    assert locate("--help")[0] == 0
    assert locate("--version")[1] == ["locate 0.1.0"]


def _manifests(whole: dict[str, Any]) -> dict[str, str]:
    """Manifests that are whole, newer, or damaged in a way of their own."""

    def changed(*keys: str, value: object) -> str:
        document = json.loads(json.dumps(whole))
        place = document
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        return json.dumps(document)

    int8 = ("artefacts", "int8")
    missing = {
        f"without {key}": json.dumps({k: v for k, v in whole.items() if k != key}) for key in whole
    }
    return missing | {
        "whole": json.dumps(whole),
        "newer": changed("schema_version", value=4),
        "earlier": json.dumps(
            {k: v for k, v in whole.items() if k != "compression"} | {"schema_version": 2}
        ),
        "earlier with more": changed("schema_version", value=2),
        "compression": changed("compression", value={"method": "ptq"}),
        "older": changed("schema_version", value=1),
        "text for a number": changed("schema_version", value="2"),
        "true for a number": changed("row_agreement", value=True),
        "whole number": changed("row_agreement", value=2),
        "negative": changed("row_agreement", value=-1),
        "more": changed("more", value=1),
        "threshold": changed("thresholds", "min_score", value=1.01),
        "fit": changed("thresholds", "fit", value={}),
        "golden": changed("golden", value={"picture": "../x", "sha256": "0" * 64, "answer": {}}),
        "good golden": changed("golden", value={"picture": "x", "sha256": "0" * 64, "answer": {}}),
        "calibration": changed("calibration", value={"count": 1.0, "sha256": "0" * 64}),
        "version": changed("versions", "torch", value=2),
        "name": changed(*int8, "files", "model", value="a/b.xml"),
        "digest": changed(*int8, "sha256", "model", value="0" * 63),
        "format": changed(*int8, "format", value="onnx"),
        "backends": changed(*int8, "backends", value="openvino"),
        "measured": changed(*int8, "measured", value={"set": 1}),
        "no artefacts": changed("artefacts", value={}),
        "a list": "[]",
        "half": json.dumps(whole)[:200],
        "nothing": "",
    }


def test_manifests_are_judged_alike(library, own_bundle):
    path = own_bundle / "manifest.json"
    verdicts: dict[str, tuple[bool, bool]] = {}
    for name, text in _manifests(json.loads(path.read_text())).items():
        path.write_text(text)
        try:
            Bundle.open(own_bundle)
            ours = True
        except BundleError:
            ours = False
        try:
            locate_ctypes.NativeLocator(library, str(own_bundle), threads=1).close()
            theirs = True
        except RuntimeError:
            theirs = False
        verdicts[name] = (ours, theirs)
    assert {name for name, (ours, theirs) in verdicts.items() if ours != theirs} == set()
    assert {name for name, (ours, _) in verdicts.items() if ours} == {
        "whole", "whole number", "good golden", "earlier",
    }  # fmt: skip


def test_pixels_through_ctypes(library):
    pixels = render(SEED, 0, SynthOptions()).picture
    height, width = pixels.shape[:2]
    bundle = default_bundle_path()
    with (
        locate_ctypes.NativeLocator(library, str(bundle)) as native,
        Locator(backend="openvino") as locator,
    ):
        found = native.predict_pixels(pixels.ctypes.data, width, height, locate_ctypes.BGR)
        expected = locator.predict(pixels)
    for theirs, ours in ((found.gap, expected.gap), (found.slider, expected.slider)):
        assert (theirs.x, theirs.y) == pytest.approx((ours.x, ours.y), abs=1e-3)
        assert (theirs.score, theirs.rival) == pytest.approx((ours.score, ours.rival), abs=1e-5)
    assert found.distance_px == pytest.approx(expected.distance_px, abs=2e-3)


def test_ctypes_tells_what_went_wrong(library):
    with pytest.raises(RuntimeError, match="/nowhere is not a folder"):
        locate_ctypes.NativeLocator(library, "/nowhere")
