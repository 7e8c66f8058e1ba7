"""AdaLoRA's triplets: their importance, which ones are kept, and their recorded history.

A triplet is a row of Q (peft's A), a singular value (E) and a column of P (peft's B). All values are float32, as in
peft. Equation numbers refer to arXiv 2303.10512.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts.archive import Array


@dataclass(frozen=True)
class SmoothedScores:
    """Smoothed sensitivity (eq. 9) and uncertainty (eq. 10) of every element of one weight tensor, in its shape."""

    sensitivity: np.ndarray
    uncertainty: np.ndarray

    @classmethod
    def zeros(cls, like: np.ndarray) -> SmoothedScores:
        return cls(np.zeros_like(like), np.zeros_like(like))

    @property
    def score(self) -> np.ndarray:
        """s = sensitivity x uncertainty (eq. 11)."""
        score: np.ndarray = self.sensitivity * self.uncertainty
        return score

    def updated(self, weights: np.ndarray, gradients: np.ndarray, beta1: float, beta2: float) -> SmoothedScores:
        """The scores after one more step. The sensitivity of an element is I = |w dL/dw| (eq. 8), smoothed with beta1
        (eq. 9). The distance of I from its smoothed value is smoothed with beta2 (eq. 10)."""
        current = np.abs(weights * gradients)
        sensitivity = beta1 * self.sensitivity + (1 - beta1) * current
        uncertainty = beta2 * self.uncertainty + (1 - beta2) * np.abs(current - sensitivity)
        return SmoothedScores(sensitivity, uncertainty)


def triplet_scores(a: np.ndarray, e: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Triplet scores of one matrix, [r], from element scores of A [r, in], E [r, 1] and B [out, r]: the score of the
    singular value plus the mean scores of both vectors (eq. 7)."""
    scores: np.ndarray = e[:, 0] + a.mean(axis=1) + b.mean(axis=0)
    return scores


def kept_triplets(scores: Sequence[np.ndarray], budget: int) -> list[np.ndarray]:
    """Which triplets stay, bool [r] per matrix: the `budget` best of all matrices together (eq. 6).

    As in peft, triplets that tie with the best pruned one are pruned too. A budget for all triplets prunes nothing.
    """
    ranked = np.sort(np.concatenate(scores))
    pruned = len(ranked) - budget
    if pruned <= 0:
        return [np.ones(len(matrix_scores), dtype=bool) for matrix_scores in scores]
    threshold = ranked[pruned - 1]
    return [matrix_scores > threshold for matrix_scores in scores]


@dataclass(frozen=True)
class Triplets:
    """The triplets of one matrix at one recorded step: float [init_r] each, NaN if peft has none; `kept` bool [init_r].

    `importance` scores the whole triplet. `sensitivity` and `uncertainty` are the smoothed values of its singular value
    E alone. All scores are those of `scored_step`, because peft keeps no scores in the final phase; the last ones set
    the masks. `lowest_kept` is the lowest score kept in any matrix at `step`, NaN while nothing is pruned.
    """

    step: int
    scored_step: int
    importance: np.ndarray
    sensitivity: np.ndarray
    uncertainty: np.ndarray
    singular_value: np.ndarray
    kept: np.ndarray
    lowest_kept: float = float("nan")

    @property
    def count(self) -> int:
        return int(self.kept.size)

    @property
    def rank(self) -> int:
        """The number of triplets kept."""
        return int(self.kept.sum())


@dataclass(frozen=True)
class TripletFrames:
    """Triplets at the recorded `steps`, int64 [frames], ascending; they always include the last step.

    The other arrays are float32 [frames, matrices, init_r]; `kept` is bool. Scores are NaN if peft has none: in the
    final phase, and if update_and_allocate is not called.
    """

    steps: Array
    importance: Array
    sensitivity: Array
    uncertainty: Array
    singular_value: Array
    kept: Array

    def triplets(self, matrix: int, step: int) -> Triplets:
        """The triplets of a matrix at the last frame that is not after `step`, or at the first frame."""
        frame = max(0, int(np.searchsorted(self.steps, step, side="right")) - 1)
        scored = self._scored_frame(matrix, frame)
        importance, kept = self.importance[scored], self.kept[frame]
        scores = importance[kept & np.isfinite(importance)]
        pruned = not kept.all()
        return Triplets(
            step=int(self.steps[frame]),
            scored_step=int(self.steps[scored]),
            importance=importance[matrix],
            sensitivity=self.sensitivity[scored, matrix],
            uncertainty=self.uncertainty[scored, matrix],
            singular_value=self.singular_value[frame, matrix],
            kept=kept[matrix],
            lowest_kept=float(scores.min()) if pruned and scores.size else float("nan"),
        )

    def _scored_frame(self, matrix: int, frame: int) -> int:
        """The last frame up to `frame` in which the matrix has scores; `frame` if there is none."""
        scored = np.flatnonzero(np.isfinite(self.importance[: frame + 1, matrix]).any(axis=1))
        return int(scored[-1]) if scored.size else frame


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman correlation with averaged ranks for ties. NaN for fewer than three values, or if an input is constant or
    contains NaN."""
    if len(first) < 3 or np.isnan(first).any() or np.isnan(second).any():
        return float("nan")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last_ranks = np.cumsum(counts)
    return (last_ranks - (counts - 1) / 2)[inverse]
