"""Loops that never end are stopped at once, with what they wait for; loops that end are not."""

from __future__ import annotations

import _thread
import re
from typing import Any

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from core.trace.record import Fault
from tests.sanitizer import progress_kernels as kernels


def found(name: str) -> Fault:
    with (
        pytest.raises(TilescopeError, match="was stopped, because it would never end"),
        intercept(faults="record") as t,
    ):
        getattr(kernels, name)()
    return next(fault for fault in t.launches[-1].faults if fault.kind == "no progress")


@pytest.mark.parametrize(
    "name",
    [
        "locks_in_the_same_order",
        "barrier_of_all_programs",
        "turns",
        "timeout",
        "questions_that_change_the_answer",
        "tiles",
        "range_in_steps",
        "hailstones",
        "counts_in_one_tensor",
        "counts_in_a_view",
        "waits_in_one_tensor",
    ],
)
def test_that_loops_that_end_are_no_finding(name: str) -> None:
    with intercept(faults="record") as tracer:
        getattr(kernels, name)()
    assert [fault for launch in tracer.launches for fault in launch.faults] == []


@pytest.mark.parametrize(
    ("name", "program", "value", "parts"),
    [
        (
            "locks_in_opposite_order",
            0,
            "1",
            [
                r"until locks\[1\] is 0: it is 1",
                r"Program \(1, 0, 0\) changed it last, .*until locks\[0\] is 0",
                "All 2",
            ],
        ),
        ("barrier_of_more_programs", 0, "3", [r"until counter\[0\] is at least 4: it is 3", "All 3 programs wait"]),
        ("turns_that_begin_late", 0, "4", [r"until turn\[0\] is 0: it is 4"]),
        ("tiles_of_step_zero", 0, "", ["iteration 1 begins with the values of iteration 0"]),
        ("tiles_backwards", 0, "", ["first begins at 0 and changes by -16"]),
        ("counts_in_another_tensor", 0, "", ["It goes on while 0 < 10"]),
        ("cycle_of_two", 0, "", ["begins with the values of"]),
        ("range_of_step_zero", 0, "", ["counts from 0 to 8 in steps of 0"]),
    ],
)
def test_that_loops_that_never_end_are_found(name: str, program: int, value: str, parts: list[str]) -> None:
    fault = found(name)
    assert (fault.severity, fault.program, fault.value) == ("fault", program, value)
    for part in parts:
        assert re.search(part, str(fault.sentence)), str(fault.sentence)


def test_that_a_barrier_of_more_programs_names_their_number() -> None:
    assert "Wait for as many as there are programs: 3, not 4." in str(found("barrier_of_more_programs").repair)


def test_that_a_finding_names_the_place_in_memory_and_who_changed_it() -> None:
    fault = found("locks_in_opposite_order")
    assert (fault.access, fault.index, fault.other_program) == ("atomic", 1, 1)
    assert "same order" in str(fault.repair)


def test_that_programs_that_wait_run_in_the_modes_of_the_caller() -> None:
    with torch.inference_mode(), intercept():
        kernels.turns()


@pytest.mark.parametrize("started", [0, 1])
def test_that_a_thread_that_cannot_start_ends_the_launch(started: int, monkeypatch: pytest.MonkeyPatch) -> None:
    start, left = _thread.start_new_thread, [True] * started

    def limited(*arguments: Any) -> int:
        if not left:
            raise RuntimeError("can't start new thread")
        left.pop()
        return start(*arguments)

    monkeypatch.setattr(_thread, "start_new_thread", limited)
    with pytest.raises(TilescopeError, match="the system starts no more threads"), intercept():
        kernels.turns()
