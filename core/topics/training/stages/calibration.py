"""Is a reward model as often right as it is sure? No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 5


@dataclass(frozen=True)
class Calibration:
    """Pairs by how sure the reward model is that the answer it prefers is preferred, from 0.5 to 1 in equal bins.

    `confidence` and `accuracy` are the means of each bin, float64 [bins], NaN where `pairs` [bins] is 0.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    pairs: np.ndarray

    @property
    def expected_error(self) -> float:
        """Mean distance of confidence and accuracy over all pairs (expected calibration error)."""
        used = self.pairs > 0
        distance = np.abs(self.confidence[used] - self.accuracy[used])
        return float((distance * self.pairs[used]).sum() / self.pairs.sum())


def calibration(margins: np.ndarray, bins: int = BINS) -> Calibration:
    """From the margins of pairs [pairs]: score of the answer that is preferred minus score of the other one."""
    confidence = 1 / (1 + np.exp(-np.abs(margins)))
    index = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(index, confidence, bins) / count
        right = np.bincount(index, margins > 0, bins) / count
    return Calibration(mean, right, count)
