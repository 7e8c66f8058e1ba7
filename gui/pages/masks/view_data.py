"""A plan or a result of masks in the form that the pictures take. Renames and regroups; computes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.comparison import ImplResult
from core.contracts.result import Provenance
from core.contracts.text import Text, tr, tr_plural
from core.format import format_quantity, quantity
from core.masks.explain import explain_cell
from core.masks.position_ids import Counting
from core.topics.masks.plan import Plan
from core.topics.masks.result import MasksResult
from gui.charts import impl_rows
from gui.charts.mask_picture import MatrixSource
from gui.charts.tiles import TileGrid
from gui.page.state import PageState
from gui.pages.masks.position_table import PositionRow
from gui.pages.masks.preset_gallery import Thumbnail
from gui.widgets.metric_bar import Number, Tone

SCHEDULE, MIRROR, COMPARISON, CODE, POSITIONS = range(5)


COUNTINGS = {
    Counting.PLACE: tr("by place"),
    Counting.TOKENS: tr("without pads"),
    Counting.DOCUMENT: tr("reset per document"),
}
"""The ways of counting as the page calls them."""


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
    """The order of the tiles: that of the kernel if it was traced, else as planned."""
    traced = None if run is None else run.schedule
    order = plan.schedule[:, [0, 2]] if traced is None else traced[:, [1, 3]]
    layout, tiling = plan.layout, plan.tiling
    return TileGrid.from_tiles(tiling.classes, order, tiling.block_q, tiling.block_kv, layout.query_len, layout.key_len)


def numbers(plan: Plan) -> list[Number]:
    """Sparsity and the savings, signed. Every number here is modelled."""
    cost = plan.cost
    fully_masked = int(np.count_nonzero(plan.row_counts == 0))
    return [
        Number(
            str(tr("cells hidden")),
            f"{cost.sparsity:.1%}",
            str(
                tr_plural(
                    "{visible:,} of {cells:,} cells are visible ({count} sequence); modelled",
                    "{visible:,} of {cells:,} cells are visible ({count} sequences); modelled",
                    count=len(plan.positions.layouts),
                    visible=cost.visible_cells,
                    cells=cost.cells,
                )
            ),
        ),
        Number(
            str(tr("tiles visited")),
            str(tr("{count:,} of {total:,}", count=cost.full_tiles + cost.partial_tiles, total=cost.tiles)),
            str(
                tr(
                    "{full:,} full, {partial:,} partial, {empty:,} empty; modelled",
                    full=cost.full_tiles,
                    partial=cost.partial_tiles,
                    empty=cost.empty_tiles,
                )
            ),
        ),
        Number(
            str(tr("FLOPs vs dense")),
            _sign(-cost.share_of_flops_saved),
            str(
                tr(
                    "{dense} for the whole matrix, {tiles} for the visited tiles, {visible} for the visible cells; "
                    "modelled",
                    dense=quantity(cost.dense_flops, "FLOP"),
                    tiles=quantity(cost.tile_flops, "FLOP"),
                    visible=quantity(cost.visible_flops, "FLOP"),
                )
            ),
            _tone(cost.flops_saved),
        ),
        Number(
            str(tr("HBM bytes vs dense")),
            f"{'−' if cost.bytes_saved >= 0 else '+'}{format_quantity(abs(cost.bytes_saved), 'bytes')}",
            str(
                tr(
                    "{dense} with all tiles, {tiles} with the visited tiles; modelled",
                    dense=quantity(cost.dense_bytes, "bytes"),
                    tiles=quantity(cost.tile_bytes, "bytes"),
                )
            ),
            _tone(cost.bytes_saved),
        ),
        Number(
            str(tr("tile lists")),
            format_quantity(cost.tile_list_bytes, "bytes"),
            str(tr("A dense bool mask takes {bytes}; modelled", bytes=quantity(cost.dense_mask_bytes, "bytes"))),
        ),
        Number(
            str(tr("fully masked rows")),
            str(tr("{count:,} of {total:,}", count=fully_masked, total=plan.row_counts.size)),
            str(tr("In these rows a plain softmax gives NaN, the block-sparse kernel gives zeros.")),
            "bad" if fully_masked else "plain",
        ),
    ]


def thumbnails(plan: Plan) -> list[Thumbnail]:
    """A thumbnail of every preset on its own text."""
    return [
        Thumbnail(
            preset.id,
            str(preset.title),
            f"{preset.expression}\n{preset.users}",
            shares,
        )
        for preset, shares in plan.thumbnails
    ]


def position_rows(plan: Plan) -> list[PositionRow]:
    """The tokens of the sequence shown, and a row of position ids for each way of counting."""
    ids = plan.position_ids
    tokens = PositionRow(tr("token"), tuple(plan.positions.key_labels))
    return [tokens, *(PositionRow(COUNTINGS[way], tuple(map(str, row.tolist()))) for way, row in ids.items())]


def position_remarks(plan: Plan) -> list[Text]:
    """What is said about the ways of counting that differ."""
    return [warning.text for warning in plan.warnings if warning.id.startswith("position-ids")]


def implementations(result: MasksResult) -> list[ImplResult]:
    """The compared implementations; the label says how many fully masked rows are NaN."""
    return [
        replace(row, label=_with_nan_rows(row.label, row.nan_rows)) if row.nan_rows else row
        for row in result.comparison
    ]


def provenance(view: int, state: PageState[Plan, MasksResult]) -> Provenance | None:
    """The provenance of the numbers in one view of the kernel card."""
    if view == COMPARISON:
        result = state.result
        if result is None or not result.comparison:
            return None
        return Provenance.MEASURED if impl_rows.ran_on_gpu(result.comparison) else Provenance.MEASURED_CPU
    if view in (CODE, POSITIONS):
        return None if view == CODE else Provenance.MODELLED
    traced = view == SCHEDULE and state.fitting is not None and state.fitting.schedule is not None
    return Provenance.TRACED if traced else Provenance.MODELLED


def _with_nan_rows(label: Text, rows: int) -> Text:
    return tr_plural("{label} · {count:,} row NaN", "{label} · {count:,} rows NaN", count=rows, label=label)


def _sign(share: float) -> str:
    return "0%" if abs(share) < 5e-4 else f"{share:+.1%}".replace("-", "−")


def _tone(saved: int) -> Tone:
    return "good" if saved > 0 else "bad" if saved < 0 else "plain"
