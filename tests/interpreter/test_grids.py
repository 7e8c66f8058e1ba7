"""The grid of a launch: what CUDA launches runs, anything else is one sentence before the work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from core.interpreter.grid import MAX_GRID, checked_grid
from core.trace.size import TraceTooLarge
from tests.interpreter import traced_kernels as kernels

ACCEPTED: list[tuple[Any, tuple[int, int, int]]] = [
    ((2,), (2, 1, 1)),
    ([2, 3], (2, 3, 1)),
    ((2, 3, 4), (2, 3, 4)),
    ((2, 3, 4, 5), (2, 3, 4)),
    (7, (7, 1, 1)),
    ((0,), (0, 1, 1)),
    ((np.int64(3), torch.tensor(2)), (3, 2, 1)),
    (np.array([2, 3]), (2, 3, 1)),
    (torch.Size([5]), (5, 1, 1)),
    (torch.tensor(4), (4, 1, 1)),
    (lambda arguments: (arguments["n"], 2), (16, 2, 1)),
    (MAX_GRID, MAX_GRID),
]


@pytest.mark.parametrize(("grid", "expected"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_that_every_spelling_of_a_grid_is_accepted(grid: Any, expected: tuple[int, int, int]) -> None:
    assert checked_grid("add", grid, {"n": 16}) == expected


NO_GRIDS = [
    *(None, "4", b"4", 4.0, {1: 2}, {3}, object(), (None,), ("4",), (1.5,), (float("nan"),), (float("inf"),)),
    *(((1,),), (torch.tensor(2.5),), lambda arguments: None, lambda arguments: "4"),
]


@pytest.mark.parametrize("grid", NO_GRIDS, ids=range(len(NO_GRIDS)))
def test_that_what_is_no_grid_is_one_sentence(grid: Any) -> None:
    with pytest.raises(TilescopeError, match=r"^The grid of add is .*, but a grid has one to three whole numbers"):
        checked_grid("add", grid, {})


@pytest.mark.parametrize("grid", [(), [], torch.Size([]), lambda arguments: ()])
def test_that_an_empty_grid_is_one_sentence(grid: Any) -> None:
    with pytest.raises(TilescopeError, match=r"^The grid of add is empty"):
        checked_grid("add", grid, {})


@pytest.mark.parametrize("grid", [(-1,), (1, -1), (1, 1, -(10**5000))])
def test_that_a_negative_side_is_one_sentence(grid: Any) -> None:
    with pytest.raises(TilescopeError, match=r"every side must be 0 or more\.$"):
        checked_grid("add", grid, {})


@pytest.mark.parametrize("grid", [(1 << 31,), (1, 65536), (1, 1, 65536), (10**5000,), (True, 1 << 70)])
def test_that_a_grid_beyond_the_limits_of_cuda_is_one_sentence(grid: Any) -> None:
    with pytest.raises(TilescopeError, match=r"at most 2,147,483,647 along x and 65,535 along y and z\.$") as caught:
        checked_grid("add", grid, {})
    assert len(caught.value.sentence) < 200


def test_that_a_bad_grid_is_refused_before_anything_runs() -> None:
    x, o = torch.ones(16), torch.zeros(16)
    with intercept() as tracer, pytest.raises(TilescopeError):
        kernels.add_kernel[(1 << 31,)](x, x, o, 16, BLOCK=16)
    assert not tracer.launches
    assert not o.any()


def test_that_a_grid_whose_trace_cannot_fit_is_refused_before_anything_runs() -> None:
    x, o = torch.ones(16), torch.zeros(16)
    with intercept(trace_limit_bytes=1_000_000) as tracer, pytest.raises(TraceTooLarge, match=r"limit of 1\.00 MB"):
        kernels.add_kernel[MAX_GRID](x, x, o, 16, BLOCK=16)
    assert not tracer.launches
    assert not o.any()


def test_that_the_trace_of_a_running_launch_is_bounded_and_counted() -> None:
    limit = 300_000
    x = torch.ones(1 << 20)
    with intercept(trace_limit_bytes=limit) as tracer:
        kernels.add_kernel[(4,)](x, x, x, 64, BLOCK=16)
        counted = tracer.trace_bytes
        assert tracer.launches[0].trace_bytes() <= counted < limit
        with pytest.raises(TraceTooLarge):
            kernels.add_kernel[(18_000,)](x, x, x, 8, BLOCK=16)
        assert tracer.trace_bytes == counted
        with pytest.raises(TraceTooLarge):  # a later launch would leave a hole in the trace
            kernels.add_kernel[(4,)](x, x, x, 64, BLOCK=16)
    assert len(tracer.launches) == 1
