"""The form takes the sizes of a recording: the cases of the plan are those that were recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.recordings.run import Device, FamilyRun, Point
from core.topics.compare.params import CompareParams
from core.topics.compare.plan import plan
from core.topics.compare.recorded_sizes import params_with_sizes_of


def recorded(params: CompareParams) -> FamilyRun:
    """A run with the cases of the plan, and no outcomes."""
    planned = plan(params)
    points = tuple(Point(point.case) for point in planned.points)
    swept = tuple(axis.name for axis, _ in planned.swept)
    return FamilyRun(params.family, Device("cuda", "NVIDIA H200"), swept=swept, points=points)


@pytest.mark.parametrize(
    "params",
    [
        CompareParams(size="full"),  # where the batch follows from the length
        CompareParams(sweep="none", case="seq_len=100, mask=none"),
        CompareParams(sweep="seq_len=64,128", second_sweep="mask=causal,none"),
    ],
    ids=["full", "one point", "two sweeps"],
)
def test_that_the_plan_has_the_recorded_cases(params: CompareParams) -> None:
    run = recorded(params)

    taken = plan(params_with_sizes_of(run, CompareParams(case="dtype=fp16", contenders="sdpa-flash")))

    assert [dict(point.case) for point in taken.points] == [dict(point.case) for point in run.points]
    assert [contender.id for contender in taken.contenders] == ["sdpa-flash"]


def test_that_a_family_of_another_version_changes_nothing() -> None:
    unknown = replace(recorded(CompareParams()), family="of-tomorrow")

    assert params_with_sizes_of(unknown, CompareParams()) == CompareParams()
