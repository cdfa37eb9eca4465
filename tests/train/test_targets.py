import numpy as np
import pytest
import torch

from runtime import geometry
from runtime.geometry import Letterbox
from tests.train.fakes import sample
from train.canvas import prepare
from train.decode import decode
from train.synth import Sample
from train.targets import Targets, encode, truth_vector

SIZES = [(340, 190), (700, 333), (200, 150), (512, 256), (301, 231)]


def targets_of(one: Sample) -> tuple[Targets, Letterbox]:
    height, width = one.picture.shape[:2]
    letterbox = Letterbox(width, height)
    return encode(torch.from_numpy(truth_vector(one, letterbox))[None]), letterbox


def masked(targets: Targets) -> dict[str, np.ndarray]:
    """The targets as a perfect network would say them: outputs matter only where supervised."""
    offset = (targets.offset * (targets.offset_weight > 0))[0].numpy()
    angle = (targets.angle * targets.angle_weight)[0].numpy()
    heatmap = targets.heatmap[0].numpy()
    return {
        "heatmap_gap": heatmap[0],
        "heatmap_slider": heatmap[1],
        "offset_gap": offset[0],
        "offset_slider": offset[1],
        "angle": angle,
    }


@pytest.mark.parametrize("size", SIZES)
def test_encoding_then_the_reference_decode_gives_the_points_back(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(size[0])
    for _ in range(10):
        y = rng.uniform(-0.5, size[1] - 0.5)
        points = np.array([(x, y) for x in rng.uniform(-0.5, size[0] - 0.5, 2)])
        degrees = rng.uniform(-45, 45)
        one = sample(tuple(points[0]), tuple(points[1]), degrees, size=size)
        targets, letterbox = targets_of(one)
        result = geometry.decode(**masked(targets))
        found = letterbox.to_picture(result.keypoints[:, :2])
        assert np.abs(found - points).max() < 1e-3
        assert np.degrees(np.arctan2(*result.angle)) == pytest.approx(degrees, abs=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_a_small_canvas_encodes_and_decodes_alike(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(size[0])
    for _ in range(10):
        y = rng.uniform(-0.5, size[1] - 0.5)
        points = np.array([(x, y) for x in rng.uniform(-0.5, size[0] - 0.5, 2)])
        one = sample(tuple(points[0]), tuple(points[1]), 20.0, size=size)
        canvas, truth, _ = prepare(one, 2)
        rows, columns = canvas.shape[0] // geometry.STRIDE, canvas.shape[1] // geometry.STRIDE
        targets = encode(torch.from_numpy(truth)[None], (rows, columns))
        assert targets.heatmap.shape == (1, 2, rows, columns)
        maps = {name: torch.from_numpy(one)[None] for name, one in masked(targets).items()}
        maps |= {name: maps[name][:, None] for name in ("heatmap_gap", "heatmap_slider")}
        keypoints, angle = decode(maps)
        # Back through the halving, then the letterbox.
        found = Letterbox(*size).to_picture(keypoints[0, :, :2].double().numpy() * 2 + 0.5)
        assert np.abs(found - points).max() < 2e-3
        assert np.degrees(np.arctan2(*angle[0].numpy())) == pytest.approx(20, abs=1e-3)


def test_the_peak_is_one_on_the_nearest_cell_alone() -> None:
    # On the canvas of a 512 × 256 picture: cell (i, j) is centred at 4·j + 1.5, 4·i + 1.5.
    targets, _ = targets_of(sample((203.4, 77.0), (41.5, 77.0), size=(512, 256)))
    for point, cell in ((0, (19, 50)), (1, (19, 10))):
        heatmap = targets.heatmap[0, point].numpy()
        assert np.argwhere(heatmap == 1).tolist() == [list(cell)]
        assert heatmap.min() >= 0
    offset = targets.offset[0, 0, :, 19, 50].numpy()
    np.testing.assert_allclose(offset, [(203.4 - 201.5) / 4, (77 - 77.5) / 4], atol=1e-5)


@pytest.mark.parametrize(("piece_px", "sigma"), [(10.0, 1.25), (64.0, 2.0), (200.0, 2.5)])
def test_the_peak_widens_with_the_piece(piece_px: float, sigma: float) -> None:
    targets, _ = targets_of(
        sample((201.5, 77.5), (41.5, 77.5), size=(512, 256), piece_size_px=piece_px)
    )
    heatmap = targets.heatmap[0, 0].numpy()
    for di, dj in ((0, 1), (2, 0), (3, 4)):
        expected = np.exp(-(di**2 + dj**2) / (2 * sigma**2))
        assert heatmap[19 + di, 50 + dj] == pytest.approx(expected, abs=1e-5)


def test_the_share_of_a_cell_falls_with_its_distance_from_the_point() -> None:
    targets, _ = targets_of(sample((203.4, 77.5), (41.5, 77.5), size=(512, 256)))
    expected = np.zeros((64, 128))
    for row, column in np.ndindex(3, 3):
        x, y = 4 * (49 + column) + 1.5, 4 * (18 + row) + 1.5
        distance = np.hypot(203.4 - x, 77.5 - y) / 4
        expected[18 + row, 49 + column] = np.exp(-0.5 * (distance / 0.5) ** 2)
    share = targets.share[0, 0].numpy()
    np.testing.assert_allclose(share, expected / expected.sum(), atol=1e-5)
    # Halfway between two cells, both are as right.
    halfway, _ = targets_of(sample((203.5, 77.5), None, size=(512, 256), difficulty="negative"))
    assert halfway.share[0, 0, 19, 50].item() == pytest.approx(halfway.share[0, 0, 19, 51].item())
    assert halfway.share.sum(dim=(2, 3)).tolist() == [[pytest.approx(1), 0]]


def test_neighbours_of_the_peak_point_back_at_it() -> None:
    targets, _ = targets_of(sample((203.4, 77.5), (41.5, 77.5), size=(512, 256)))
    weight = targets.offset_weight[0, 0, 0].numpy()
    assert weight[19, 50] == 1
    assert sorted(set(weight[18:21, 49:52].ravel().tolist())) == pytest.approx([0.2, 1.0])
    assert weight.sum() == pytest.approx(1 + 8 * 0.2)
    # 0.475 right of cell 50 is 0.525 left of cell 51, of which 0.5 can be said.
    np.testing.assert_allclose(targets.offset[0, 0, :, 19, 51], [-0.5, 0.0], atol=1e-5)
    assert targets.offset.abs().max() <= 0.5


def test_a_missing_point_leaves_an_empty_map_and_no_offsets() -> None:
    no_gap, _ = targets_of(sample(gap=None, angle_deg=None, difficulty="negative"))
    assert not no_gap.heatmap[0, 0].any()
    assert no_gap.heatmap[0, 1].max() == 1
    assert not no_gap.offset_weight[0, 0].any()
    assert no_gap.offset_weight[0, 1].any()
    assert not no_gap.angle_weight.any()
    assert no_gap.heatmap_weight.flatten().tolist() == [1, 1]
    no_slider, _ = targets_of(sample(slider=None, difficulty="negative"))
    assert not no_slider.heatmap[0, 1].any()
    assert not no_slider.offset_weight[0, 1].any()


def test_an_ambiguous_picture_does_not_judge_the_gap_heatmap() -> None:
    targets, _ = targets_of(sample(difficulty="ambiguous"))
    assert targets.heatmap_weight.flatten().tolist() == [0, 1]


def test_the_angle_is_supervised_around_the_gap_only_where_it_is_defined() -> None:
    targets, _ = targets_of(sample((201.5, 77.5), (41.5, 77.5), -30.0, size=(512, 256)))
    cells = np.argwhere(targets.angle_weight[0, 0].numpy() == 1)
    assert cells.min(axis=0).tolist() == [18, 49]
    assert cells.max(axis=0).tolist() == [20, 51]
    assert len(cells) == 9 == targets.angle_weight.sum()
    np.testing.assert_allclose(targets.angle.flatten(), [-0.5, np.sqrt(0.75)], atol=1e-6)
    undefined, _ = targets_of(sample(angle_deg=None))
    assert not undefined.angle_weight.any()
    straight, _ = targets_of(sample(angle_deg=0.0))
    assert straight.angle.flatten().tolist() == [0, 1]
    assert straight.angle_weight.sum() == 9
