"""AdaLoRA's triplets: how important each is, which are kept, and what was recorded of them.

A triplet is a row of Q (peft's A), a singular value (E) and a column of P (B). In float32, as peft computes. Numbers of
equations are those of arXiv 2303.10512.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts.archive import Array


@dataclass(frozen=True)
class Smoothed:
    """Of every element of one tensor of weights, in its shape: sensitivity (eq. 9) and uncertainty (eq. 10)."""

    sensitivity: np.ndarray
    uncertainty: np.ndarray

    @classmethod
    def zeros(cls, like: np.ndarray) -> Smoothed:
        return cls(np.zeros_like(like), np.zeros_like(like))

    @property
    def score(self) -> np.ndarray:
        """s = sensitivity x uncertainty (eq. 11)."""
        score: np.ndarray = self.sensitivity * self.uncertainty
        return score

    def updated(self, weights: np.ndarray, gradients: np.ndarray, beta1: float, beta2: float) -> Smoothed:
        """After one more step. The sensitivity of an element is I = |w dL/dw| (eq. 8); it is smoothed with beta1
        (eq. 9), and its distance from what it is smoothed to with beta2 (eq. 10)."""
        now = np.abs(weights * gradients)
        sensitivity = beta1 * self.sensitivity + (1 - beta1) * now
        uncertainty = beta2 * self.uncertainty + (1 - beta2) * np.abs(now - sensitivity)
        return Smoothed(sensitivity, uncertainty)


def triplet_scores(a: np.ndarray, e: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scores of the triplets of one matrix, [r], from those of the elements of A [r, in], E [r, 1] and B [out, r]: that
    of the singular value, and the means over both vectors (eq. 7)."""
    scores: np.ndarray = e[:, 0] + a.mean(axis=1) + b.mean(axis=0)
    return scores


def kept(scores: Sequence[np.ndarray], budget: int) -> list[np.ndarray]:
    """Which triplets stay, by matrix, bool [r]: the `budget` best of all matrices together (eq. 6).

    As in peft, those that tie with the best one to go, go too. With a budget for all of them nothing goes.
    """
    ranked = np.sort(np.concatenate(scores))
    going = len(ranked) - budget
    if going <= 0:
        return [np.ones(len(of_matrix), dtype=bool) for of_matrix in scores]
    threshold = ranked[going - 1]
    return [of_matrix > threshold for of_matrix in scores]


@dataclass(frozen=True)
class Triplets:
    """Those of one matrix at one recorded step: float [init_r] each, NaN where peft has none; `kept` bool [init_r].

    `importance` scores the whole triplet; `sensitivity` and `uncertainty` are of its singular value E alone, smoothed.
    They are of `scored_step`: after tfinal peft keeps no scores any more, and the last ones set the masks.
    `lowest_kept` is the least score that any matrix kept at `step`, NaN while nothing was pruned.
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
        """How many are kept."""
        return int(self.kept.sum())


@dataclass(frozen=True)
class TripletFrames:
    """Triplets at the recorded `steps`, int64 [frames], ascending, the last step always among them.

    The others are float32 [frames, matrices, init_r], `kept` bool; scores are NaN where peft has none (after tfinal,
    and without update_and_allocate).
    """

    steps: Array
    importance: Array
    sensitivity: Array
    uncertainty: Array
    singular_value: Array
    kept: Array

    def triplets(self, matrix: int, step: int) -> Triplets:
        """Of a matrix at the last frame that is not after `step`, the first frame before that."""
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
        """The last frame up to `frame` in which the matrix has scores; `frame` without any."""
        scored = np.flatnonzero(np.isfinite(self.importance[: frame + 1, matrix]).any(axis=1))
        return int(scored[-1]) if scored.size else frame


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of ranks, ties sharing theirs; NaN where one of both is constant or has a NaN, or fewer than three
    are given."""
    if len(first) < 3 or np.isnan(first).any() or np.isnan(second).any():
        return float("nan")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return (ends - (count - 1) / 2)[place]
