"""The finding of claims about stages that a run did not finish."""

from __future__ import annotations

from core.contracts.claims import Finding
from core.contracts.judging import not_tested
from core.contracts.text import listed, sentences, tr
from core.topics.training.result import TrainingResult
from core.topics.training.stage_ids import STAGE_LABELS


def not_run(result: TrainingResult, *stages: str) -> Finding | None:
    """The finding if a stage did not come to its end. None if all did."""
    missing = [stage for stage in stages if stage not in result.stages or not result.stages[stage].finished]
    if not missing:
        return None
    names = listed(STAGE_LABELS[stage] for stage in missing)
    stopped = [result.stages[stage].error for stage in missing if stage in result.stages]
    text = tr("This run did not finish {stages}: run all stages.", stages=names)
    return not_tested(sentences(text, *stopped))
