"""What the claims share: findings for what a run did not measure, and when a difference is more than noise."""

from __future__ import annotations

import math

from core.contracts.claims import Finding, Verdict
from core.contracts.text import Text, listed, sentences, tr
from core.topics.training.result import TrainingResult
from core.topics.training.stage_ids import STAGE_LABELS

SURE = 2.0
"""Standard errors that make a difference more than noise."""


def not_run(result: TrainingResult, *stages: str) -> Finding | None:
    """The finding if a stage did not come to its end. None if all did."""
    missing = [stage for stage in stages if stage not in result.stages or not result.stages[stage].finished]
    if not missing:
        return None
    names = listed(STAGE_LABELS[stage] for stage in missing)
    stopped = [result.stages[stage].error for stage in missing if stage in result.stages]
    text = tr("This run did not finish {stages}: run all stages.", stages=names)
    return Finding(Verdict.NOT_TESTED, sentences(text, *stopped))


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
