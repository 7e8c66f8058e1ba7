"""Programs that spin are parked: the same values as one after another, fewer steps, and no wait that never ends."""

from __future__ import annotations

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from core.trace.record import Launch
from tests.interpreter import spin_kernels as kernels

BUDGETS = [1, 4000, 1 << 30]
"""Memory for one program at a time, for a few, and for all of them."""


def active(launch: Launch, kind: str) -> list[int]:
    """Programs by access, in the order of the trace."""
    return [int(p) for access in launch.accesses if access.kind == kind for p in access.programs]


@pytest.mark.parametrize("budget", BUDGETS)
def test_that_sums_under_locks_are_those_of_programs_in_order(budget: int) -> None:
    x = torch.randn(24, 16, generator=torch.Generator().manual_seed(0))
    o = torch.full((5, 16), torch.nan)
    locks, counts = torch.zeros(5, dtype=torch.int32), torch.zeros(5, dtype=torch.int32)
    with intercept(memory_budget_bytes=budget) as tracer:
        kernels.locked_sum_kernel[(24,)](x, o, locks, counts, 5, BLOCK=16)
    expected = x[:5].clone()
    for row in range(5, 24):
        expected[row % 5] += 0.5 * x[row]
    torch.testing.assert_close(o, expected)
    assert (locks.tolist(), counts.tolist()) == ([0] * 5, [1] * 5)
    launch = tracer.launches[0]
    # Lock, unlock, and the first program of each group sets its count: failed attempts are no accesses.
    assert sorted(active(launch, "atomic")) == sorted([*range(24), *range(24), *range(5)])
    assert active(launch, "store") == list(range(24))


def test_that_programs_with_locks_of_their_own_run_together() -> None:
    x, o = torch.randn(64, 16), torch.zeros(32, 16)
    locks, counts = torch.zeros(32, dtype=torch.int32), torch.zeros(32, dtype=torch.int32)
    with intercept() as tracer:
        kernels.locked_sum_kernel[(64,)](x, o, locks, counts, 32, BLOCK=16)
    stores = [len(access.programs) for access in tracer.launches[0].accesses if access.kind == "store"]
    assert stores == [32, 32]


@pytest.mark.parametrize("budget", BUDGETS)
def test_that_a_chain_of_programs_goes_on_one_by_one(budget: int) -> None:
    x = torch.arange(1.0, 13.0)
    flags, o = torch.zeros(14, dtype=torch.int32), torch.zeros(13)
    flags[0] = 1
    with intercept(memory_budget_bytes=budget) as tracer:
        kernels.chained_kernel[(12,)](x, flags, o)
    torch.testing.assert_close(o[1:], x.cumsum(0))
    assert active(tracer.launches[0], "store") == list(range(12))


@pytest.mark.parametrize("budget", BUDGETS)
def test_that_programs_may_wait_for_later_ones(budget: int) -> None:
    flags, o = torch.zeros(10, dtype=torch.int32), torch.zeros(10)
    flags[9] = 1
    with intercept(memory_budget_bytes=budget):
        kernels.backward_chain_kernel[(9,)](flags, o)
    assert o.tolist() == [9.0 - i for i in range(10)]


def test_that_a_wait_that_never_ends_is_one_sentence() -> None:
    flags, o = torch.zeros(10, dtype=torch.int32), torch.zeros(10)
    with pytest.raises(TilescopeError, match=r"spin_kernels.py:\d+ waits forever in program \(0, 0, 0\)"), intercept():
        kernels.backward_chain_kernel[(9,)](flags, o)
