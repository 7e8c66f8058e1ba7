"""Correct kernels in many styles have no fault, and compute what they should. Wrong ones have theirs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType

import pytest

from core.interpreter import intercept
from core.sanitizer import findings
from core.sanitizer import kinds as k
from core.trace.record import Fault
from tests.sanitizer import styles_of_memory, styles_of_order, wrong_styles

WRONG = {
    "read_before_lock": k.READ_WRITE_RACE,
    "plain_semaphore": k.WRITE_WRITE_RACE,
    "acquire_only_counter": k.READ_WRITE_RACE,
    "second_last_reduces": k.READ_WRITE_RACE,
    "shared_scratch": k.WRITE_WRITE_RACE,
    "chained_scan": k.READ_WRITE_RACE,
    "splitk_first_stores": k.ATOMIC_AND_PLAIN_ACCESS,
    "race_through_dtype_view": k.WRITE_WRITE_RACE,
    "bool_lanes": k.LANES_COLLIDE,
    "duplicate_slots": k.WRITE_WRITE_RACE,
    "slot_minus_one_in_view": k.OUTSIDE_THE_VIEW,
    "one_program_too_many": k.OUT_OF_BOUNDS,
    "where_after_wild_load": k.UNDEFINED_LANES,
    "max_of_undefined": k.UNDEFINED_LANES,
    "bitmask_int32": k.UNDEFINED_SHIFT,
    "autotune_one_forgotten": k.TUNED_IN_PLACE,
    "accumulate_permuted": k.UNINITIALISED_READ,
}


def cases(module: ModuleType) -> list[FunctionType]:
    return [each for _, each in inspect.getmembers(module, inspect.isfunction)]


@pytest.mark.parametrize("case", [*cases(styles_of_order), *cases(styles_of_memory)], ids=lambda case: case.__name__)
def test_that_a_correct_kernel_has_no_fault(case: FunctionType) -> None:
    assert [str(fault.sentence) for fault in faults(case)] == []


@pytest.mark.parametrize("name", WRONG)
def test_that_a_wrong_kernel_has_its_fault(name: str) -> None:
    assert WRONG[name] in {fault.kind for fault in faults(getattr(wrong_styles, name))}


def faults(case: Callable[[], object]) -> list[Fault]:
    with intercept(faults="record") as tracer:
        case()
    assert tracer.launches
    return [fault for launch in tracer.launches for fault in findings(launch) if fault.severity == "fault"]
