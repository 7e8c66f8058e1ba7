"""One row of activations times 4-bit weights: the matrix product of generating one token.

Only bytes count here: with blocks of 64 there are 0.5625 bytes per weight instead of 2 in bfloat16. Each byte is read
once, 16 at a time. A thread keeps all codes that it reads, so nothing is exchanged between threads before the last sum.
A program owns whole rows, and K is not split: 4096 rows already give 1024 programs.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator,index"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.quantization.device_tables import on_device
from kernels.quantization.output import Quantized
from kernels.quantization.tables import scale_tables, tables
from kernels.quantization.triton.lookup import load, load_scale, look_up, nibbles

_ROWS = 4
_WARPS = 4
_LOAD_WORDS = 4


@triton.jit
def gemv_kernel(
    x_ptr, words_ptr, levels_ptr, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, out_ptr,
    rows_total, row_groups,
    BLOCK_SIZE: tl.constexpr, NESTED_BLOCK: tl.constexpr, ROWS: tl.constexpr, GROUPS: tl.constexpr,
    WORDS: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """ROWS elements of the product per program. Grid (row tiles,).

    A group is WORDS 32-bit words of eight codes; one thread reads it in one access, and its weights share a scale.
    WHOLE: the rows and the groups of a row fill their tiles, so nothing is masked.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row_starts = rows.to(tl.int64) * row_groups
    inside = tl.arange(0, WORDS)
    levels = tl.load(levels_ptr + tl.arange(0, 16))
    total = tl.zeros([ROWS, GROUPS], tl.float32)
    for begin in range(0, row_groups, GROUPS):
        groups = begin + tl.arange(0, GROUPS)
        starts = row_starts[:, None] + groups[None, :]
        of_row = None if WHOLE else groups < row_groups
        in_bounds = None if WHOLE else (rows < rows_total)[:, None] & of_row[None, :]
        word_ptrs = words_ptr + starts[:, :, None] * WORDS + inside[None, None, :]
        words = load(word_ptrs, None if WHOLE else in_bounds[:, :, None])
        columns = groups[:, None] * (8 * WORDS) + tl.arange(0, 8 * WORDS)[None, :]
        x = load(x_ptr + columns, None if WHOLE else of_row[:, None]).to(tl.float32)
        scale = load_scale(
            absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, starts // (BLOCK_SIZE // (8 * WORDS)),
            in_bounds, NESTED_BLOCK,
        )  # fmt: skip
        codes = tl.reshape(nibbles(words), [ROWS * GROUPS, 8 * WORDS])
        weights = tl.reshape(look_up(levels, codes), [ROWS, GROUPS, 8 * WORDS])
        total += tl.sum(weights * x[None, :, :], 2) * scale
    tl.store(out_ptr + rows, tl.sum(total, 1).to(out_ptr.dtype.element_ty), mask=rows < rows_total)


def gemv_triton(x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
    rows, columns = quantized.shape
    x = x.contiguous()
    out = torch.empty(1, rows, dtype=x.dtype, device=x.device)
    group_words = min(_LOAD_WORDS, quantized.block_size // 8)
    groups = 32 * _WARPS
    row_groups = columns // (8 * group_words)
    _, levels = on_device(tables(quantized.format), x.device)
    _, nested_levels = on_device(scale_tables(), x.device)
    nested = quantized.nested
    gemv_kernel[(triton.cdiv(rows, _ROWS),)](
        x, quantized.codes.view(torch.int32), levels,
        nested.absmax if nested else quantized.absmax,
        nested.codes if nested else None, nested_levels if nested else None, nested.offset if nested else None,
        out, rows, row_groups,
        BLOCK_SIZE=quantized.block_size, NESTED_BLOCK=quantized.nested_block, ROWS=_ROWS, GROUPS=groups,
        WORDS=group_words, WHOLE=row_groups % groups == 0 and rows % _ROWS == 0, num_warps=_WARPS,
    )  # fmt: skip
    return out
