"""What a training should reach: the one place for the goals that reports and figures show."""

from __future__ import annotations

MAE_PX = 5.0
# Threshold in px -> share of points found within it.
ACCURACY = {3: 0.85, 5: 0.98, 10: 0.995}
ANGLE_ERROR_DEG = 2.0
# Difficulty class -> share of its points found within 5 px.
CLASS_ACCURACY_5PX = {"normal": 0.995, "confusing": 0.952, "rotated": 0.968, "noise": 0.921}
