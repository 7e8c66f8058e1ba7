"""The page of masks: linked views of composer, matrix with tiles, kernel schedule, comparison and code."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import tr
from core.masks.symmetry import Symmetry
from core.topics.masks.plan import CODE_TARGETS, Plan
from core.topics.masks.remark import Weight
from core.topics.masks.result import MasksResult
from gui.charts import impl_rows
from gui.charts.mask_matrix import MaskMatrix
from gui.charts.row_chart import RowChart
from gui.charts.tile_schedule import TileSchedule
from gui.charts.tiles import NEVER, TileGrid
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.masks import view_data
from gui.pages.masks.code_targets import CodeTargets
from gui.pages.masks.mask_composer import MaskComposer
from gui.pages.masks.position_table import PositionTable
from gui.pages.masks.preset_gallery import PresetGallery
from gui.pages.masks.symmetry_map import SymmetryMap
from gui.widgets.latest_work import LatestWork
from gui.widgets.metric_bar import MetricBar
from gui.widgets.player import Player
from gui.widgets.switcher import Switcher
from gui.zoom import Px

_MATRIX_HELP = tr(
    "Rows are queries, columns are keys. The wheel zooms in to single cells, dragging pans, a double click shows "
    "everything. The colour shows what a tiled kernel does with each tile; the bars count the keys that each query "
    "sees."
)
_KERNEL_HELP = tr(
    "The order in which the block-sparse kernel visits tiles (traced after a run): Space plays, Left and Right step. "
    "The other views compare the mask with its transpose, compare the implementations, show the mask as code to copy, "
    "and the position ids that models give these tokens."
)
_MATRIX_PX = Px(290)
"""The minimum height at which the matrix is readable with its labels; a lower window scrolls."""


class MasksPage(Page[Plan, MasksResult]):
    """Selection kinds: row, col, q_block, kv_block, step, kernel_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._grid: TileGrid | None = None
        self._presets_in = ""
        self._drawn: dict[int, Plan] = {}
        self.gallery, self.composer, self.strip = PresetGallery(), MaskComposer(), MetricBar()
        self.matrix, self.schedule, self.player = MaskMatrix(), TileSchedule(), Player()
        self.mirror, self.code, self.positions = SymmetryMap(), CodeTargets(CODE_TARGETS), PositionTable()
        self.comparison = RowChart(impl_rows.EMPTY, tr("Implementations"))
        self._mirror_work = LatestWork(self)
        steps = QWidget()
        column = QVBoxLayout(steps)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.schedule, 1)
        column.addWidget(self.player)
        self.views = Switcher(
            [
                ("schedule", tr("Schedule"), steps),
                ("symmetry", tr("M vs Mᵀ"), self.mirror),
                ("compare", tr("Compare"), self.comparison),
                ("code", tr("Code"), self.code),
                ("positions", tr("Positions"), self.positions),
            ],
            "kernel_view",
        )
        return (
            Strip(self.gallery),
            Strip(self.composer),
            Strip(self.strip),
            CardSpec(
                "mask",
                self.matrix,
                tr("Mask"),
                _MATRIX_HELP,
                width=13,
                minimum_px=_MATRIX_PX,
                provenance=Provenance.MODELLED,
            ),
            CardSpec("kernel", self.views, tr("Kernel"), _KERNEL_HELP, column=1, width=11),
        )

    @property
    def drawing(self) -> bool:
        return not self.matrix.idle or self._mirror_work.busy

    def draw(self, state: PageState[Plan, MasksResult]) -> None:
        plan = state.plan
        if self._presets_in != language.current():
            self._name_presets(plan)
        self.composer.show_mask(plan.mask)
        self._sync_text()
        self._write_warnings()
        self.gallery.mark(plan.preset.id if plan.params.is_plain_preset else None)
        self.strip.set_numbers(view_data.numbers(plan))
        self.matrix.set_source(view_data.matrix(plan))
        self._draw_schedule(plan, state.fitting)
        self._draw_view(self.views.index)

    def draw_result(self, result: MasksResult | None) -> None:
        rows = None if result is None else impl_rows.implementation_rows(view_data.implementations(result))
        of_a = None if self.of_a is None else view_data.implementations(self.of_a)
        self.comparison.set_rows(rows, impl_rows.pinned_rows(of_a))

    def select(self, selection: Selection) -> None:
        """Show the selection in every picture. Setters emit nothing when nothing changes, so there is no loop."""
        row, col = (cell if isinstance(cell, int) else None for cell in map(selection.get, ("row", "col")))
        self.matrix.select_cell(row, col)
        grid = self._grid
        if grid is None or not grid.steps:
            return
        self.player.set_step(selection.index("step", self.player.step))
        self.schedule.set_step(self.player.step)
        current = grid.tile_at(self.player.step)
        tile = (selection.index("q_block"), selection.index("kv_block"))
        tile = tile if min(tile) >= 0 else current
        self.matrix.select_tile(*tile)
        self.schedule.choose(*(tile if tile != current else (None, None)))

    def step(self, delta: int) -> None:
        (self.player.step_forward if delta > 0 else self.player.step_back)()

    def toggle_play(self) -> None:
        self.player.toggle()

    def link(self) -> None:
        expression = self.form.fields["expression"]
        self.composer.expression_edited.connect(lambda text: expression.edited.emit(text.strip()))
        self.form.undo_stack.indexChanged.connect(self._sync_text)
        self.form.validity_changed.connect(self._sync_text)
        self.gallery.chosen.connect(self._apply)
        self.matrix.cell_picked.connect(self._on_cell)
        self.schedule.tile_picked.connect(self._on_tile)
        self.player.step_changed.connect(self._on_step)
        self.views.switched.connect(self._draw_view)
        self._mirror_work.done.connect(self._show_mirror)
        self._mirror_work.failed.connect(self.mirror.show_empty)

    def _apply(self, preset_id: str) -> None:
        """Apply a preset with its own mask and text; sequence lengths, tiles and shape stay."""
        cleared = dict.fromkeys(("expression", "query_text", "key_text", "lengths", "documents"), "")
        self.form.propose(self.params.changed(preset=preset_id, **cleared))

    def _sync_text(self, *_: object) -> None:
        """The composer shows what the form holds, valid or not."""
        field = self.form.fields["expression"]
        typed = self.composer.line.text()
        if typed.strip() != str(field.value()):  # a trailing space stays while the user types
            self.composer.show_expression(str(field.value()))
        self.composer.show_problem(field.problem)

    def _name_presets(self, plan: Plan) -> None:
        self._presets_in = language.current()
        self.gallery.set_thumbnails(view_data.thumbnails(plan))

    def _write_warnings(self) -> None:
        warnings = () if self.state is None else self.state.plan.warnings
        texts = [warning.text for warning in warnings]
        self.composer.show_warnings(texts, warning=bool(warnings) and warnings[0].weight is Weight.WARNING)

    def _draw_schedule(self, plan: Plan, run: MasksResult | None) -> None:
        before, grid = self._grid, view_data.schedule(plan, run)
        self._grid = grid
        same_length = before is not None and before.steps == grid.steps
        step = self.player.step if same_length else int(0.6 * max(0, grid.steps - 1))
        if grid.steps:
            self.schedule.set_grid(grid, step)
        else:
            self.schedule.show_empty(tr("Every tile is empty: the kernel visits none and writes zeros."))
            self.matrix.select_tile(None)
        self.player.set_steps(grid.steps, step)

    def _draw_view(self, index: int) -> None:
        """The other views are computed when they are shown."""
        if self.state is None:
            return
        plan = self.state.plan
        self.cards["kernel"].set_provenance(view_data.provenance(index, self.state))
        if self._drawn.get(index) is plan:
            return
        self._drawn[index] = plan
        if index == view_data.CODE:
            self.code.set_texts(list(plan.code.values()))
        elif index == view_data.POSITIONS:
            self.positions.set_rows(view_data.position_rows(plan), view_data.position_remarks(plan))
        elif index == view_data.MIRROR:
            self._mirror_work.request(plan.mirrored)

    def _show_mirror(self, mirrored: Symmetry) -> None:
        if self.state is not None and mirrored.cells == self.state.plan.layout.query_len**2:
            self.mirror.set_symmetry(mirrored, self.state.plan.layout.query_len)

    def _on_cell(self, row: int, col: int) -> None:
        """A cell was clicked: highlight it and its tile, and go to the step of the tile."""
        if self.state is not None:
            tiling = self.state.plan.tiling
            self._pick(row // tiling.block_q, col // tiling.block_kv, row, col)

    def _on_tile(self, q_block: int, kv_block: int, row: int) -> None:
        self._pick(q_block, kv_block, row, None)

    def _pick(self, q_block: int, kv_block: int, row: int, col: int | None) -> None:
        if self._grid is None:
            return
        self.player.pause()
        order = int(self._grid.order[q_block, kv_block])
        chosen: dict[str, Any] = {"q_block": q_block, "kv_block": kv_block, "row": row, "col": col}
        self.selection.update(**chosen, **({} if order == NEVER else {"step": order}))

    def _on_step(self, step: int) -> None:
        """The player moved: select its tile; the selected row stays if it is in that tile."""
        if self._grid is None or self.state is None or not self._grid.steps:
            return
        q_block, kv_block = self._grid.tile_at(step)
        row, block = self.selection.selection.index("row"), self.state.plan.tiling.block_q
        kept = row if row // block == q_block else None
        col = None if kept is None else self.selection.selection.get("col")
        self.selection.update(step=step, q_block=q_block, kv_block=kv_block, row=kept, col=col)
        self.schedule.set_step(step)
        self.matrix.select_tile(q_block, kv_block)
