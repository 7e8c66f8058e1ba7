"""The metrics and messages of a run: those of its last point with outcomes, by contender."""

from __future__ import annotations

import math
from collections.abc import Iterable

from core.comparison import time_metrics
from core.contracts.result import Message, Metric, Provenance
from core.contracts.text import Text, tr, verbatim
from core.families.axes import case_text
from core.recordings.run import FamilyRun, Outcome, Point, share_of_ceiling

Metrics = dict[str, Metric]
_BUSY = 1.5
"""Load per core from which a notice says that other programs were running."""


def metrics(run: FamilyRun) -> Metrics:
    """Those that `CompareResult` lists."""
    found = _ceiling_metrics(run)
    point = last_point(run)
    if point is None:
        return found
    note = verbatim(case_text(point.case))
    if point.flops:
        found["formula.flops"] = Metric(point.flops, "FLOP", Provenance.MODELLED, note)
    if point.least_bytes:
        found["formula.least_bytes"] = Metric(point.least_bytes, "bytes", Provenance.MODELLED, note)
    for outcome in point.outcomes:
        found |= _outcome_metrics(run, point, outcome, note)
    return found


def last_point(run: FamilyRun) -> Point | None:
    """The last point that was run; None if there is none."""
    return next((point for point in reversed(run.points) if point.outcomes), None)


def messages(run: FamilyRun) -> tuple[Message, ...]:
    """Points without outcomes, wrong results, and what makes times doubtful."""
    return (*_problems(run.points), *_doubts(run))


def _ceiling_metrics(run: FamilyRun) -> Metrics:
    return {
        f"ceiling.{ceiling.id}": Metric(ceiling.per_s, ceiling.unit, run.provenance, ceiling.label)
        for ceiling in run.ceilings
    }


def _outcome_metrics(run: FamilyRun, point: Point, outcome: Outcome, note: Text) -> Metrics:
    name = outcome.impl
    found = time_metrics(name, outcome, note)
    if outcome.allowed_rms_error is not None:
        errors = {"max_abs_error": outcome.max_abs_error, "rms_error": outcome.rms_error}
        for error, value in errors.items():
            found[f"{name}.{error}"] = Metric(math.nan if value is None else value, "", outcome.provenance, note)
        found[f"{name}.allowed_rms_error"] = Metric(outcome.allowed_rms_error, "", outcome.measured, note)
    share = share_of_ceiling(run, point, outcome)
    if share is not None:
        ceiling, reached = share
        found[f"{name}.share_of_ceiling"] = Metric(
            100 * reached, "%", outcome.measured, tr("of {ceiling}, measured in this run", ceiling=ceiling)
        )
    if outcome.traced is not None:
        for count in ("read_bytes", "written_bytes", "unique_bytes"):
            value = float(getattr(outcome.traced, count))
            found[f"{name}.{count}"] = Metric(value, "bytes", Provenance.TRACED, note)
        if outcome.traced.product_flops:
            flops = float(outcome.traced.product_flops)
            found[f"{name}.product_flops"] = Metric(flops, "FLOP", Provenance.TRACED, note)
    if outcome.modelled is not None:
        for edge in ("low", "high"):
            value = float(getattr(outcome.modelled, f"{edge}_ms"))
            found[f"{name}.modelled_{edge}_ms"] = Metric(
                value, "ms", Provenance.MODELLED, verbatim(outcome.modelled.gpu)
            )
    return found


def _problems(points: Iterable[Point]) -> Iterable[Message]:
    for point in points:
        case = case_text(point.case)
        if point.problem:
            yield Message("warning", tr("{case}: {problem}", case=case, problem=point.problem))
        for outcome in point.outcomes:
            if outcome.passed is False:
                reason = outcome.reason or tr(
                    "its RMS error is {error:.2e}, and at most {allowed:.2e} is allowed",
                    error=math.nan if outcome.rms_error is None else outcome.rms_error,
                    allowed=outcome.allowed_rms_error or 0.0,
                )
                yield Message("warning", tr("{case}, {label}: {reason}", case=case, label=outcome.label, reason=reason))


def _doubts(run: FamilyRun) -> Iterable[Message]:
    conditions = [point.conditions for point in run.points if point.conditions.rounds]
    if any(not each.is_settled for each in conditions):
        yield Message("notice", tr("At some points the times had not settled when the warm-up ended: give more time."))
    loads = [each.load_before for each in conditions if each.load_before is not None]
    if run.device.kind == "cpu" and loads and max(loads) > _BUSY * max(1, run.device.cores):
        yield Message(
            "notice",
            tr(
                "Other programs were running: the load was {load:.1f} on {cores} cores.",
                load=max(loads),
                cores=run.device.cores,
            ),
        )
    throttled = {reason for each in conditions if each.clocks is not None for reason in each.clocks.throttled}
    if throttled:
        reasons = ", ".join(sorted(throttled))
        yield Message("notice", tr("The driver held the clocks of the GPU down: {reasons}.", reasons=reasons))
