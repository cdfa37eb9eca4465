from __future__ import annotations

import pytest

from compress import ptq, verify
from tests.compress.conftest import save_checkpoint, tiny_net


@pytest.fixture(scope="module")
def bundle_dir(checkpoint_path, lenient, tmp_path_factory):
    output = tmp_path_factory.mktemp("verify") / "bundle"
    assert ptq.main([str(checkpoint_path), "-o", str(output), *lenient]) == 0
    return output


def test_every_artefact_on_every_engine(bundle_dir, checkpoint_path, capsys):
    capsys.readouterr()
    assert verify.main([str(bundle_dir), str(checkpoint_path), "--pictures", "3"]) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    against_torch = {tuple(row[:2]): row for row in table if "torch" in row}
    assert against_torch.keys() == {
        (name, engine)
        for name in ("fp32", "fp16", "int8-qdq")
        for engine in ("onnxruntime", "openvino")
    } | {("int8", "openvino")}
    for (name, _), row in against_torch.items():
        score, _, _, max_px = map(float, row[3:])
        assert (score < 1e-3 and max_px < 0.05) or name != "fp32"
        assert max_px > 0 or name == "fp32", "another network ran"
    between = {(row[0], row[1], row[3]) for row in table if len(row) == 8}
    assert between == {(name, "openvino", "onnxruntime") for name in ("fp32", "fp16", "int8-qdq")}
    assert ["int8", "on", "openvino"] in table
    assert "Convolution" in {row[0] for row in table if row}


def test_another_checkpoint_is_told(bundle_dir, tmp_path, capsys):
    other = save_checkpoint(tiny_net(seed=1), tmp_path / "other.pth")
    assert verify.main([str(bundle_dir), str(other), "--pictures", "2"]) == 1
    printed = capsys.readouterr()
    assert "px (p99) from torch, more than 0.1" in printed.err
    assert printed.err.count("\n") == 1
    assert "int8-qdq" in printed.out, "the table shows which"


def test_a_damaged_bundle_is_one_line_and_code_2(checkpoint_path, tmp_path, capsys):
    assert verify.main([str(tmp_path), str(checkpoint_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
