"""Floating-point operations of the forward pass: the two matrix products, 2 FLOPs a multiply-add.

Softmax (a few operations per score, against 4 head_dim for the products) is left out, as is the field's habit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.topics.flash_attention.model.tiles import attended_pairs
from core.topics.flash_attention.params import FlashAttentionParams


@dataclass(frozen=True)
class ForwardFlops:
    """`formula` counts attended (query, key) pairs; the others count whole tiles, padding and masked cells included."""

    formula: int
    dense: int
    """The formula without the causal mask."""
    flash_tiles: int
    """Tiles that the flash kernel visits (skipped tiles cost nothing)."""
    standard_tiles: int
    """Tiles of the standard kernels, which compute every tile."""


def forward_flops(params: FlashAttentionParams, classes: NDArray[np.uint8]) -> ForwardFlops:
    """Q K^T and P V: 2 x 2 x pairs x head_dim per head (Dao 2023, section 4.1)."""
    per_pair = 4 * params.head_dim * params.batch * params.heads
    per_tile = per_pair * params.block_q * params.block_kv
    return ForwardFlops(
        formula=per_pair * attended_pairs(params.seq_len, params.key_len, params.causal),
        dense=per_pair * params.seq_len * params.key_len,
        flash_tiles=per_tile * int(np.count_nonzero(classes)),
        standard_tiles=per_tile * classes.size,
    )
