"""NaN and infinity that a kernel makes of finite numbers, and casts out of range; what is given or meant is silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from core.interpreter import intercept
from core.sanitizer import kinds
from core.trace.record import Fault
from tests.interpreter import gluon_kernels
from tests.sanitizer import float_kernels as kernels

LARGE = torch.linspace(-200, 200, 80).reshape(4, 20)


def found(function: Callable[..., Any], *given: Any, addresses_only: bool = False) -> list[Fault]:
    with intercept(faults="record", addresses_only=addresses_only) as tracer:
        function(*given)
    return [fault for launch in tracer.launches for fault in launch.faults]


@pytest.mark.parametrize(
    ("how", "kind", "severity", "words"),
    [
        ("root", kinds.NAN_BORN, "fault", "sqrt(-2) is NaN in program (0, 0, 0): it reaches element [0] of what is"),
        ("normal", kinds.NAN_BORN, "fault", "0 * inf is NaN in program (0, 0, 0): it reaches element [20]"),
        ("inverse", kinds.INFINITY_BORN, "remark", "1 / 0 is inf in float32"),
        ("square", kinds.INFINITY_BORN, "remark", "-2e+30 * (-2e+30) is inf in float32"),
        ("sum", kinds.INFINITY_BORN, "remark", "the sum of 32 elements from -2e+38 to 1.1e+38 is -inf in float32"),
        ("half", kinds.CAST_OVERFLOW, "fault", "casts -2000000 to float16, whose largest number is 65504"),
        ("eight bits", kinds.CAST_OVERFLOW, "remark", "casts -2000 to float8_e4m3fn, whose largest number is 448"),
        ("condition", kinds.NAN_BORN, "fault", "0 / 0 is NaN in program (0, 0, 0): a condition at"),
    ],
)
def test_that_the_operation_and_its_operands_are_named(how: str, kind: str, severity: str, words: str) -> None:
    (fault,) = [fault for fault in found(kernels.map_, how) if fault.kind == kind]
    assert fault.severity == severity
    assert words in str(fault.sentence)
    assert str(fault.repair).endswith(".")


@pytest.mark.parametrize("how", ["chosen", "sigmoid", "float", "clamped", "branch", "asked"])
def test_that_numbers_that_are_dropped_clamped_or_asked_for_are_silent(how: str) -> None:
    assert found(kernels.map_, how) == []


def test_that_an_infinity_that_makes_nan_is_told_with_it() -> None:
    remark, fault = sorted(found(kernels.softmax, "none", LARGE), key=lambda each: each.line)
    assert (remark.kind, fault.kind, fault.count) == (kinds.INFINITY_BORN, kinds.NAN_BORN, 22)
    assert "exp(93.67089) is inf in float32 in program (2, 0, 0)" in str(remark.sentence)
    assert "inf / inf is NaN in program (2, 0, 0): it reaches element [18]" in str(fault.sentence)
    assert found(kernels.softmax, "maximum", LARGE) == []


def test_that_a_row_without_any_key_is_a_fault_unless_it_is_handled() -> None:
    (fault,) = found(kernels.softmax, "causal")
    assert (fault.kind, fault.program, fault.element) == (kinds.NAN_BORN, 0, (0,))
    assert "-inf - (-inf) is NaN" in str(fault.sentence)
    assert found(kernels.softmax, "safe") == []


def test_that_nan_and_infinity_of_the_input_are_not_blamed_on_the_kernel() -> None:
    given = torch.zeros(4, 20)
    given[1, 3], given[2], given[3, 3] = -torch.inf, -torch.inf, torch.nan
    assert found(kernels.softmax, "maximum", given) == []
    assert found(kernels.map_, "root", torch.tensor([torch.nan, torch.inf])) == []


def test_that_a_product_beyond_the_range_is_a_remark_and_one_within_is_silent() -> None:
    (remark,) = found(kernels.multiply, 1e38)
    assert "the dot product of 16 elements up to 1e+38 and 1 in magnitude is inf in float32" in str(remark.sentence)
    assert found(kernels.multiply, 1.0) == []


def test_that_a_kernel_that_works_in_place_is_looked_at_again_without_a_trace_in_its_tensors() -> None:
    with intercept(faults="record") as tracer:
        looked_at = kernels.update()
    (remark,) = tracer.launches[0].faults
    assert (remark.kind, remark.iteration, remark.element) == (kinds.INFINITY_BORN, (1,), (9,))
    with intercept():
        assert torch.equal(looked_at, kernels.update())


def test_that_what_is_written_through_a_pointer_from_memory_is_written_once() -> None:
    with intercept(faults="record"):
        assert kernels.by_table()[1:].eq(2).all()


@pytest.mark.parametrize(("divides", "kinds_found"), [(True, [kinds.NAN_BORN]), (False, [])])
def test_that_programs_that_draw_tickets_are_looked_at_again_with_the_same_tickets(
    divides: bool, kinds_found: list[str]
) -> None:
    with intercept(faults="record") as tracer:
        counter, o = kernels.by_ticket(divides)
    assert [fault.kind for fault in tracer.launches[0].faults] == kinds_found
    assert counter == 4
    assert o.isnan().all() == divides


def test_that_a_launch_that_is_stopped_while_its_floats_are_looked_at_is_kept() -> None:
    def stop_in_the_second_run(done: float, *_: object) -> None:
        reports.append(done)
        if reports.count(0.0) == 2:
            raise KeyboardInterrupt

    reports: list[float] = []
    with pytest.raises(KeyboardInterrupt), intercept(faults="record", progress=stop_in_the_second_run) as tracer:
        kernels.update()
    assert [launch.function for launch in tracer.launches] == ["in_place"]


def test_that_a_trace_of_addresses_only_knows_nothing_of_floats() -> None:
    assert found(kernels.softmax, "none", LARGE, addresses_only=True) == []


def test_that_a_gluon_kernel_that_stores_infinity_runs_without_a_second_look() -> None:
    x, y = torch.full((3, 200), 3e38), torch.zeros(3)
    launch = gluon_kernels.pipelined_sum_kernel[(3,)]
    assert found(lambda: launch(x, y, 200, N=64, BUFFERS=2, LEFT=1)) == []
    assert y.isinf().all()
