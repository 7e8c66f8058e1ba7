"""Stored weights on a device, and the part of them that is checked."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.families.axes import Case
from kernels.quantization.api import AffineScales, Impl, Quantized, quantize
from kernels.quantization.formats import FormatId

MOST_CHECKED_WEIGHTS = 1 << 21
"""Weights beyond which only the first rows are checked in float64."""


def stored(weight: torch.Tensor, case: Case, impl: Impl | None = None) -> Quantized:
    """The weight in the format of the case. By default Triton quantizes on a GPU, and PyTorch on a CPU: both are equal
    to the bit."""
    chosen = impl or (Impl.TRITON if weight.is_cuda else Impl.TORCH)
    return quantize(
        weight,
        format=FormatId(str(case["format"])),
        block_size=int(case["block_size"]),
        nested_block=int(case["nested_block"]),
        impl=chosen,
    )


def checked_rows(quantized: Quantized) -> int:
    """All rows, or as many of the first as are checked; whole blocks and bytes of codes."""
    rows, columns = quantized.shape
    whole_blocks = columns % quantized.block_size == 0
    return min(rows, max(1, MOST_CHECKED_WEIGHTS // columns)) if whole_blocks else rows


def first_rows(quantized: Quantized, rows: int) -> Quantized:
    """The first rows of stored weights, as if there were no others."""
    if rows == quantized.shape[0]:
        return quantized
    blocks = rows * quantized.shape[1] // quantized.block_size
    nested, affine = quantized.nested, quantized.affine
    return replace(
        quantized,
        codes=quantized.codes[: rows * quantized.shape[1] * quantized.bits // 8],
        shape=(rows, quantized.shape[1]),
        absmax=None if quantized.absmax is None else quantized.absmax[:blocks],
        nested=None if nested is None else replace(nested, codes=nested.codes[:blocks]),
        affine=None if affine is None else AffineScales(affine.minimum[:blocks], affine.step[:blocks]),
    )
