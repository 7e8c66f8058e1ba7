"""Programs run in chunks that fit a memory budget, and the trace does not depend on the budget."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.interpreter import intercept
from core.interpreter.executor import chunk_lanes
from tests.interpreter.access_counts import access_counts
from tests.interpreter.traced_cases import CASES


@given(st.lists(st.integers(1, 1 << 20), max_size=5), st.integers(0, 1 << 20), st.integers(1, 1 << 32), st.booleans())
def test_that_a_chunk_fits_the_budget_or_is_one_program(
    tile_bytes: list[int], index_bytes: int, budget: int, on_cpu: bool
) -> None:
    lanes = chunk_lanes(tile_bytes, index_bytes, budget, on_cpu=on_cpu)
    assert lanes == 1 or lanes * (sum(tile_bytes) + index_bytes) <= budget


@pytest.mark.parametrize("addresses_only", [False, True])
@pytest.mark.parametrize("case", ["add", "matmul", "ragged_sum", "gather"])
def test_that_a_small_budget_gives_the_same_trace(case: str, addresses_only: bool) -> None:
    with intercept(addresses_only=addresses_only) as generous:
        expected = CASES[case]()
    with intercept(memory_budget_bytes=1, addresses_only=addresses_only) as tight:
        tensors = CASES[case]()
    assert [access_counts(launch) for launch in tight.launches] == [
        access_counts(launch) for launch in generous.launches
    ]
    assert len(tight.launches[0].accesses) > len(generous.launches[0].accesses)
    for name, tensor in expected.items():
        torch.testing.assert_close(tensors[name], tensor, rtol=1e-6, atol=1e-6, equal_nan=True)
