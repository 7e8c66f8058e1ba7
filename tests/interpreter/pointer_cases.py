"""Launches of the kernels whose pointers come from numbers or point into several tensors."""

from __future__ import annotations

from collections.abc import Callable

import torch

from tests.interpreter import pointer_kernels as kernels

Tensors = dict[str, torch.Tensor]


def _tensors(*sizes: int) -> list[torch.Tensor]:
    return [torch.randn(size, generator=torch.Generator().manual_seed(size)) for size in sizes]


def addresses(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.tensor([tensor.data_ptr() for tensor in tensors], dtype=torch.int64)


def table() -> Tensors:
    parts, o = _tensors(16, 9, 1, 13), torch.full((4, 16), torch.nan)
    sizes = torch.tensor([part.numel() for part in parts], dtype=torch.int32)
    kernels.table_kernel[(4,)](addresses(parts), sizes, o, BLOCK=16)
    return {"o": o} | {f"part{index}": part for index, part in enumerate(parts)}


def grouped() -> Tensors:
    parts, o = _tensors(17, 18, 19), torch.full((5, 16), torch.nan)
    kernels.grouped_kernel[(5,)](addresses(parts), o, 3, BLOCK=16)
    return {"o": o} | {f"part{index}": part for index, part in enumerate(parts)}


def rows() -> Tensors:
    parts, o = _tensors(16, 17, 18), torch.full((4, 16), torch.nan)
    kernels.rows_kernel[(1,)](torch.cat((addresses(parts), torch.zeros(1, dtype=torch.int64))), o, ROWS=4, BLOCK=16)
    return {"o": o} | {f"part{index}": part for index, part in enumerate(parts)}


def chosen() -> Tensors:
    x, y, n, o = *_tensors(48, 96), torch.zeros(4), torch.zeros(48)
    kernels.chosen_kernel[(3,)](x, y, n, o, BLOCK=16)
    return {"x": x, "y": y, "n": n, "o": o}


def pairs() -> Tensors:
    x, y, o = *_tensors(18, 19), torch.full((16, 2), torch.nan)
    kernels.pairs_kernel[(1,)](x, y, o, BLOCK=16)
    return {"x": x, "y": y, "o": o}


POINTERS: dict[str, Callable[[], Tensors]] = {case.__name__: case for case in (table, grouped, rows, chosen, pairs)}
