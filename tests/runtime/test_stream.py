from __future__ import annotations

import gc
import random
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from runtime import BackendError, InputError, Location, Locator
from runtime.geometry import RawResult, new_canvas
from runtime.pipeline import IN_FLIGHT
from tests.runtime.conftest import puzzle


@pytest.fixture
def locator(shared_bundle) -> Iterator[Locator]:
    with Locator(bundle=shared_bundle, threads=1) as made:
        yield made


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Forty pictures of as many sizes and answers."""
    rng = np.random.default_rng(3)
    sizes = rng.integers((200, 100), (600, 300), (40, 2)).tolist()
    return [
        puzzle((width - 20 - n, n + 5), (n, height - 10), (width, height))
        for n, (width, height) in enumerate(sizes)
    ]


def test_eight_threads_get_the_very_answers_of_one(locator, pictures):
    serial = [locator.predict(picture) for picture in pictures]
    assert len({(found.gap.x, found.slider.y) for found in serial}) == len(pictures)
    start = threading.Barrier(8)

    def work(seed: int) -> int:
        start.wait(timeout=60)
        order = random.Random(seed).choices(range(len(pictures)), k=500)
        return sum(locator.predict(pictures[n]) == serial[n] for n in order)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [500] * 8


def test_a_batch_gets_the_very_answers_of_single_calls(locator, pictures):
    serial = [locator.predict(picture, roi=(0, 0, 150, 90)) for picture in pictures]
    assert locator.predict_batch(pictures, roi=(0, 0, 150, 90)) == serial
    assert locator.predict_batch([]) == []


def test_a_picture_keeps_its_canvas_until_it_is_answered(locator, pictures, monkeypatch):
    serial = [locator.predict(picture) for picture in pictures]
    infer = locator._backend.infer

    def slow(canvas: np.ndarray) -> RawResult:
        time.sleep(0.02)  # while the next pictures are drawn
        return infer(canvas)

    monkeypatch.setattr(locator._backend, "infer", slow)
    assert locator.predict_batch(pictures) == serial


def test_threads_that_come_and_go_share_what_is_there(shared_bundle, pictures, monkeypatch):
    made = []
    monkeypatch.setattr("runtime.locator.new_canvas", lambda: made.append("canvas") or new_canvas())
    with Locator(backend="openvino", bundle=shared_bundle, threads=1) as locator:
        network = locator._backend._compiled

        class Counted:
            def create_infer_request(self):
                made.append("request")
                return network.create_infer_request()

        monkeypatch.setattr(locator._backend, "_compiled", Counted())
        for picture in pictures[:9]:
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(locator.predict, picture).result().gap.score > 0
        assert made == ["canvas", "request"]
        for _ in range(5):
            assert len(locator.predict_batch([*pictures[:9], b"no picture"])) == 10
        assert max(made.count("canvas"), made.count("request")) <= IN_FLIGHT


def test_options_reach_every_picture_of_a_stream(locator):
    red_and_blue_swapped = puzzle((50, 60), (300, 60))[..., ::-1]
    for found in locator.stream([red_and_blue_swapped] * 3, channel_order="rgb", display_width=256):
        assert (found.gap.x, found.slider.x) == pytest.approx((50, 300), abs=1e-3)
        assert found.distance_px == pytest.approx(-125, abs=1e-3)


def test_errors_come_in_their_pictures_place(locator, pictures, tmp_path):
    mixed = [pictures[0], b"no picture", pictures[1], tmp_path / "none.png", pictures[2], None]
    answers = locator.predict_batch(mixed)
    assert [isinstance(answer, Location) for answer in answers] == [True, False] * 3
    assert [answer for answer in answers if isinstance(answer, Location)] == [
        locator.predict(picture) for picture in pictures[:3]
    ]
    assert "not a picture of an accepted format" in str(answers[1])
    assert "none.png does not exist" in str(answers[3])
    assert all(isinstance(answer, InputError) for answer in answers[1::2])


def test_a_stream_takes_no_more_pictures_than_it_needs(locator, pictures):
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield pictures[taken % len(pictures)]

    for number, _ in zip(range(1, 31), locator.stream(endless()), strict=False):
        assert taken <= number + IN_FLIGHT - 1
    assert taken >= 30


def test_pictures_are_taken_by_the_callers_thread_alone(locator, pictures):
    takers = set()

    def source() -> Iterator[np.ndarray]:
        for picture in pictures:
            takers.add(threading.get_ident())
            yield picture

    assert len(locator.predict_batch(source())) == len(pictures)
    assert takers == {threading.get_ident()}


def test_one_array_may_serve_for_all_pictures_of_a_stream(locator):
    frame = puzzle((0, 9), (0, 200))

    def camera() -> Iterator[np.ndarray]:
        for x in range(20, 60):
            frame[:] = puzzle((x, 9), (x, 200))
            yield frame

    found = [round(answer.gap.x) for answer in locator.stream(camera())]
    assert found == list(range(20, 60))


def test_what_the_source_raises_comes_after_the_answers_before_it(locator, pictures):
    def breaking() -> Iterator[np.ndarray]:
        yield from pictures[:3]
        raise RuntimeError("camera unplugged")

    answers = []
    with pytest.raises(RuntimeError, match="camera unplugged"):
        answers.extend(locator.stream(breaking()))
    # extend keeps what came before the exception
    assert answers == [locator.predict(picture) for picture in pictures[:3]]


def test_a_failing_engine_ends_the_stream_in_its_turn(locator, pictures):
    stream = locator.stream(pictures)
    assert isinstance(next(stream), Location)
    locator.close()
    with pytest.raises(BackendError, match="closed"):
        list(stream)


def test_streams_share_threads_that_end_with_the_locator(shared_bundle, pictures):
    before = threading.active_count()
    with Locator(bundle=shared_bundle, threads=1) as locator:
        for _ in range(5):
            stream = locator.stream(pictures)
            next(stream)
            stream.close()  # abandoned half way
            assert threading.active_count() <= before + IN_FLIGHT
    assert threading.active_count() == before


def test_threads_end_with_a_locator_that_nobody_closed(shared_bundle, pictures):
    before = threading.active_count()
    locator = Locator(bundle=shared_bundle, threads=1)
    assert len(locator.predict_batch(pictures)) == len(pictures)
    del locator
    gc.collect()
    give_up = time.monotonic() + 30
    while threading.active_count() > before:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_streams_side_by_side_do_not_mix(locator, pictures):
    serial = [locator.predict(picture) for picture in pictures]
    first, second = locator.stream(pictures), locator.stream(reversed(pictures))
    pairs = list(zip(first, second, strict=True))
    assert [a for a, _ in pairs] == serial
    assert [b for _, b in pairs] == serial[::-1]


def test_large_pictures_are_warned_of_in_streams_too(locator):
    large = np.full((900, 1400, 3), 40, np.uint8)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        locator.predict_batch([large, large])
    assert len(caught) == 2
