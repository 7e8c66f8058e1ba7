"""A plan or a result of flash-attention in the form that the pictures take. Renames and regroups; computes nothing."""

from __future__ import annotations

import numpy as np

from core.contracts.text import tr
from core.topics.flash_attention.plan import Plan
from core.topics.flash_attention.result import FlashAttentionResult
from gui.charts.series import Series
from gui.charts.tiles import TileGrid

KERNEL_TITLES = (("standard", tr("Standard")), ("flash", tr("Flash")))
_STANDARD_INK, _FLASH_INK = 4, 0


def schedule_of(plan: Plan, result: FlashAttentionResult | None) -> np.ndarray:
    """int32 [steps, 3] of (q_block, iteration, kv_block): the traced launch order if there is one."""
    if result is not None and result.schedule is not None:
        return result.schedule[:, 1:4]
    return plan.schedule


def kernel_titles() -> list[tuple[str, str]]:
    """(kernel, title) in the current language."""
    return [(kernel, str(title)) for kernel, title in KERNEL_TITLES]


def tile_grid(plan: Plan, schedule: np.ndarray) -> TileGrid:
    params = plan.params
    return TileGrid.from_tiles(
        plan.tiles, schedule[:, [0, 2]], params.block_q, params.block_kv, params.seq_len, params.key_len
    )


def curves_by_length(plan: Plan, result: FlashAttentionResult | None) -> tuple[Series, ...]:
    """The modelled curves, with the traced bytes at the lengths of the sweep."""
    io = plan.io
    curves = (
        Series(_standard(), io.lengths, io.standard_by_length, _STANDARD_INK),
        Series(_flash(), io.lengths, io.flash_by_length, _FLASH_INK),
    )
    if result is None or not result.sweep:
        return curves
    lengths, standard, flash = result.swept_bytes
    return (
        *curves,
        Series(str(tr("standard, traced")), lengths, standard, _STANDARD_INK, "marks"),
        Series(str(tr("flash, traced")), lengths, flash, _FLASH_INK, "marks"),
    )


def curves_by_sram(plan: Plan) -> tuple[Series, Series]:
    io = plan.io
    return (
        Series(_standard(), io.sram_bytes, io.standard_by_sram, _STANDARD_INK),
        Series(_flash(), io.sram_bytes, io.flash_by_sram, _FLASH_INK),
    )


def _standard() -> str:
    return str(tr("standard Θ(Nd + N²)"))


def _flash() -> str:
    return str(tr("flash Θ(N²d²/M)"))
