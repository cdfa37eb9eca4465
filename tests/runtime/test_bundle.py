from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime import BundleError, InputError, Locator, LocatorError
from runtime.bundle import (
    Artefact,
    Bundle,
    Calibration,
    Compression,
    Gate,
    Golden,
    Manifest,
    ThresholdFit,
    Thresholds,
    default_bundle_path,
    sha256_of,
    write_bundle,
)
from runtime.manifest import ManifestError

DIGEST = sha256_of(b"x")


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_digest_is_plain_sha256():
    # The FIPS 180 example.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(b"abc") == expected


def test_what_is_written_is_read_back(shared_bundle, tmp_path, network):
    written = Bundle.open(shared_bundle).manifest
    point = {"x": 1.0, "y": 2.0}
    answer = {"ok": True, "gap": point, "slider": point}
    golden = Golden("golden.png", sha256_of(b"picture"), {"fp32": answer})
    measured = {"fixed-2000": {"fingerprint": "ab", "mae_px": 0.5, "count": 2000}}
    fp32 = dataclasses.replace(written.artefacts["fp32"], measured=measured)
    limits = Thresholds(0.25, 0.9, 12.5, ThresholdFit("int8", 1000, 0.01, 0.75, 0.8))
    manifest = dataclasses.replace(
        written,
        artefacts={"fp32": fp32},
        calibration=Calibration(300, DIGEST),
        golden=golden,
        thresholds=limits,
        compression=Compression(
            "qat",
            {"epochs": 4},
            Gate("fixed", 9, DIGEST, {"int8": {"mae_added_px": 0.1}}, {"int8": {"mae_px": 2.5}}),
        ),
    )
    files = {"fp32.onnx": network, "golden.png": b"picture"}
    bundle = write_bundle(tmp_path / "deep" / "new", manifest, files)
    assert bundle.manifest == manifest
    assert bundle.read(fp32) == {"model": network}
    assert bundle.read_golden(golden) == b"picture"
    bundle.verify()
    assert sorted(p.name for p in bundle.directory.iterdir()) == [
        "fp32.onnx", "golden.png", "manifest.json",
    ]  # fmt: skip


def test_artefacts_are_found_by_precision_and_backend(shared_bundle):
    bundle = Bundle.open(shared_bundle)
    assert bundle.precisions == ("fp32", "int8")
    assert bundle.artefact("fp32", "onnxruntime").files == {"model": "fp32.onnx"}
    assert bundle.artefact("int8", "openvino").files["weights"] == "int8.bin"
    with pytest.raises(InputError, match="'fp16' is not in this bundle, which holds: fp32, int8"):
        bundle.artefact("fp16", "openvino")
    with pytest.raises(InputError, match="int8 artefact is for openvino, not for onnxruntime"):
        bundle.artefact("int8", "onnxruntime")


@pytest.mark.parametrize("name", ["int8.xml", "int8.bin"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "folder"])
def test_damaged_files_are_named_with_a_remedy(own_bundle, name, damage):
    path = own_bundle / name
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    elif damage == "truncate":
        del data[-1:]
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "remove":
        path.write_bytes(bytes(data))
    with pytest.raises(BundleError, match=rf"{name} .*reinstall edge-locator") as caught:
        Locator("int8", bundle=own_bundle)
    assert "\n" not in str(caught.value)
    with pytest.raises(BundleError, match=name):
        Bundle.open(own_bundle).verify()
    Locator("fp32", bundle=own_bundle).close()  # only what is used need be whole


def test_the_checked_bytes_are_the_ones_used(own_bundle, network, monkeypatch):
    """A file swapped after the check must not reach the engine: each is read exactly once."""
    reads = []
    original = Path.read_bytes

    def read_once(path: Path) -> bytes:
        data = original(path)
        if path.parent != own_bundle:  # the cache of compiled networks
            return data
        reads.append(path.name)
        if path.name != "manifest.json":
            path.write_bytes(b"swapped")
        return data

    monkeypatch.setattr(Path, "read_bytes", read_once)
    Locator("fp32", bundle=own_bundle).close()
    assert reads == ["manifest.json", "fp32.onnx"]


GOLDEN = {"picture": "golden.png", "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(schema_version=4), "schema_version is 4, newer .*upgrade edge-locator"),
        (lambda d: d.update(contract_version=9), "contract_version is 9, newer .*upgrade"),
        (lambda d: d.update(schema_version=1), "schema_version is 1, older .*export the bundle"),
        (lambda d: d.pop("schema_version"), "schema_version: expected int, got nothing"),
        (lambda d: d.update(schema_version="1"), "schema_version: expected int, got str"),
        (lambda d: d.update(schema_version=True), "schema_version: expected int, got bool"),
        (lambda d: d.pop("thresholds"), "missing: thresholds"),
        (lambda d: d["artefacts"]["int8"].pop("sha256"), "missing: artefacts.int8.sha256"),
        (lambda d: d.update(surprise=1), "unknown: surprise"),
        (lambda d: d["thresholds"].update(min=1), "unknown: thresholds.min"),
        (lambda d: d["thresholds"].update(min_score="x"), "min_score: expected float, got str"),
        (lambda d: d["thresholds"].update(min_score=1.5), r"min_score: expected 0\.\.1, got 1.5"),
        (lambda d: d["thresholds"].update(max_rival=-1), r"max_rival: expected 0\.\.1, got -1"),
        (lambda d: d["thresholds"].pop("fit"), "missing: thresholds.fit"),
        (lambda d: d["thresholds"].update(fit={"pictures": 3}), "missing: thresholds.fit.false_ab"),
        (
            lambda d: d["thresholds"].update(max_row_difference_canvas_px=257),
            r"max_row_difference_canvas_px: expected 0\.\.256, got 257",
        ),
        (lambda d: d.update(row_agreement=-1), "row_agreement: expected a number >= 0, got -1"),
        (lambda d: d.update(row_agreement=10**400), "row_agreement: the number is too large"),
        (
            lambda d: d.update(golden=GOLDEN | {"answer": {"int8": {"gap": {"x": 1, "y": 2}}}}),
            "golden.answer.int8.slider: expected dict, got nothing",
        ),
        (
            lambda d: d.update(golden=GOLDEN | {"answer": {"int8": {"gap": {"x": 1}}}}),
            "golden.answer.int8.gap: expected x and y",
        ),
        (lambda d: d.pop("compression"), "missing: compression"),
        (lambda d: d.update(compression={"method": "ptq"}), "missing: compression.gate"),
        (lambda d: d.update(artefacts={}), "artefacts: expected at least one"),
        (lambda d: d.update(artefacts=[]), "artefacts: expected dict, got list"),
        (lambda d: d["model"].update(name=None), "model.name: expected str, got nothing"),
        (lambda d: d["versions"].update(x=1), "versions.x: expected str, got int"),
        (lambda d: d.update(calibration={"count": 1, "sha256": "zz"}), "expected 64 hex digits"),
        (
            lambda d: d["artefacts"]["fp32"].update(backends=["openvino", 3]),
            r"artefacts.fp32.backends\[1\]: expected str, got int",
        ),
        (
            lambda d: d["artefacts"]["fp32"].update(format="tflite"),
            "format: expected one of onnx, openvino-ir, got 'tflite'",
        ),
        (
            lambda d: d["artefacts"]["int8"]["files"].pop("weights"),
            r"files: expected the roles \['model', 'weights'\], got \['model'\]",
        ),
        (
            lambda d: d["artefacts"]["int8"]["sha256"].pop("model"),
            r"sha256: expected the roles \['model', 'weights'\], got \['weights'\]",
        ),
        (
            lambda d: d["artefacts"]["fp32"]["sha256"].update(model="A" * 64),
            "sha256.model: expected 64 hex digits",
        ),
    ],
)
def test_manifests_are_read_strictly(own_bundle, change, says):
    edit(own_bundle, change)
    with pytest.raises(BundleError, match=says) as caught:
        Bundle.open(own_bundle)
    assert str(own_bundle) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../fp32.onnx", "/etc/passwd", "a/b", "a\\b", "C:x", "..", ".", "", ".hidden", "a\n"]
)
def test_file_names_cannot_leave_the_folder(own_bundle, name):
    edit(own_bundle, lambda d: d["artefacts"]["fp32"]["files"].update(model=name))
    with pytest.raises(BundleError, match=r"files\.model: expected a plain file name"):
        Bundle.open(own_bundle)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": "\xff"}', "\0", '{"a": NaN}'])
def test_a_manifest_that_is_not_json(own_bundle, text):
    (own_bundle / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BundleError, match=r"manifest.json is damaged, it is not JSON: reinstall"):
        Bundle.open(own_bundle)


@pytest.mark.parametrize("text", ["[]", "3", "null", '"text"'])
def test_a_manifest_that_is_json_but_no_object(own_bundle, text):
    (own_bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match="document: expected dict, got"):
        Bundle.open(own_bundle)


def test_missing_bundles(tmp_path):
    with pytest.raises(BundleError, match="nowhere is not a folder: give the folder of a bundle"):
        Locator(bundle=tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"manifest.json is missing: reinstall"):
        Locator(bundle=tmp_path)
    with pytest.raises(LocatorError, match="is not a folder"):
        Locator(bundle="x" * 5000)


def test_the_default_bundle_lies_in_the_package():
    import runtime

    assert default_bundle_path() == Path(runtime.__file__).parent / "weights"


def test_writing_refuses_files_that_the_manifest_does_not_describe(own_bundle, tmp_path, network):
    manifest = Bundle.open(own_bundle).manifest
    only_fp32 = dataclasses.replace(manifest, artefacts={"fp32": manifest.artefacts["fp32"]})
    for files in ({}, {"fp32.onnx": b"other"}, {"fp32.onnx": network, "more": b""}):
        with pytest.raises(ValueError, match="manifest and files disagree about: "):
            write_bundle(tmp_path / "new", only_fp32, files)
    assert not (tmp_path / "new").exists()


def test_an_interrupted_write_leaves_no_partial_file(own_bundle, network, monkeypatch):
    manifest = Bundle.open(own_bundle).manifest
    before = {p.name: p.read_bytes() for p in own_bundle.iterdir()}
    fp32 = dataclasses.replace(manifest.artefacts["fp32"], sha256={"model": sha256_of(b"new")})

    def fail(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write_bundle(
            own_bundle,
            dataclasses.replace(manifest, artefacts={"fp32": fp32}),
            {"fp32.onnx": b"new"},
        )
    assert {p.name: p.read_bytes() for p in own_bundle.iterdir()} == before


def test_an_artefact_cannot_be_made_against_the_schema():
    with pytest.raises(ManifestError, match="plain file name"):
        Artefact({"model": "../x"}, {"model": DIGEST}, "onnx", "fp32", ("openvino",), {})


def test_a_bundle_of_schema_2_is_read_and_written_anew(own_bundle, network, ir):
    path = own_bundle / "manifest.json"
    document = json.loads(path.read_text())
    expected = Bundle.open(own_bundle).manifest
    del document["compression"]
    path.write_text(json.dumps(document | {"schema_version": 2}))
    manifest = Bundle.open(own_bundle).manifest
    assert manifest == expected
    files = {"fp32.onnx": network, "int8.xml": ir[0], "int8.bin": ir[1]}
    write_bundle(own_bundle, manifest, files)
    assert json.loads(path.read_text())["schema_version"] == 3


def test_every_part_of_the_schema_is_in_the_written_manifest(shared_bundle):
    document = json.loads((shared_bundle / "manifest.json").read_text())
    assert sorted(document) == sorted(field.name for field in dataclasses.fields(Manifest))
    assert (document["schema_version"], document["contract_version"]) == (3, 1)
