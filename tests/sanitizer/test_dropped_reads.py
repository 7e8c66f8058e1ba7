"""A read of what is undefined is a fault where its value gets on, and none where it is dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import verbatim
from core.interpreter import intercept
from core.sanitizer import findings
from core.sanitizer.kinds import READ_WRITE_RACE, UNINITIALISED_READ
from core.trace.record import Fault
from tests.sanitizer import dropped_kernels as kernels


def found(function: Callable[[], Any]) -> tuple[Any, list[Fault]]:
    with intercept(faults="record") as tracer:
        result = function()
    return result, [fault for launch in tracer.launches for fault in findings(launch)]


@pytest.mark.parametrize("dtype", [torch.int32, torch.float32])
@pytest.mark.parametrize("how", ["where", "masked store", "print"])
def test_that_unwritten_memory_whose_value_is_dropped_is_silent(how: str, dtype: torch.dtype) -> None:
    assert found(lambda: kernels.workspace(how, dtype))[1] == []


def test_that_an_unwritten_index_that_a_mask_drops_is_silent() -> None:
    assert found(lambda: kernels.workspace("masked address"))[1] == []


@pytest.mark.parametrize(
    "how", ["sum", "maximum", "branch", "assertion", "address", "gather", "sort", "loop", "one of two"]
)
def test_that_unwritten_memory_whose_value_gets_on_is_found(how: str) -> None:
    assert UNINITIALISED_READ in [fault.kind for fault in found(lambda: kernels.workspace(how))[1]]


def test_that_the_maximum_with_unwritten_memory_is_found_though_it_is_no_nan() -> None:
    assert [fault.kind for fault in found(lambda: kernels.workspace("maximum", torch.float32))[1]] == [
        UNINITIALISED_READ
    ]


@pytest.mark.parametrize(("how", "severity"), [("where", "remark"), ("", "fault")])
def test_that_a_racing_read_is_a_remark_where_its_value_is_dropped(how: str, severity: str) -> None:
    x, (race,) = found(lambda: kernels.rows(how))
    assert (race.kind, race.severity, race.index) == (READ_WRITE_RACE, severity, 30)
    if how:
        assert x.eq(1 / 30).all(), "what runs again is taken back"


def test_that_what_runs_again_leaves_memory_as_it_was() -> None:
    o, _ = found(lambda: kernels.workspace("where"))
    assert o[0] == kernels.N


def test_that_a_launch_that_is_stopped_while_it_runs_again_is_kept() -> None:
    reports = 0

    def stop_in_the_second_run(*_: object) -> None:
        nonlocal reports
        reports += 1
        if reports > once:
            raise TilescopeError(verbatim("stopped"))

    once = 10**9
    with intercept(faults="record", progress=stop_in_the_second_run):
        kernels.rows("")
    reports, once = 0, reports - 1
    with pytest.raises(TilescopeError), intercept(faults="record", progress=stop_in_the_second_run) as tracer:
        kernels.rows("")
    assert [fault.kind for fault in findings(tracer.launches[0])] == [READ_WRITE_RACE]
