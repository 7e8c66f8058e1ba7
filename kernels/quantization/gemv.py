"""One row of activations times weights as they are stored, four bits each: what a token costs when text is generated.

Bytes are all that counts: at blocks of 64, 0.5625 of them a weight against 2 for bfloat16. Each is read once, 16 at a
time. Codes of a byte lie in neighbouring columns, so even and odd columns of x are multiplied apart, and nothing is
exchanged between threads before the last sum. The rows of a program are its own, so there is nothing to split along K:
4096 rows already give 1024 programs.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator,index"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch
import triton
import triton.language as tl

from kernels.quantization.device_tables import on_device
from kernels.quantization.lookup import load, load_scale
from kernels.quantization.output import Quantized
from kernels.quantization.tables import scale_tables, tables

_ROWS = 4
_WARPS = 4
_LOAD_BYTES = 16


@triton.jit
def gemv_kernel(
    x_ptr, codes_ptr, levels_ptr, absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, out_ptr,
    rows_total, row_bytes,
    BLOCK_SIZE: tl.constexpr, NESTED_BLOCK: tl.constexpr, ROWS: tl.constexpr, GROUPS: tl.constexpr,
    BYTES: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """ROWS elements of the product a program. Grid (row tiles,).

    A group is BYTES bytes of codes, which one thread reads at once and which share a scale. WHOLE: the groups of a row
    and the rows fill their tiles.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row_starts = rows.to(tl.int64) * row_bytes
    inside = tl.arange(0, BYTES)
    total = tl.zeros([ROWS, GROUPS], tl.float32)
    for begin in range(0, row_bytes, GROUPS * BYTES):
        first_bytes = begin + tl.arange(0, GROUPS) * BYTES
        starts = row_starts[:, None] + first_bytes[None, :]
        of_groups = None if WHOLE else first_bytes < row_bytes
        in_bounds = None if WHOLE else (rows < rows_total)[:, None] & of_groups[None, :]
        codes = load(
            codes_ptr + starts[:, :, None] + inside[None, None, :], None if WHOLE else in_bounds[:, :, None]
        ).to(tl.int32)
        columns = 2 * (first_bytes[:, None] + inside[None, :])
        even = load(x_ptr + columns, None if WHOLE else of_groups[:, None]).to(tl.float32)
        odd = load(x_ptr + columns + 1, None if WHOLE else of_groups[:, None]).to(tl.float32)
        scale = load_scale(
            absmax_ptr, nested_codes_ptr, nested_levels_ptr, offset_ptr, starts // (BLOCK_SIZE // 2), in_bounds,
            NESTED_BLOCK,
        )  # fmt: skip
        products = tl.load(levels_ptr + (codes >> 4)) * even[None, :, :]
        products += tl.load(levels_ptr + (codes & 15)) * odd[None, :, :]
        total += tl.sum(products, 2) * scale
    tl.store(out_ptr + rows, tl.sum(total, 1).to(out_ptr.dtype.element_ty), mask=rows < rows_total)


def gemv_triton(x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
    rows, columns = quantized.shape
    x = x.contiguous()
    out = torch.empty(1, rows, dtype=x.dtype, device=x.device)
    group_bytes = min(_LOAD_BYTES, quantized.block_size // 2)
    groups = 32 * _WARPS
    _, levels = on_device(tables(quantized.format), x.device)
    _, nested_levels = on_device(scale_tables(), x.device)
    nested = quantized.nested
    gemv_kernel[(triton.cdiv(rows, _ROWS),)](
        x, quantized.codes, levels,
        nested.absmax if nested else quantized.absmax,
        nested.codes if nested else None, nested_levels if nested else None, nested.offset if nested else None,
        out, rows, columns // 2,
        BLOCK_SIZE=quantized.block_size, NESTED_BLOCK=quantized.nested_block, ROWS=_ROWS, GROUPS=groups,
        BYTES=group_bytes, WHOLE=columns // 2 % (groups * group_bytes) == 0 and rows % _ROWS == 0, num_warps=_WARPS,
    )  # fmt: skip
    return out
