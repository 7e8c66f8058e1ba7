"""Launches that the TTIR interpreter and Triton's interpreter both run, on the same inputs. Each returns its tensors
by name."""

from __future__ import annotations

from collections.abc import Callable

import torch

from kernels.attention import Impl, attention
from tests.interpreter import coverage_cases, pointer_cases, shape_cases
from tests.interpreter import traced_kernels as kernels

Tensors = dict[str, torch.Tensor]


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _integers(low: int, high: int, *shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.int32)


def _blank(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.full(shape, torch.nan if dtype.is_floating_point else -1, dtype=dtype)


def add() -> Tensors:
    x, y, o = _random(75), _random(75, seed=1), _blank(75)
    kernels.add_kernel[(5,)](x, y, o, 75, BLOCK=16)
    return {"x": x, "y": y, "o": o}


def transpose() -> Tensors:
    x, o = _random(2, 19, 37), _blank(2, 37, 19)
    kernels.transpose_kernel[(3, 2, 2)](x, o, 19, 37, BLOCK=16)
    return {"x": x, "o": o}


def softmax() -> Tensors:
    x, o = _random(6, 53), _blank(6, 53)
    kernels.softmax_kernel[lambda meta: (6 * meta["BLOCK"] // 64,)](x, o, 53, 53, BLOCK=64)
    return {"x": x, "o": o}


def matmul() -> Tensors:
    a, b, c = _random(50, 39), _random(39, 70, seed=1), _blank(50, 70)
    kernels.matmul_kernel[(4 * 5,)](a, b, c, 50, 70, 39, TILE=16, GROUP=3)
    return {"a": a, "b": b, "c": c}


def ragged_sum() -> Tensors:
    x, o = _random(100), _blank(7)
    begin = torch.tensor([0, 5, 90, 40, 100, 7, 0], dtype=torch.int32)
    end = torch.tensor([64, 5, 100, 95, 100, 8, 33], dtype=torch.int32)
    kernels.ragged_sum_kernel[(7,)](x, begin, end, o, BLOCK=8)
    return {"x": x, "begin": begin, "end": end, "o": o}


def branch() -> Tensors:
    x, o, log = _random(10, 8), _blank(10, 8), _blank(10, dtype=torch.int32)
    kernels.branch_kernel[(10,)](x, o, log, BLOCK=8)
    return {"x": x, "o": o, "log": log}


def collatz() -> Tensors:
    n, o = torch.arange(0, 13, dtype=torch.int32), _blank(13, dtype=torch.int32)
    kernels.collatz_kernel[(13,)](n, o)
    return {"n": n, "o": o}


def reduce() -> Tensors:
    x, i = _random(3, 8, 16), _integers(-50, 50, 3, 8, 16)
    o, index = _blank(3, 4, 8), _blank(3, 4, 8, dtype=torch.int32)
    kernels.reduce_kernel[(3,)](x, i, o, index, ROWS=8, COLUMNS=16)
    return {"x": x, "i": i, "o": o, "index": index}


def gather() -> Tensors:
    x, index, o = _random(40), _integers(-10, 60, 48), _blank(48)
    kernels.gather_kernel[(3,)](x, index, o, 40, BLOCK=16)
    return {"x": x, "index": index, "o": o}


def integer() -> Tensors:
    a, b = _integers(-(2**31), 2**31 - 1, 32), _integers(1, 1000, 32, seed=1)
    b = torch.where(_integers(0, 2, 32, seed=2) > 0, b, -b)
    byte = _integers(0, 256, 32, seed=3).to(torch.uint8)
    o = _blank(2, 8, 16, dtype=torch.int32)
    kernels.integer_kernel[(2,)](a, b, byte, o, BLOCK=16)
    return {"a": a, "b": b, "byte": byte, "o": o}


def index() -> Tensors:
    o = _blank(5, 7, 16, dtype=torch.int32)
    kernels.index_kernel[(5,)](o, BLOCK=16)
    return {"o": o}


def layout() -> Tensors:
    x, o = _random(2, 32), _blank(2, 3, 32)
    kernels.layout_kernel[(2,)](x, o, BLOCK=32)
    return {"x": x, "o": o}


def math() -> Tensors:
    x, o = _random(2, 16) * 3, _blank(2, 9, 16)
    kernels.math_kernel[(2,)](x, o, BLOCK=16)
    return {"x": x, "o": o}


def in_place() -> Tensors:
    x = _random(4, 16)
    kernels.in_place_kernel[(4,)](x, BLOCK=16)
    return {"x": x}


def library() -> Tensors:
    x, i = _random(3, 16), _integers(0, 16, 3, 16)
    o, counts = _blank(3, 8, 16), _blank(3, 16, dtype=torch.int32)
    kernels.library_kernel[(3,)](x, i, o, counts, BLOCK=16)
    return {"x": x, "i": i, "o": o, "counts": counts}


def descriptor() -> Tensors:
    """Tensor descriptors, which Triton itself lowers to pointers and masks here."""
    x, o = _random(20, 36), _blank(20, 36)
    kernels.descriptor_kernel[(3, 2)](x, o, 20, 36, BLOCK=16)
    return {"x": x, "o": o}


def strided_views() -> Tensors:
    """Two arguments that are views of one storage, one of them transposed."""
    whole = _random(2, 24, 24)
    x, o = whole[0].t(), whole[1]
    kernels.transpose_kernel[(2, 2, 1)](x, o, 24, 24, BLOCK=16)
    return {"whole": whole}


def _attention(impl: Impl, causal: bool, query_len: int, key_len: int, kv_heads: int) -> Callable[[], Tensors]:
    def launch() -> Tensors:
        q = _random(1, 2, query_len, 32)
        k, v = _random(1, kv_heads, key_len, 32, seed=1), _random(1, kv_heads, key_len, 32, seed=2)
        o = attention(q, k, v, impl=impl, causal=causal, block_q=16, block_kv=16)
        return {"q": q, "k": k, "v": v, "o": o if isinstance(o, torch.Tensor) else o.out}

    return launch


CASES: dict[str, Callable[[], Tensors]] = {
    **coverage_cases.COVERAGE,
    **shape_cases.SHAPES,
    **pointer_cases.POINTERS,
    **{
        case.__name__: case
        for case in (
            add, transpose, softmax, matmul, ragged_sum, branch, collatz, reduce,
            gather, integer, index, layout, math, in_place, library, descriptor, strided_views,
        )
    },
    **{
        f"{impl.name.lower()}-{'causal' if causal else 'full'}-{query_len}x{key_len}-{kv_heads}": _attention(
            impl, causal, query_len, key_len, kv_heads
        )
        for impl in (Impl.TRITON_FLASH, Impl.TRITON_STANDARD)
        for causal in (False, True)
        for query_len, key_len, kv_heads in ((32, 32, 2), (37, 53, 1))
    },
}  # fmt: skip
