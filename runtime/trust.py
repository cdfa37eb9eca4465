"""What speaks against an answer. The limits come from the bundle; `compress.thresholds` fits them.

A reason about one point begins with its name, `gap` or `slider`.
"""

from __future__ import annotations

import math

from runtime.geometry import STRIDE
from runtime.manifest import Thresholds
from runtime.result import Keypoint
from runtime.view import View

# Where there is no gap, or no piece, the network often shows the other one twice. Of points that
# both exist hardly a pair lies as near: such a puzzle is solved.
ONE_PLACE_CANVAS_PX = 2.0 * STRIDE


def doubts(gap: Keypoint, slider: Keypoint, view: View, limits: Thresholds) -> tuple[str, ...]:
    """The reasons not to trust two points, in words; empty when nothing speaks against them.

    gap, slider: in pixels of the whole picture; view: what the network saw of it.
    """
    nothing = gap.score < limits.min_score and slider.score < limits.min_score
    return (
        *(["nothing found"] if nothing else []),
        *_about_point("gap", gap, view, limits),
        *_about_point("slider", slider, view, limits),
        *([] if nothing else _about_place(gap, slider, view)),
        *_about_rows(gap, slider, view, limits),
    )


def _about_point(name: str, point: Keypoint, view: View, limits: Thresholds) -> list[str]:
    found = []
    if point.score < limits.min_score:
        found.append(f"{name} score {point.score:.3f} is below {limits.min_score:.3f}")
    if point.rival > limits.max_rival:
        found.append(f"{name} rival {point.rival:.3f} is above {limits.max_rival:.3f}")
    if not view.contains(point.x, point.y):
        found.append(f"{name} lies outside the {'picture' if view.is_whole else 'roi'}")
    return found


def _about_place(gap: Keypoint, slider: Keypoint, view: View) -> list[str]:
    letterbox = view.letterbox
    apart_canvas_px = math.hypot(
        (gap.x - slider.x) * letterbox.scale_x, (gap.y - slider.y) * letterbox.scale_y
    )
    if apart_canvas_px >= ONE_PLACE_CANVAS_PX:
        return []
    return ["both points at one place: one of them may be missing"]


def _about_rows(gap: Keypoint, slider: Keypoint, view: View, limits: Thresholds) -> list[str]:
    difference_px = abs(gap.y - slider.y)
    largest_px = limits.max_row_difference_canvas_px / view.letterbox.scale_y
    if difference_px <= largest_px:
        return []
    return [f"rows differ by {difference_px:.1f} px, more than {largest_px:.1f} px"]
