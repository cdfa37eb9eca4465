"""What a training should reach, from runtime/targets.toml, as reports and figures show it."""

from __future__ import annotations

from runtime.targets import ANYWHERE, target

MAE_PX = target(ANYWHERE, "mae_px").limit
# Threshold in px -> share of points found within it.
ACCURACY = {px: target(ANYWHERE, f"accuracy_{px}px").limit for px in (3, 5, 10)}
ANGLE_ERROR_DEG = target(ANYWHERE, "angle_error_deg").limit
# Difficulty class -> share of its points found within 5 px.
CLASS_ACCURACY_5PX = {
    name: target(ANYWHERE, "accuracy_5px", name).limit
    for name in ("normal", "confusing", "rotated", "noise")
}
