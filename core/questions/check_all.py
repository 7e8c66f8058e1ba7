"""Which runs are missing, so that every question has an answer from this machine, and in which order to run them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.contracts import registry
from core.durations import Predictor, RecordedRuns

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.questions.question import Question
    from core.questions.runs_here import RunsHere


@dataclass(frozen=True)
class PlannedRun:
    """A run that answers the questions `question_ids`. `predicted_s` is None where nothing is known."""

    page: str
    params: Params
    question_ids: tuple[str, ...]
    trains: bool
    predicted_s: float | None = None


def plan_runs(
    questions: Iterable[Question],
    runs_here: RunsHere,
    *,
    with_training: bool = True,
    recorded: RecordedRuns | None = None,
) -> tuple[PlannedRun, ...]:
    """The missing runs, the shortest first and those of unknown length last.

    Questions whose parameters need the same run share it: one run of everything serves those that need a part.
    """
    missing = [question for question in questions if not runs_here.has_run(question)]
    needed = _merged([question for question in missing if with_training or not question.trains])
    predictor = Predictor(recorded)
    for page in {run.page for run in needed} | predictor.recorded_pages:
        predictor.learn(page, runs_here.timings(page))
    timed = [replace(run, predicted_s=_seconds(predictor, run)) for run in needed]
    return tuple(sorted(timed, key=lambda run: math.inf if run.predicted_s is None else run.predicted_s))


def total_s(runs: Sequence[PlannedRun]) -> float | None:
    """How long all runs take, one after another; None if one is unknown."""
    times = [run.predicted_s for run in runs]
    known = [time for time in times if time is not None]
    return sum(known) if len(known) == len(times) else None


def _seconds(predictor: Predictor, run: PlannedRun) -> float | None:
    prediction = predictor.predict(registry.topic(run.page), run.params)
    return None if prediction is None else prediction.seconds


def _merged(questions: Sequence[Question]) -> list[PlannedRun]:
    runs: list[PlannedRun] = []
    for question in questions:
        serving = next((run for run in runs if _serves(run, question)), None)
        if serving is None:
            serving = PlannedRun(question.page, question.params, (), question.trains)
        # The question's own run may serve what earlier questions need a part of.
        parts = [run for run in runs if run is serving or _is_part_of(run, serving)]
        ids = (*(each for run in parts for each in run.question_ids), question.id)
        merged = replace(serving, question_ids=ids, trains=serving.trains or question.trains)
        place = runs.index(parts[0]) if parts else len(runs)
        runs = [run for run in runs if run not in parts]
        runs.insert(place, merged)
    return runs


def _serves(run: PlannedRun, question: Question) -> bool:
    return run.page == question.page and question.params.needs_same_run_as(run.params)


def _is_part_of(run: PlannedRun, other: PlannedRun) -> bool:
    return run.page == other.page and run.params.needs_same_run_as(other.params)
