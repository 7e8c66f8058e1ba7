"""Which triplets matter: AdaLoRA's importance, written out. Numbers of equations are those of arXiv 2303.10512.

A triplet is a row of Q (peft's A), a singular value (E) and a column of P (B). In float32, as peft computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
        found: np.ndarray = self.sensitivity * self.uncertainty
        return found

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
    found: np.ndarray = e[:, 0] + a.mean(axis=1) + b.mean(axis=0)
    return found


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
