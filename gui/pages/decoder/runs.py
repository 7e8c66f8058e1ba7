"""Which run belongs to what is drawn, and how its numbers were obtained."""

from __future__ import annotations

from dataclasses import replace

from core.contracts.result import Provenance, Result
from core.topics.decoder.model import Plan

_OF_THE_CHANGE = ("perturb", "position")
_OF_ALL_CHANGES = ("influence.", "gradient.", "past.", "future.", "source.", "pads.", "paths")


def tensors_run(plan: Plan | None, result: Result | None) -> Result | None:
    """The run, where it was on the same texts and weights: another change of a token leaves its tensors true."""
    return _of(plan, result, apart_from=_OF_THE_CHANGE)


def changes_run(plan: Plan | None, result: Result | None) -> Result | None:
    """The run, where it was made with exactly the parameters that are drawn."""
    return _of(plan, result, apart_from=())


def with_what_stays(partial: Result, before: Result | None) -> Result:
    """A run in the making, with what an earlier one on the same texts and weights already found of all its tokens."""
    if before is None or _apart(before.params, _OF_THE_CHANGE) != _apart(partial.params, _OF_THE_CHANGE):
        return partial
    arrays = {name: array for name, array in before.arrays.items() if name.startswith(_OF_ALL_CHANGES)}
    tables = {name: rows for name, rows in before.tables.items() if name.startswith(_OF_ALL_CHANGES)}
    metrics = {name: metric for name, metric in before.metrics.items() if name.startswith(_OF_ALL_CHANGES)}
    return replace(
        partial,
        arrays=arrays | dict(partial.arrays),
        tables=tables | dict(partial.tables),
        metrics=metrics | dict(partial.metrics),
    )


def provenance(result: Result | None, *names: str) -> Provenance | None:
    """How the first of these metrics that the run has was obtained."""
    found = (result.metrics[name].provenance for name in names if result is not None and name in result.metrics)
    return next(found, None)


def _of(plan: Plan | None, result: Result | None, apart_from: tuple[str, ...]) -> Result | None:
    if plan is None or result is None:
        return None
    same = _apart(result.params, apart_from) == _apart(plan.params.model_dump(mode="json"), apart_from)
    return result if same else None


def _apart(params: object, names: tuple[str, ...]) -> dict[str, object]:
    return {name: value for name, value in dict(params).items() if name not in names}  # type: ignore[call-overload]
