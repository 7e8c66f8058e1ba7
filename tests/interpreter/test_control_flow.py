"""Lanes that diverge and converge, for any mix of programs, against Python."""

from __future__ import annotations

import torch
import triton
from hypothesis import given, settings
from hypothesis import strategies as st

from core.interpreter import intercept
from tests.interpreter import coverage_kernels, traced_kernels

BUDGETS = st.sampled_from([1, 1 << 30])


@settings(max_examples=20)
@given(lengths=st.lists(st.sampled_from([0, 1, 4, 5, 6, 9]), min_size=1, max_size=12), budget=BUDGETS)
def test_that_programs_leave_where_they_return(lengths: list[int], budget: int) -> None:
    programs = len(lengths)
    x = torch.randn(programs, 16, generator=torch.Generator().manual_seed(programs))
    o = torch.full((programs, 16), torch.nan)
    with intercept(memory_budget_bytes=budget) as tracer:
        coverage_kernels.early_return_kernel[(programs,)](x, torch.tensor(lengths, dtype=torch.int32), o, BLOCK=16)
    expected = torch.full_like(o, torch.nan)
    for program, length in enumerate(lengths):
        if program == 1 or length == 0:
            continue
        whole = x[program] * (1 + sum(range(length))) * (2.0 if length > 4 else 1.0)
        expected[program] = -x[program] if length == 5 else whole
    torch.testing.assert_close(o, expected, rtol=1e-5, atol=1e-5, equal_nan=True)
    stored = sorted(int(p) for a in tracer.launches[0].accesses if a.kind == "store" for p in a.programs)
    assert stored == [p for p, length in enumerate(lengths) if p != 1 and length]


@settings(max_examples=20)
@given(programs=st.integers(1, 9), length=st.integers(1, 150), budget=BUDGETS)
def test_that_functions_that_are_called_are_executed_for_their_callers(programs: int, length: int, budget: int) -> None:
    x = torch.randn(length, generator=torch.Generator().manual_seed(length))
    o = torch.zeros(length)
    with intercept(memory_budget_bytes=budget):
        coverage_kernels.call_kernel[(programs,)](x, o, length, BLOCK=16)
    for program in range(programs):
        total = 1.0
        for i in range(program % 3):
            total += program + 0.5 if program == 2 else (program + 0.5) * (i + 2)
        factor = total if program == 2 else total * 3
        part = slice(program * 16, min(length, program * 16 + 16))
        torch.testing.assert_close(o[part], x[part] * factor, rtol=1e-5, atol=1e-5)
    assert not o[programs * 16 :].any()


def test_that_an_autotuner_around_heuristics_launches_many_times_with_its_choice_shown() -> None:
    configs = [triton.Config({}, num_warps=2), triton.Config({}, num_warps=8)]
    chosen = triton.heuristics({"BLOCK": lambda arguments: triton.next_power_of_2(arguments["length"]) // 2})(
        traced_kernels.add_kernel
    )
    tuned = triton.autotune(configs, key=["length"])(chosen)
    with intercept() as tracer:
        for length in (30, 100):
            x, o = torch.arange(float(length)), torch.full((length,), torch.nan)
            tuned[lambda meta, n=length: (triton.cdiv(n, meta["BLOCK"]),)](x, x, o, length)
            torch.testing.assert_close(o, 2 * x)
    assert [launch.grid for launch in tracer.launches] == [(2, 1, 1), (2, 1, 1)]
    assert all(launch.config.startswith("num_warps=2") for launch in tracer.launches)
