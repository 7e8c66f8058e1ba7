"""Launches of the control-flow and type kernels. Each returns its tensors by name."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tests.interpreter import shape_kernels as kernels

Tensors = dict[str, torch.Tensor]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def loops() -> Tensors:
    x, o = torch.randn(12, 16, generator=_generator()), torch.full((4, 16), torch.nan)
    kernels.loops_kernel[(4,)](x, o, 5, BLOCK=16)
    return {"x": x, "o": o}


def types() -> Tensors:
    flag = torch.rand(32, generator=_generator()) > 0.5
    byte = torch.randint(-128, 128, (32,), generator=_generator(1), dtype=torch.int8)
    short = torch.randint(-(2**15), 2**15, (32,), generator=_generator(2), dtype=torch.int16)
    long = torch.randint(-(2**62), 2**62, (32,), generator=_generator(3))
    double, o = torch.randn(32, generator=_generator(4), dtype=torch.float64), torch.full((32,), torch.nan)
    kernels.types_kernel[(2,)](flag, byte, short, long, double, o, BLOCK=16)
    return {"flag": flag, "byte": byte, "short": short, "long": long, "double": double, "o": o}


def standard() -> Tensors:
    x = torch.randn(2, 8, 16, generator=_generator())
    i = torch.randint(-50, 50, (2, 8, 16), generator=_generator(1), dtype=torch.int32)
    o = torch.full((2, 6, 8, 16), torch.nan)
    kernels.standard_kernel[(2,)](x, i, o, ROWS=8, COLUMNS=16)
    return {"x": x, "i": i, "o": o}


def pointers() -> Tensors:
    x, o = torch.randn(5, 16, generator=_generator()), torch.full((5, 16), torch.nan)
    hops = torch.tensor([3.0, 0.0, 4.0, 4.0, 1.0])
    kernels.pointers_kernel[(5,)](x, hops, o, BLOCK=16)
    return {"x": x, "hops": hops, "o": o}


def tensors() -> Tensors:
    x, y = (torch.randn(4, 16, generator=_generator(seed)) for seed in (0, 1))
    o, p = torch.zeros(2, 16), torch.zeros(2, 16)
    kernels.tensors_kernel[(4,)](x, y, o, p, BLOCK=16)
    return {"x": x, "y": y, "o": o, "p": p}


def grid_stride() -> Tensors:
    x, o = torch.randn(150, generator=_generator()), torch.full((150,), torch.nan)
    kernels.grid_stride_kernel[(4,)](x, o, 150, BLOCK=16)
    return {"x": x, "o": o}


SHAPES: dict[str, Callable[[], Tensors]] = {
    case.__name__: case for case in (loops, types, standard, pointers, tensors, grid_stride)
}
