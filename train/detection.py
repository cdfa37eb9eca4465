"""Right and wrong answers counted, pictures that have nothing to find included."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

# A point found within this counts as found.
DETECTION_PX = 5
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Detection:
    """Answers about one point over many pictures.

    Attributes:
        tp: found in the right place.
        fp: found where there is none, or in another place (which is a miss as well).
        fn: there, but refused or found in another place.
        tn: refused where there is none.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def precision(self) -> float:
        """tp / (tp + fp); nan when no picture has the point, or none was answered."""
        return self._share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """tp / (tp + fn); nan when no picture has the point."""
        return self._share(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """2 tp / (2 tp + fp + fn); nan when no picture has the point."""
        return self._share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def has_positives(self) -> bool:
        """Whether any picture has the point; without one, the shares mean nothing."""
        return self.tp + self.fn > 0

    def __str__(self) -> str:
        counts = ", ".join(f"{name}: {count}" for name, count in asdict(self).items())
        if self.has_positives:
            shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
            text = ", ".join(f"{name}: {share:.4f}" for name, share in shares.items())
        else:
            text = "no positives: precision, recall and f1 are undefined"
        return f"distance thr: {DETECTION_PX} px, {counts}, {text}"

    def _share(self, part: int, whole: int) -> float:
        return part / whole if whole and self.has_positives else float("nan")


def count_detections(errors_px: Floats, exists: Bools, answered: Bools) -> Detection:
    """Counts answers about one point.

    Args:
        errors_px: f64 [N], the distance from the truth; any value where there is none.
        exists: bool [N], whether the picture has the point.
        answered: bool [N], whether the locator stood by its answer.
    """
    right = exists & answered & (errors_px <= DETECTION_PX)
    return Detection(
        tp=int(right.sum()),
        fp=int((answered & ~right).sum()),
        fn=int((exists & ~right).sum()),
        tn=int((~exists & ~answered).sum()),
    )


def precision_recall_pairs(
    errors_px: Floats, exists: Bools, scores: Floats
) -> tuple[Floats, Bools]:
    """Scores f64 [M] and labels bool [M] of a precision-recall curve.

    At any threshold above 0 the curve counts as `count_detections` does of answers that score at
    least as much. An answer in another place leaves its point unfound whatever the threshold:
    it adds a second pair, a point that is there with score 0.
    """
    right = exists & (errors_px <= DETECTION_PX)
    unfound = int((exists & ~right).sum())
    return (
        np.concatenate([scores, np.zeros(unfound)]),
        np.concatenate([right, np.ones(unfound, bool)]),
    )
