"""A plan or a result of flash-attention in the terms of the plots. Renames and regroups; computes nothing."""

from __future__ import annotations

import numpy as np

from core.topics.flash_attention.plan import Plan
from core.topics.flash_attention.result import FlashAttentionResult
from gui.charts.series import Series
from gui.charts.tiles import TileGrid

KERNEL_TITLES = (("standard", "Standard"), ("flash", "Flash"))
_STANDARD_INK, _FLASH_INK = 4, 0


def schedule_of(plan: Plan, result: FlashAttentionResult | None) -> np.ndarray:
    """int32 [steps, 3] of (q_block, iteration, kv_block): the traced launch order where there is one."""
    if result is not None and result.schedule is not None:
        return result.schedule[:, 1:4]
    return plan.schedule


def tile_grid(plan: Plan, schedule: np.ndarray) -> TileGrid:
    params = plan.params
    return TileGrid.from_tiles(
        plan.tiles, schedule[:, [0, 2]], params.block_q, params.block_kv, params.seq_len, params.key_len
    )


def curves_by_length(plan: Plan, result: FlashAttentionResult | None) -> tuple[Series, ...]:
    """The modelled curves, and on them the traced bytes at the lengths that the run swept."""
    io = plan.io
    curves = (
        Series("standard Θ(Nd + N²)", io.lengths, io.standard_by_length, _STANDARD_INK),
        Series("flash Θ(N²d²/M)", io.lengths, io.flash_by_length, _FLASH_INK),
    )
    if result is None or not result.sweep:
        return curves
    lengths, standard, flash = result.swept_bytes
    return (
        *curves,
        Series("standard, traced", lengths, standard, _STANDARD_INK, "marks"),
        Series("flash, traced", lengths, flash, _FLASH_INK, "marks"),
    )


def curves_by_sram(plan: Plan) -> tuple[Series, Series]:
    io = plan.io
    return (
        Series("standard Θ(Nd + N²)", io.sram_bytes, io.standard_by_sram, _STANDARD_INK),
        Series("flash Θ(N²d²/M)", io.sram_bytes, io.flash_by_sram, _FLASH_INK),
    )
