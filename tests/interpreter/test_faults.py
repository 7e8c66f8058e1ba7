"""Faults that are recorded instead of raised."""

from __future__ import annotations

import torch

from core.interpreter import intercept
from tests.interpreter import traced_kernels as kernels


def test_that_a_recorded_fault_names_its_place_and_the_rest_is_executed() -> None:
    x, o = torch.arange(32.0), torch.full((32,), torch.nan)
    with intercept(faults="record") as tracer:
        kernels.overrun_kernel[(2,)](x, o, BLOCK=16)
    assert o.tolist() == [*range(1, 32), 0]
    (launch,) = tracer.launches
    (fault,) = launch.faults
    assert (fault.kind, fault.access, fault.program, fault.index, fault.count) == ("out of bounds", "load", 1, 32, 1)
    assert launch.buffers[fault.buffer].name == "x_ptr"
    assert fault.line == launch.accesses[0].line
    assert "program (1, 0, 0) reaches index 32 of x_ptr" in str(fault.sentence)
    assert launch.accesses[0].active().sum() == 31


def test_that_faults_of_one_line_are_counted_over_iterations_and_chunks() -> None:
    x, o = torch.arange(20.0), torch.full((4,), torch.nan)
    for budget in (1, 2 << 30):
        with intercept(faults="record", memory_budget_bytes=budget) as tracer:
            kernels.running_kernel[(4,)](x, o, 8, BLOCK=8)
        (fault,) = tracer.launches[0].faults
        assert (fault.access, fault.program, fault.count) == ("load", 3, 4 + 4 + 8)


def test_that_a_store_out_of_bounds_leaves_the_rest_of_the_tile() -> None:
    x, o = torch.ones(32), torch.zeros(20)
    with intercept(faults="record") as tracer:
        kernels.add_kernel[(2,)](x, x, o, 32, BLOCK=16)
    assert o.tolist() == [2.0] * 20
    (fault,) = tracer.launches[0].faults
    assert (fault.access, fault.index, fault.count) == ("store", 20, 12)
