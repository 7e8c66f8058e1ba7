"""Reductions, scans and maps with functions of the user's own, against the same function in Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from core.interpreter import intercept
from tests.interpreter import combine_kernels as kernels

Number = float | int
PYTHON: dict[str, Callable[[Number, Number, int], Number]] = {
    "plus_step": lambda a, b, program: a + b + 0.5,
    "at_least_program": lambda a, b, program: max(a, b, 3 * program),
    "closest_to_floor": lambda a, b, program: a if abs(a - 3) <= abs(b - 3) else b,
    "longest": lambda a, b, program: a if abs(a) >= abs(b) else b,
}
PROGRAMS, ROWS, COLUMNS = 3, 2, 8


def tiles(name: str) -> torch.Tensor:
    """Whole numbers, all different, so that every order of the combinations is exact."""
    order = torch.randperm(PROGRAMS * ROWS * COLUMNS, generator=torch.Generator().manual_seed(1)) - 20
    numbers = order.view(PROGRAMS, ROWS, COLUMNS)
    return numbers.float() if name == "plus_step" else numbers.int()


def scanned(name: str, x: torch.Tensor, reverse: bool) -> torch.Tensor:
    out = torch.empty_like(x)
    for program in range(PROGRAMS):
        for row in range(ROWS):
            order = range(COLUMNS)[::-1] if reverse else range(COLUMNS)
            total: Number | None = None
            for column in order:
                value = x[program, row, column].item()
                total = value if total is None else PYTHON[name](total, value, program)
                out[program, row, column] = total
    return out


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", PYTHON)
def test_that_a_scan_combines_as_its_function_does(name: str, reverse: bool) -> None:
    x = tiles(name)
    o = torch.empty_like(x)
    with intercept():
        kernels.scan_kernel[(PROGRAMS,)](x, o, name, reverse, ROWS=ROWS, COLUMNS=COLUMNS)
    assert torch.equal(o, scanned(name, x, reverse))


@pytest.mark.parametrize("name", PYTHON)
def test_that_a_reduction_combines_as_its_function_does_in_a_loop_too(name: str) -> None:
    x = tiles(name)
    o = torch.empty(PROGRAMS, 3, ROWS, dtype=x.dtype)
    with intercept():
        kernels.reduce_kernel[(PROGRAMS,)](x, o, 3, name, ROWS=ROWS, COLUMNS=COLUMNS)
    assert torch.equal(o, scanned(name, x, False)[:, None, :, -1].expand(-1, 3, -1))


@pytest.mark.parametrize("n", [1, 37, 64])
def test_that_welfords_variance_is_that_of_torch(n: int) -> None:
    x = torch.randn(n, generator=torch.Generator().manual_seed(n)) + 100
    o = torch.zeros(1)
    with intercept():
        kernels.variance_kernel[(1,)](x, o, n, BLOCK=64)
    torch.testing.assert_close(o[0], x.double().var(correction=0).float(), rtol=1e-3, atol=1e-6)


def test_that_a_mapped_function_may_branch_for_each_element() -> None:
    x = torch.arange(16, dtype=torch.int32)
    y = torch.arange(16, dtype=torch.int32) % 4
    quotient, remainder = torch.empty_like(x), torch.empty_like(x)
    with intercept():
        kernels.map_kernel[(1,)](x, y, quotient, remainder, BLOCK=16)
    expected = torch.where(y == 0, 0, x // y.clamp(min=1))
    assert torch.equal(quotient, expected)
    assert torch.equal(remainder, x - expected * y)


def test_that_a_mapped_function_may_take_several_elements_at_once() -> None:
    x = torch.arange(-16, 16, dtype=torch.int32)
    o = torch.empty_like(x)
    with intercept():
        kernels.map_pairs_kernel[(1,)](x, o, BLOCK=32)
    assert torch.equal(o, (x / 2).trunc().int())
