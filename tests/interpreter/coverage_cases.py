"""Launches of the coverage kernels. Each returns its tensors by name."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tests.interpreter import coverage_kernels as kernels

Tensors = dict[str, torch.Tensor]


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _integers(low: int, high: int, *shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.int32)


def atomics() -> Tensors:
    x, index = _random(4, 16), _integers(0, 8, 4, 16)
    floats, ints, old = torch.zeros(24), _integers(-1000, 1000, 113, seed=1), torch.full((80,), -1, dtype=torch.int32)
    ints[112] = 0
    kernels.atomics_kernel[(4,)](x, index, floats, ints, old, BLOCK=16)
    return {"x": x, "index": index, "floats": floats, "ints": ints, "old": old}


def swap() -> Tensors:
    cell, o = torch.zeros(9, dtype=torch.int32), torch.full((3,), -1, dtype=torch.int32)
    kernels.swap_kernel[(3,)](cell, o, BLOCK=8)
    return {"cell": cell, "o": o}


def lock() -> Tensors:
    lock_, x, o = torch.zeros(1, dtype=torch.int32), _random(5, 8), torch.zeros(8)
    kernels.lock_kernel[(5,)](lock_, x, o, BLOCK=8)
    return {"lock": lock_, "x": x, "o": o}


def call() -> Tensors:
    x, o = _random(75), torch.full((75,), torch.nan)
    kernels.call_kernel[(5,)](x, o, 75, BLOCK=16)
    return {"x": x, "o": o}


def early_return() -> Tensors:
    x, o = _random(8, 16), torch.full((8, 16), torch.nan)
    length = torch.tensor([3, 9, 0, 5, 7, 0, 5, 1], dtype=torch.int32)
    kernels.early_return_kernel[(8,)](x, length, o, BLOCK=16)
    return {"x": x, "length": length, "o": o}


def combine() -> Tensors:
    x, o = _random(3, 8, 16) / 2, torch.full((3, 8 * (4 + 3 * 16)), torch.nan)
    index = torch.full((3, 8), -1, dtype=torch.int32)
    kernels.combine_kernel[(3,)](x, o, index, ROWS=8, COLUMNS=16)
    return {"x": x, "o": o, "index": index}


def tiles() -> Tensors:
    x, index, o = _random(3, 16), _integers(0, 16, 3, 16), torch.full((3, 8, 16), torch.nan)
    counts = torch.full((3, 16), -1, dtype=torch.int32)
    kernels.tiles_kernel[(3,)](x, index, o, counts, BLOCK=16)
    return {"x": x, "index": index, "o": o, "counts": counts}


def batched_dot() -> Tensors:
    a, b, o = _random(2, 16, 16), _random(2, 16, 16, seed=1), torch.full((2, 16, 16), torch.nan)
    kernels.batched_dot_kernel[(1,)](a, b, o, SIZE=16)
    return {"a": a, "b": b, "o": o}


def while_() -> Tensors:
    x, o = _random(5, 16) * 9, torch.full((5, 16), torch.nan)
    kernels.while_kernel[(5,)](x, o, BLOCK=16)
    return {"x": x, "o": o}


def bits() -> Tensors:
    x, i = _random(2, 16), _integers(-(2**31), 2**31 - 1, 2, 16)
    o = torch.full((2, 8, 16), -1, dtype=torch.int32)
    kernels.bits_kernel[(2,)](x, i, o, BLOCK=16)
    return {"x": x, "i": i, "o": o}


def random() -> Tensors:
    o = torch.full((256,), torch.nan)
    kernels.random_kernel[(2,)](o, 1234, BLOCK=32)
    return {"o": o}


def cache() -> Tensors:
    x, o = _random(40), torch.full((40,), torch.nan)
    kernels.cache_kernel[(3,)](x, o, 40, BLOCK=16)
    return {"x": x, "o": o}


def tuples() -> Tensors:
    x, o = _random(40), torch.full((40,), torch.nan)
    kernels.tuple_kernel[(3,)]((x, o), (40, 2.5), None, BLOCK=16)
    return {"x": x, "o": o}


def host_descriptor() -> Tensors:
    from triton.tools.tensor_descriptor import TensorDescriptor

    x, o = _random(20, 36), torch.full((20, 36), torch.nan)
    described = [TensorDescriptor.from_tensor(t, [16, 16]) for t in (x, o)]
    kernels.host_descriptor_kernel[(3, 2)](*described, BLOCK=16)
    return {"x": x, "o": o}


def nothing() -> Tensors:
    x, o = _random(32), torch.full((32,), torch.nan)
    kernels.none_kernel[(2,)](x, None, o, BLOCK=16)
    return {"x": x, "o": o}


COVERAGE: dict[str, Callable[[], Tensors]] = {
    case.__name__: case
    for case in (
        atomics, swap, lock, call, early_return, combine, tiles, batched_dot,
        while_, bits, random, cache, tuples, host_descriptor, nothing,
    )
}  # fmt: skip
