"""Correct kernels in many styles: none is reported as faulty, and each computes what it should."""

from __future__ import annotations

import inspect
from types import FunctionType, ModuleType

import pytest

from core.interpreter import intercept
from core.sanitizer import findings
from tests.sanitizer import styles_of_memory, styles_of_order


def cases(module: ModuleType) -> list[FunctionType]:
    return [each for _, each in inspect.getmembers(module, inspect.isfunction)]


@pytest.mark.parametrize("case", [*cases(styles_of_order), *cases(styles_of_memory)], ids=lambda case: case.__name__)
def test_that_a_correct_kernel_has_no_fault(case: FunctionType) -> None:
    with intercept(faults="record") as tracer:
        case()
    assert tracer.launches
    found = [fault for launch in tracer.launches for fault in findings(launch)]
    assert [str(fault.sentence) for fault in found if fault.severity == "fault"] == []
