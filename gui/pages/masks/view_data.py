"""A plan or a result of masks in the terms of the plots. Renames and regroups; computes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.comparison import ImplResult
from core.contracts.result import Provenance
from core.format import format_quantity
from core.masks.explain import explain_cell
from core.masks.source_code import flex_mask_mod, torch_bool_tensor, transformers_mask
from core.topics.masks.plan import Plan
from core.topics.masks.result import MasksResult
from gui.charts import impl_rows
from gui.charts.tiles import TileGrid
from gui.page.state import PageState
from gui.pages.masks.mask_picture import MatrixSource
from gui.pages.masks.preset_gallery import Thumbnail
from gui.widgets.metric_bar import Number, Tone

TARGETS = ("FlexAttention", "torch bool", "transformers")
SCHEDULE, MIRROR, COMPARISON, CODE = range(4)


def matrix(plan: Plan) -> MatrixSource:
    layout, tiling = plan.layout, plan.tiling

    def explain(row: int, col: int) -> str:
        return str(explain_cell(plan.mask, layout, row, col).text)

    return MatrixSource(
        rows=layout.query_len,
        cols=layout.key_len,
        raster=plan.raster,
        row_counts=plan.row_counts,
        classes=tiling.classes,
        block_q=tiling.block_q,
        block_kv=tiling.block_kv,
        row_labels=plan.positions.query_labels,
        col_labels=plan.positions.key_labels,
        explain=explain,
    )


def schedule(plan: Plan, run: MasksResult | None) -> TileGrid:
    """The order of the tiles: the kernel's own where it was traced, else as it is planned."""
    traced = None if run is None else run.schedule
    order = plan.schedule[:, [0, 2]] if traced is None else traced[:, [1, 3]]
    layout, tiling = plan.layout, plan.tiling
    return TileGrid.from_tiles(tiling.classes, order, tiling.block_q, tiling.block_kv, layout.query_len, layout.key_len)


def numbers(plan: Plan) -> list[Number]:
    """Sparsity and what it saves, with the right sign. Every number here is modelled."""
    cost = plan.cost
    batch = f"{len(plan.positions.layouts)} sequences" if len(plan.positions.layouts) > 1 else "one sequence"
    fully_masked = int(np.count_nonzero(plan.row_counts == 0))
    return [
        Number(
            "of the cells hidden",
            f"{cost.sparsity:.1%}",
            f"{cost.visible_cells:,} of {cost.cells:,} cells are visible ({batch}); modelled",
        ),
        Number(
            "tiles visited",
            f"{cost.full_tiles + cost.partial_tiles:,} of {cost.tiles:,}",
            f"{cost.full_tiles:,} full, {cost.partial_tiles:,} partial, {cost.empty_tiles:,} empty; modelled",
        ),
        Number(
            "FLOPs vs dense",
            _sign(-cost.share_of_flops_saved),
            f"{format_quantity(cost.dense_flops, 'FLOP')} for the whole matrix, "
            f"{format_quantity(cost.tile_flops, 'FLOP')} for the tiles visited, "
            f"{format_quantity(cost.visible_flops, 'FLOP')} for the visible cells alone; modelled",
            _tone(cost.flops_saved),
        ),
        Number(
            "HBM bytes vs dense",
            f"{'−' if cost.bytes_saved >= 0 else '+'}{format_quantity(abs(cost.bytes_saved), 'bytes')}",
            f"{format_quantity(cost.dense_bytes, 'bytes')} with every tile, "
            f"{format_quantity(cost.tile_bytes, 'bytes')} with those visited; modelled",
            _tone(cost.bytes_saved),
        ),
        Number(
            "tile lists",
            format_quantity(cost.tile_list_bytes, "bytes"),
            f"A dense bool mask takes {format_quantity(cost.dense_mask_bytes, 'bytes')}; modelled",
        ),
        Number(
            "queries see nothing",
            f"{fully_masked:,} of {plan.row_counts.size:,}",
            "A plain softmax gives NaN there, the block-sparse kernel zeros.",
            "bad" if fully_masked else "plain",
        ),
    ]


def thumbnails(plan: Plan) -> list[Thumbnail]:
    """Every preset on its own text, small."""
    return [
        Thumbnail(
            preset.id,
            str(preset.title),
            f"{preset.expression}\n{preset.users}",
            shares,
        )
        for preset, shares in plan.thumbnails
    ]


def code(plan: Plan) -> list[str]:
    """The mask for each of TARGETS."""
    layouts = plan.positions.layouts
    blocks = plan.tiling.block_q, plan.tiling.block_kv
    return [
        flex_mask_mod(plan.mask, layouts, *blocks),
        torch_bool_tensor(plan.mask, layouts),
        transformers_mask(plan.mask, layouts),
    ]


def implementations(result: MasksResult) -> list[ImplResult]:
    """Those that were compared; one that gave NaN where a query sees nothing says so."""
    return [
        replace(row, label=f"{row.label} · {row.nan_rows:,} rows NaN") if row.nan_rows else row
        for row in result.comparison
    ]


def provenance(view: int, state: PageState[Plan, MasksResult]) -> Provenance | None:
    """Where the numbers behind a button of the kernel's card come from."""
    if view == COMPARISON:
        result = state.result
        if result is None or not result.comparison:
            return None
        return Provenance.MEASURED if impl_rows.ran_on_gpu(result.comparison) else Provenance.MEASURED_CPU
    if view == CODE:
        return None
    traced = view == SCHEDULE and state.fitting is not None and state.fitting.schedule is not None
    return Provenance.TRACED if traced else Provenance.MODELLED


def _sign(share: float) -> str:
    return "0%" if abs(share) < 5e-4 else f"{share:+.1%}".replace("-", "−")


def _tone(saved: int) -> Tone:
    return "good" if saved > 0 else "bad" if saved < 0 else "plain"
