"""The FLOPs of matrix products are counted as programs reach them, with and without the arithmetic."""

from __future__ import annotations

import pytest
import torch

from core.interpreter import intercept
from core.trace.tile_loads import tiles_visited
from kernels.attention import Impl, attention
from resources.examples import matmul, vector_add
from tests.interpreter.traced_cases import CASES


def product_flops(run: object, *, addresses_only: bool) -> list[int | None]:
    with intercept(addresses_only=addresses_only) as tracer:
        run()  # type: ignore[operator]
    return [launch.product_flops for launch in tracer.launches]


@pytest.mark.parametrize("addresses_only", [False, True])
def test_that_a_product_of_whole_tiles_is_counted(addresses_only: bool) -> None:
    a, b = (torch.randn(100, 100, dtype=torch.float16) for _ in range(2))

    counted = product_flops(lambda: matmul.matmul(a, b, 64, 32, 16), addresses_only=addresses_only)

    assert counted == [2 * 128 * 128 * 112]  # 2 x 4 tiles of 64 x 32, and 7 steps of 16


@pytest.mark.parametrize("addresses_only", [False, True])
def test_that_loops_of_different_lengths_count_what_each_program_does(addresses_only: bool) -> None:
    q, k, v = (torch.randn(1, 2, 200, 32) for _ in range(3))

    with intercept(addresses_only=addresses_only) as tracer:
        attention(q, k, v, impl=Impl.TRITON_FLASH, causal=True)

    (flash,) = tracer.launches
    tiles = tiles_visited(flash, "k_ptr")
    assert tiles == 2 * (1 + 2 + 3 + 4)
    assert flash.product_flops == 2 * tiles * (2 * 64 * 64 * 32)


def test_that_a_kernel_without_products_counts_none() -> None:
    assert product_flops(vector_add.main, addresses_only=False) == [0]


@pytest.mark.parametrize("case", CASES)
def test_that_an_addresses_only_trace_counts_the_same(case: str) -> None:
    full, sliced = (product_flops(CASES[case], addresses_only=only) for only in (False, True))

    assert full == sliced
