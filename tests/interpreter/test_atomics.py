"""Atomics against updates one by one, from no collision to all lanes at one address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.interpreter import intercept
from tests.interpreter import extra_kernels as kernels

BLOCK = 16


def _unsigned_minimum(a: int, b: int) -> int:
    return min(a, b, key=lambda n: n % (1 << 32))


ONE_BY_ONE: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: (a + b + (1 << 31)) % (1 << 32) - (1 << 31),
    "max": max,
    "umin": _unsigned_minimum,
    "xor": lambda a, b: a ^ b,
    "xchg": lambda a, b: b,
}


@pytest.mark.parametrize("kind", ONE_BY_ONE)
@settings(max_examples=15)
@given(
    length=st.integers(1, 150), cells=st.integers(1, 40), seed=st.integers(0, 9), budget=st.sampled_from([1, 1 << 30])
)
def test_that_updates_are_as_if_made_one_after_another(
    kind: str, length: int, cells: int, seed: int, budget: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(-(2**31), 2**31, (length,), generator=generator).to(torch.int32)
    index = torch.randint(0, cells, (length,), generator=generator).to(torch.int32)
    start = torch.randint(-(2**31), 2**31, (cells,), generator=generator).to(torch.int32)
    cell_values, old = start.clone(), torch.zeros(length, dtype=torch.int32)
    with intercept(memory_budget_bytes=budget) as tracer:
        grid = (-(-length // BLOCK),)
        kernels.update_kernel[grid](x, index, cell_values, old, length, KIND=kind, BLOCK=BLOCK)
    expected, before = start.tolist(), []
    for value, cell in zip(x.tolist(), index.tolist(), strict=True):
        before.append(expected[cell])
        expected[cell] = ONE_BY_ONE[kind](expected[cell], value)
    assert cell_values.tolist() == expected
    assert old.tolist() == before
    atomics = [access for access in tracer.launches[0].accesses if access.kind == "atomic"]
    assert sum(int(access.active().sum()) for access in atomics) == length


def test_that_sums_of_floats_at_one_address_are_those_of_torch() -> None:
    x = torch.randn(4096, generator=torch.Generator().manual_seed(0))
    o = torch.zeros(1)
    with intercept():
        kernels.sum_kernel[(256,)](x, o, BLOCK=BLOCK)
    torch.testing.assert_close(o[0], x.sum(), rtol=1e-5, atol=1e-4)
