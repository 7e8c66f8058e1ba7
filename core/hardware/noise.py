"""Whether two sets of time samples can be told apart, by how much, and whether a warm-up has settled. numpy only.

Both tests are of ranks, so that a few slow samples decide nothing. Samples that were taken in turns are compared round
by round (Wilcoxon 1945, signed ranks): what slows a whole round down cancels out. Samples of separate runs are compared
all with all (Mann and Whitney 1947). Both are exact for candidates that are in truth equally fast, as long as rounds do
not depend on each other; where the differences of neighbouring rounds resemble each other, they are averaged first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
import numpy.typing as npt

from core.contracts.text import Text, tr

CONFIDENCE = 0.99
"""Of two candidates that are equally fast, at most one pair in a hundred is told apart by mistake."""

LEAST_DIFFERENCE = 0.01
"""Smaller differences are no verdict on code: where code and data happen to lie in memory changes times by more
(Mytkowicz et al. 2009, "Producing wrong data without doing anything obviously wrong!")."""

STABLE_WITHIN = 0.05
_STABLE_WINDOW = 3
_MOST_SAMPLES = 100
_DEPENDENT_FROM = 0.3
"""Autocorrelation of neighbouring rounds from which they are averaged in pairs."""

_ROUNDING = 1e-9
"""Scatter of logarithms that is only that of their arithmetic."""

Floats = npt.NDArray[np.float64]


class Verdict(StrEnum):
    """Whether B takes more or less time than A. UNKNOWN: there are too few samples to tell anything apart."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "not told apart"
    UNKNOWN = "too few samples"

    @property
    def label(self) -> Text:
        """The verdict as the user reads it; the value is what JSON holds."""
        return _LABELS[self]


_LABELS = {
    Verdict.FASTER: tr("faster"),
    Verdict.SLOWER: tr("slower"),
    Verdict.SAME: tr("cannot be told apart here"),
    Verdict.UNKNOWN: tr("too few samples to tell"),
}


@dataclass(frozen=True)
class Difference:
    """How many times as long as A does B take: an estimate, and the interval that holds it at `CONFIDENCE`.

    Without enough samples, `low` is 0 and `high` infinite.
    """

    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        if not math.isfinite(self.high):
            return Verdict.UNKNOWN
        if self.low > 1 and self.ratio >= 1 + LEAST_DIFFERENCE:
            return Verdict.SLOWER
        if self.high < 1 and self.ratio <= 1 - LEAST_DIFFERENCE:
            return Verdict.FASTER
        return Verdict.SAME


def difference(a: npt.ArrayLike, b: npt.ArrayLike, *, paired: bool) -> Difference:
    """Compares the times of B with those of A, in the order in which they were taken; all are positive.

    `paired`: sample i of both belongs to the same round. Samples beyond the shorter list are left out then. Of more
    than 100 samples, 100 spread evenly are used. NaN and (0, inf) where one has no samples.
    """
    logs = [np.log(_thinned(np.asarray(samples, dtype=np.float64).ravel())) for samples in (a, b)]
    if paired:
        count = min(map(len, logs))
        return _paired(logs[1][:count] - logs[0][:count])
    return _unpaired(*(_independent(log) for log in logs))


def is_settled(samples: Sequence[float]) -> bool:
    """Whether the medians of the last three samples and of the three before differ by at most 5%."""
    if len(samples) < 2 * _STABLE_WINDOW:
        return False
    before, last = (
        float(np.median(part)) for part in (samples[-2 * _STABLE_WINDOW : -_STABLE_WINDOW], samples[-_STABLE_WINDOW:])
    )
    return abs(last - before) <= STABLE_WITHIN * before


def _paired(logs: Floats) -> Difference:
    """The estimate of Hodges and Lehmann 1963: the median of the means of all pairs, and its exact interval."""
    logs = _independent(logs)
    if not len(logs):
        return Difference(math.nan, 0.0, math.inf)
    first, second = np.triu_indices(len(logs))
    return _interval((logs[first] + logs[second]) / 2, _signed_rank_tail(len(logs)))


def _unpaired(a: Floats, b: Floats) -> Difference:
    """The median of the differences of all samples of B to all of A, and its exact interval."""
    if not (len(a) and len(b)):
        return Difference(math.nan, 0.0, math.inf)
    return _interval(np.subtract.outer(b, a).ravel(), _rank_sum_tail(len(a), len(b)))


def _interval(logs: Floats, cut: int) -> Difference:
    """From all elementary estimates: their median, and those that remain after `cut` are cut off at either end."""
    logs = np.sort(logs)
    ratio = float(np.exp(np.median(logs)))
    if cut < 1:
        return Difference(ratio, 0.0, math.inf)
    return Difference(ratio, float(np.exp(logs[cut - 1])), float(np.exp(logs[-cut])))


def _independent(logs: Floats) -> Floats:
    """The values, or means of 2, 4, ... neighbours, so that neighbours depend little on each other."""
    while len(logs) >= 8 and _autocorrelation(logs) > _DEPENDENT_FROM:
        even = len(logs) // 2 * 2
        logs = logs[:even].reshape(-1, 2).mean(1)
    return logs


def _autocorrelation(values: Floats) -> float:
    centred = values - values.mean()
    power = float(centred @ centred)
    if power < _ROUNDING**2 * len(values):
        return 0.0
    return float(centred[1:] @ centred[:-1]) / power


def _thinned(samples: Floats) -> Floats:
    if len(samples) <= _MOST_SAMPLES:
        return samples
    return samples[np.linspace(0, len(samples) - 1, _MOST_SAMPLES).round().astype(np.int64)]


@cache
def _signed_rank_tail(count: int) -> int:
    """How many of the smallest (and of the largest) means lie outside the interval for `count` pairs."""
    ways = np.ones(1)
    for rank in range(1, count + 1):
        grown = np.zeros(len(ways) + rank)
        grown[: len(ways)] += ways / 2
        grown[rank:] += ways / 2
        ways = grown
    return _tail(ways)


@cache
def _rank_sum_tail(count_a: int, count_b: int) -> int:
    """The same for all pairs of samples: the distribution of Mann and Whitney's U."""
    # ways[i][u]: of the orders of i samples of A and j of B, the share in which u pairs have B before A.
    ways = [np.ones(1) for _ in range(count_a + 1)]
    for j in range(1, count_b + 1):
        row = [np.ones(1)]
        for i in range(1, count_a + 1):
            grown = np.zeros(i * j + 1)
            last_is_b, last_is_a = ways[i], row[i - 1]
            grown[: len(last_is_b)] += last_is_b * (j / (i + j))
            grown[j : j + len(last_is_a)] += last_is_a * (i / (i + j))
            row.append(grown)
        ways = row
    return _tail(ways[count_a])


def _tail(probabilities: Floats) -> int:
    """The most values of a statistic, counted from its end, that together have at most the probability of an error."""
    return int(np.searchsorted(np.cumsum(probabilities), (1 - CONFIDENCE) / 2, side="right"))
