"""What claims share when they judge: findings of what a run did not measure, verdicts, and what of a share is noise."""

from __future__ import annotations

import math

from core.contracts.claims import Finding, Verdict
from core.contracts.text import Text

SURE = 2.0
"""Standard errors that make a difference more than noise."""


def not_tested(text: Text) -> Finding:
    return Finding(Verdict.NOT_TESTED, text)


def verdict(holds: bool, limited: bool = False) -> Verdict:
    if not holds:
        return Verdict.DOES_NOT_HOLD
    return Verdict.HOLDS_WITH_LIMIT if limited else Verdict.HOLDS


def noise(share: float, count: int, other: float = 0.0, other_count: int = 0) -> float:
    """The difference of two shares of so many questions that is still noise: SURE standard errors. A share of 0 or 1 is
    counted as if one more question had been answered otherwise."""
    return SURE * math.sqrt(_variance(share, count) + _variance(other, other_count))


def _variance(share: float, count: int) -> float:
    if count < 1:
        return 0.0
    smoothed = (share * count + 1) / (count + 2)
    return smoothed * (1 - smoothed) / count
