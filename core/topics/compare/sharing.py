"""A comparison in parts for several workers: where nothing is timed, every point can be run by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.families.axes import case_text
from core.recordings.run import Device, FamilyRun
from core.topics.compare.params import CompareParams
from core.topics.compare.plan import NO_SWEEP, plan


def parts_of(params: CompareParams) -> tuple[CompareParams, ...]:
    """One comparison per point where nothing is timed. Timed points stay together, on one worker: only times that were
    taken there can be compared."""
    points = plan(params.changed(recordings="")).points
    if (params.timed and params.checked) or len(points) < 2:
        return (params,)
    return tuple(params.changed(case=case_text(point.case), sweep=NO_SWEEP, second_sweep="") for point in points)


def joined(params: CompareParams, runs: Iterable[FamilyRun]) -> tuple[FamilyRun, ...]:
    """The runs of parts as those of the whole comparison, with the points in the order given: one per device."""
    by_device: dict[Device, FamilyRun] = {}
    for run in runs:
        before = by_device.get(run.device)
        by_device[run.device] = run if before is None else replace(before, points=(*before.points, *run.points))
    swept = tuple(axis.name for axis, _ in plan(params.changed(recordings="")).swept)
    return tuple(replace(run, swept=swept) for run in by_device.values())
