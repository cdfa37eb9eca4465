"""The Locator: letterbox, inference, letterbox undone."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import TypeVar

from runtime.backends import engine
from runtime.backends.base import Backend
from runtime.bundle import Bundle, default_bundle_path
from runtime.choose import AUTO, Choice, choose
from runtime.cpus import default_threads
from runtime.errors import BackendError, InputError
from runtime.geometry import Picture, RawResult, new_canvas
from runtime.manifest import Thresholds
from runtime.picture import ChannelOrder, PictureSource, load
from runtime.pipeline import Workers, in_order
from runtime.pool import Pool
from runtime.result import Keypoint, Location, check_display_width
from runtime.trust import doubts
from runtime.view import PictureSizeWarning, Roi, View, size_warning

_T = TypeVar("_T")


class Locator:
    """Finds the gap and the slider piece in pictures.

    One may be shared by any number of threads. Another process needs one of its own: pickled, it
    becomes one there; forked, it refuses to work.

    precision: `int8` (fast) or `fp32`, as far as the bundle holds them.
    device: `auto`, `cpu`, or another device of the backend, such as OpenVINO's `gpu`.
    backend: `auto` (see `explain` and `tune`) or a name, such as `openvino`.
    bundle: folder of a bundle; the package's own when None.
    threads: threads of one inference on a CPU; one for each physical performance core that the
        process may use when None.

    Whatever is asked for by name is used or refused, never replaced. Raises InputError for an
    unknown name, BackendUnavailable when the engine or device cannot be used here, BundleError for
    a damaged bundle and BackendError when the engine cannot load the network.
    """

    def __init__(
        self,
        precision: str = "int8",
        *,
        device: str = AUTO,
        backend: str = AUTO,
        bundle: str | os.PathLike[str] | None = None,
        threads: int | None = None,
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"expected at least 1 thread, got {threads}")
        opened = _opened(bundle)
        self._choice, chosen, artefact = choose(opened, precision, backend, device)
        self._thresholds = opened.manifest.thresholds
        self._backend: Backend = engine(chosen.backend).load(
            opened.read(artefact), artefact.format, chosen.device, threads or default_threads()
        )
        self._canvases: Pool[Picture] = Pool()
        self._workers = Workers()
        self._process = os.getpid()
        self._again = partial(
            type(self), precision, device=device, backend=backend, bundle=bundle, threads=threads
        )

    def __reduce__(self) -> tuple[Callable[[], Locator], tuple[()]]:
        """Pickled, it is a request for the same: another process makes a Locator of its own."""
        return self._again, ()

    def predict(
        self,
        picture: PictureSource,
        *,
        roi: Roi | None = None,
        display_width: float | None = None,
        channel_order: ChannelOrder = "bgr",
    ) -> Location:
        """Locate both points in a picture.

        picture: a path, the bytes of a PNG, JPEG, WebP or BMP file, a file object, a uint8 array
            (grey, BGR or BGRA) or a PIL image.
        roi: x, y, width, height of the puzzle within the picture, whole pixels; all of it when
            None, with a PictureSizeWarning where the picture is much larger than a puzzle.
        display_width: how wide the whole picture is shown; `distance_px` is then for that size.
        channel_order: `rgb` where an array's colours lie so.
        Returns a Location in pixels of the whole picture, whatever the picture shows: its `ok` and
        `reasons` say whether to trust it. Raises InputError for a picture that cannot be read,
        for a roi that does not lie within it and for a display_width that is no width,
        BackendError after `close` and in a process that was forked after this Locator was made.
        """
        check_display_width(display_width)
        return self._begun(picture, roi, channel_order, display_width)()

    def predict_batch(
        self,
        pictures: Iterable[PictureSource],
        *,
        roi: Roi | None = None,
        display_width: float | None = None,
        channel_order: ChannelOrder = "bgr",
    ) -> list[Location | InputError]:
        """All that `stream` yields, as a list."""
        return list(
            self.stream(pictures, roi=roi, display_width=display_width, channel_order=channel_order)
        )

    def stream(
        self,
        pictures: Iterable[PictureSource],
        *,
        roi: Roi | None = None,
        display_width: float | None = None,
        channel_order: ChannelOrder = "bgr",
    ) -> Iterator[Location | InputError]:
        """Locate both points in one picture after the other, several inferences at a time.

        pictures: taken one by one, as they are needed, by the thread that asks for the answers;
            an array may be overwritten as soon as the next picture is asked for. No answer comes
            later than three pictures after its own was taken.
        The rest is as for `predict`, and holds for every picture.
        Yields an answer for each picture, in order; for a picture that `predict` would refuse, the
        InputError instead of raising it, so that one bad picture does not end the stream. Raises
        BackendError as `predict` does, and what `pictures` itself raises, each in its turn; at once
        InputError for a display_width that is no width.
        """
        check_display_width(display_width)

        def start(picture: PictureSource) -> Callable[[], Location | InputError]:
            try:
                return self._begun(picture, roi, channel_order, display_width)
            except InputError as error:
                return partial(_same, error)

        return in_order(start, pictures, self._workers)

    def _begun(
        self,
        picture: PictureSource,
        roi: Roi | None,
        channel_order: ChannelOrder,
        display_width: float | None,
    ) -> Callable[[], Location]:
        """Draw a picture for the network; what is returned, called once, gives the answer."""
        self._check_process()
        canvas = self._canvases.take(new_canvas)
        try:
            view = _draw(picture, roi, channel_order, canvas)
        except InputError:
            self._canvases.give(canvas)
            raise
        return partial(self._answer, canvas, view, display_width)

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise BackendError(
                "this Locator was made before the process was forked, and its engine's threads "
                "stayed behind: create one in each process"
            )

    def _answer(self, canvas: Picture, view: View, display_width: float | None) -> Location:
        try:
            raw = self._backend.infer(canvas)
        finally:
            self._canvases.give(canvas)
        return locate(raw, view, self._thresholds, display_width)

    def explain(self) -> Choice:
        """Which backends were considered, which one serves and why not the others; str() reads."""
        return self._choice

    @staticmethod
    def tune(
        precision: str = "int8",
        *,
        bundle: str | os.PathLike[str] | None = None,
        threads: int | None = None,
    ) -> Choice:
        """Find the fastest engine and device here, about a second each, for later `auto` requests.

        precision, bundle, threads: as for a Locator.
        An engine must give the bundle's golden answer to within a pixel. The result is kept in the
        user's cache folder, for this machine and these weights. Returns what was found, the fastest
        first. Raises InputError for a precision that the bundle does not hold, BundleError for a
        damaged bundle, BackendUnavailable when nothing can run here.
        """
        from runtime.tune import tune  # which itself measures Locators

        return tune(_opened(bundle), precision, threads)

    def describe(self) -> dict[str, str | int]:
        """Facts about what runs: precision, engine, version, device, threads."""
        return {"precision": self._choice.precision, **self._backend.describe()}

    def close(self) -> None:
        """Free the network. `predict` raises BackendError afterwards; closing twice is fine."""
        self._workers.close()
        self._backend.close()
        self._canvases = Pool()

    def __enter__(self) -> Locator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _opened(bundle: str | os.PathLike[str] | None) -> Bundle:
    return Bundle.open(default_bundle_path() if bundle is None else bundle)


def _draw(
    picture: PictureSource, roi: Roi | None, channel_order: ChannelOrder, canvas: Picture
) -> View:
    """Draw a picture, or the roi of it, on the canvas and return the view that it is."""
    pixels = load(picture, channel_order)
    view = View.of(pixels, roi)
    if roi is None and (text := size_warning(view.picture_width, view.picture_height)):
        warnings.warn(text, PictureSizeWarning, stacklevel=4)
    view.render(pixels, canvas)
    return view


def _same(value: _T) -> _T:
    return value


def locate(
    raw: RawResult, view: View, thresholds: Thresholds, display_width: float | None = None
) -> Location:
    """Turn the network's answer for a canvas into one for the picture that the view is of.

    Raises BackendError when the answer holds numbers that are not finite, InputError for a
    display_width that is no width.
    """
    # Python's floats: on so few numbers, numpy would take longer.
    if not all(map(math.isfinite, (*raw.keypoints.ravel().tolist(), *raw.angle.tolist()))):
        raise BackendError("the network answered with numbers that are not finite")
    points_picture_xy = view.to_picture(raw.keypoints[:, :2])
    gap, slider = (
        # Engines approximate the sigmoid: it may pass 1 by a rounding error.
        Keypoint(x, y, min(1.0, max(0.0, score)), max(0.0, rival))
        for (x, y), (score, rival) in zip(
            points_picture_xy.tolist(), raw.keypoints[:, 2:].tolist(), strict=True
        )
    )
    sine, cosine = raw.angle.tolist()
    angle_deg = math.degrees(math.atan2(sine, cosine))
    return Location(
        gap=gap,
        slider=slider,
        angle_deg=180.0 if angle_deg == -180.0 else angle_deg,
        picture_width=view.picture_width,
        picture_height=view.picture_height,
        reasons=doubts(gap, slider, view, thresholds),
        display_width=display_width,
    )
