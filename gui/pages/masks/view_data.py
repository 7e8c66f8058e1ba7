"""A plan or a result of masks in the terms of the plots. Renames and regroups; computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from core.comparison import ImplResult, impl_results
from core.contracts.result import Result
from core.contracts.text import Language
from core.format import format_quantity
from core.masks.explain import decide
from core.masks.presets import PRESETS
from core.masks.source_code import flex_mask_mod, torch_bool_tensor, transformers_mask
from core.masks.symmetry import Symmetry, symmetry
from core.topics.masks.model import plan as make_plan
from core.topics.masks.model.plan import Plan
from core.topics.masks.params import MasksParams
from gui.charts.tiles import TileGrid
from gui.pages.masks.mask_picture import MatrixSource
from gui.pages.masks.preset_gallery import Thumbnail
from gui.widgets.metric_bar import Number, Tone

TARGETS = ("FlexAttention", "torch bool", "transformers")
_THUMBNAIL_PX = 34


def matrix(plan: Plan) -> MatrixSource:
    layout, tiling = plan.layout, plan.tiling

    def explain(row: int, col: int) -> str:
        return decide(plan.mask, layout, row, col).sentence

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


def schedule(plan: Plan, traced: Result | None) -> TileGrid:
    """The order of the tiles: the kernel's own where it was traced, else as it is planned."""
    order = plan.schedule[:, [0, 2]] if traced is None else traced.arrays["schedule"][:, [1, 3]]
    layout, tiling = plan.layout, plan.tiling
    return TileGrid.from_tiles(tiling.classes, order, tiling.block_q, tiling.block_kv, layout.query_len, layout.key_len)


def numbers(plan: Plan) -> list[Number]:
    """Sparsity and what it saves, with the right sign. Every number here is modelled."""
    cost = plan.cost
    batch = f"{len(plan.positions.layouts)} sequences" if len(plan.positions.layouts) > 1 else "one sequence"
    blind = int(np.count_nonzero(plan.row_counts == 0))
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
            "of tile lists",
            format_quantity(cost.tile_list_bytes, "bytes"),
            f"A dense bool mask takes {format_quantity(cost.dense_mask_bytes, 'bytes')}; modelled",
        ),
        Number(
            "queries see nothing",
            f"{blind:,} of {plan.row_counts.size:,}",
            "A plain softmax gives NaN there, the block-sparse kernel zeros.",
            "bad" if blind else "plain",
        ),
    ]


def thumbnails(language: Language) -> list[Thumbnail]:
    """Every preset on its own text, small."""
    found = []
    for preset in PRESETS:
        plan = make_plan(MasksParams(preset=preset.id))
        whole = (0, plan.layout.query_len), (0, plan.layout.key_len)
        shares = plan.raster(*whole, 2 * _THUMBNAIL_PX, 2 * _THUMBNAIL_PX)
        about = f"{preset.expression}\n{preset.users.in_language(language)}"
        found.append(Thumbnail(preset.id, preset.title.in_language(language), about, shares))
    return found


def is_plain_preset(params: MasksParams) -> bool:
    """Whether the mask and its text are the preset's own."""
    return not any((params.expression, params.query_text, params.key_text, params.lengths, params.documents))


def code(plan: Plan) -> list[str]:
    """The mask for each of TARGETS."""
    layouts = plan.positions.layouts
    blocks = plan.tiling.block_q, plan.tiling.block_kv
    return [
        flex_mask_mod(plan.mask, layouts, *blocks),
        torch_bool_tensor(plan.mask, layouts),
        transformers_mask(plan.mask, layouts),
    ]


def mirror(plan: Plan) -> Callable[[], Symmetry]:
    """The comparison with the transpose, to be made beside the GUI thread."""
    return lambda: symmetry(plan.mask, plan.layout)


def implementations(result: Result | None) -> list[ImplResult]:
    """Those that a run compared; one that gave NaN where a query sees nothing says so."""
    rows = [] if result is None else result.tables.get("comparison", [])
    return [
        replace(impl, label=f"{impl.label} · {row['nan_rows']:,} rows NaN") if row.get("nan_rows") else impl
        for row, impl in zip(rows, impl_results(rows), strict=True)
    ]


def _sign(share: float) -> str:
    return "0%" if abs(share) < 5e-4 else f"{share:+.1%}".replace("-", "−")


def _tone(saved: int) -> Tone:
    return "good" if saved > 0 else "bad" if saved < 0 else "plain"
