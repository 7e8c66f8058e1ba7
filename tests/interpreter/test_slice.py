"""Addresses only: the same accesses as a full run, whatever the control flow, or one sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import Launch, intercept
from kernels.attention import Impl, attention
from tests.interpreter import sliced_kernels as kernels
from tests.interpreter.access_counts import access_counts
from tests.interpreter.traced_cases import CASES


def traced(run: Callable[[], object], *, addresses_only: bool) -> list[Launch]:
    with intercept(addresses_only=addresses_only) as tracer:
        run()
    return tracer.launches


def assert_same_accesses(run: Callable[[], object]) -> None:
    full, sliced = (traced(run, addresses_only=only) for only in (False, True))
    assert len(full) == len(sliced) > 0
    for expected, launch in zip(full, sliced, strict=True):
        assert access_counts(launch) == access_counts(expected)


@pytest.mark.parametrize("case", CASES)
def test_that_a_slice_makes_the_accesses_of_the_full_run(case: str) -> None:
    assert_same_accesses(CASES[case])


def test_that_flash_makes_its_accesses_without_its_arithmetic() -> None:
    tensors = [torch.randn(1, 4, 1024, 64, generator=torch.Generator().manual_seed(i)) for i in range(3)]

    def flash() -> torch.Tensor:
        return attention(*tensors, impl=Impl.TRITON_FLASH, causal=True)  # type: ignore[return-value]

    assert_same_accesses(flash)


def test_that_early_returns_and_tickets_are_followed() -> None:
    x, o, counter = torch.randn(96), torch.zeros(96), torch.zeros(1, dtype=torch.int32)
    assert_same_accesses(lambda: kernels.early_return_kernel[(6,)](x, o, 90, BLOCK=16))
    assert_same_accesses(lambda: kernels.counted_kernel[(6,)](x, counter.zero_(), o, BLOCK=16))


def test_that_results_are_not_written() -> None:
    x, o = torch.randn(64), torch.full((64,), torch.nan)
    traced(lambda: kernels.early_return_kernel[(4,)](x, o, 64, BLOCK=16), addresses_only=True)
    assert o.isnan().all()


def test_that_addresses_from_unwritten_stores_are_refused() -> None:
    x, index, o = torch.randn(16), torch.zeros(16, dtype=torch.int32), torch.zeros(16)

    def within() -> None:
        kernels.store_then_gather_kernel[(1,)](x, index, o, BLOCK=16)

    def across() -> None:
        kernels.reversed_indices_kernel[(1,)](index, BLOCK=16)
        kernels.gather_kernel[(1,)](x, index, o, BLOCK=16)

    for run in (within, across):
        with pytest.raises(TilescopeError, match=r"Addresses depend on .* loads from index_ptr.* trace with data\."):
            traced(run, addresses_only=True)
        assert traced(run, addresses_only=False)


def test_that_another_trace_forgets_unwritten_stores() -> None:
    x, index, o = torch.randn(16), torch.zeros(16, dtype=torch.int32), torch.zeros(16)
    traced(lambda: kernels.reversed_indices_kernel[(1,)](index, BLOCK=16), addresses_only=True)
    assert traced(lambda: kernels.gather_kernel[(1,)](x, index, o, BLOCK=16), addresses_only=True)
