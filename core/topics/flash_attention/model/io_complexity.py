"""HBM accesses against sequence length and SRAM size: Dao et al. 2022, Theorem 2.

Standard attention needs Theta(N d + N^2) accesses, FlashAttention Theta(N^2 d^2 / M) with d <= M <= N d elements of
SRAM. The curves take the constants of the algorithms themselves, one head, no mask: standard attention reads Q, K, V,
writes O (4 N d) and passes four times over N^2 scores (S written, S read, P written, P read); FlashAttention with
one Q block of B rows in SRAM at a time reads Q, writes O (2 N d) and reads K and V once per Q block (2 N d N / B).
Theorem 2's tile takes a quarter of the SRAM: B = M / (4 d), hence 8 N^2 d^2 / M.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.topics.flash_attention.model.sram import ELEMENT_BYTES
from core.topics.flash_attention.params import FlashAttentionParams

Curve = NDArray[np.float64]
_POINTS = 65


@dataclass(frozen=True)
class IoComplexity:
    """Two pictures, in bytes of the whole problem (batch x heads). All arrays float64 [65]. Modelled.

    Against N: `lengths`, with `standard_by_length`, `flash_by_length` at the SRAM of one SM.
    Against M: `sram_bytes`, with `standard_by_sram`, `flash_by_sram` at the chosen sequence length.
    """

    lengths: Curve
    standard_by_length: Curve
    flash_by_length: Curve
    sram_bytes: Curve
    standard_by_sram: Curve
    flash_by_sram: Curve


def standard_accesses(length: Curve | float, head_dim: int) -> Curve:
    """Elements of HBM that standard attention reads and writes, one head: 4 N d + 4 N^2."""
    n = np.asarray(length, dtype=np.float64)
    return 4 * n * head_dim + 4 * n * n


def flash_accesses(length: Curve | float, head_dim: int, sram_elements: Curve | float) -> Curve:
    """Elements of HBM that FlashAttention reads and writes, one head: 2 N d + 2 N d ceil(N / B), B = M / (4 d)."""
    n = np.asarray(length, dtype=np.float64)
    rows = np.maximum(1.0, np.floor(np.asarray(sram_elements, dtype=np.float64) / (4 * head_dim)))
    return 2 * n * head_dim + 2 * n * head_dim * np.ceil(n / rows)


def io_complexity(params: FlashAttentionParams, sram_per_sm_bytes: float) -> IoComplexity:
    """Both pictures for the chosen width, precision, heads and GPU; N from 64 to 65536, M from 8 KiB to 1 MiB."""
    element = ELEMENT_BYTES[params.dtype]
    scale = element * params.batch * params.heads
    lengths = np.geomspace(64, 65536, _POINTS)
    sram_bytes = np.geomspace(8 * 1024, 1024 * 1024, _POINTS)
    width = params.head_dim
    here = float(params.seq_len)
    return IoComplexity(
        lengths=lengths,
        standard_by_length=scale * standard_accesses(lengths, width),
        flash_by_length=scale * flash_accesses(lengths, width, sram_per_sm_bytes / element),
        sram_bytes=sram_bytes,
        standard_by_sram=np.full(_POINTS, scale * float(standard_accesses(here, width))),
        flash_by_sram=scale * flash_accesses(here, width, sram_bytes / element),
    )
