"""The view of masks: compose, matrix with its tiles, the kernel's schedule, comparison, code; all linked."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.masks.symmetry import Symmetry
from core.topics.masks.mask_warnings import Weight
from core.topics.masks.plan import Plan
from core.topics.masks.result import MasksResult
from gui.charts import impl_rows
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
from gui.pages.masks.mask_matrix import MaskMatrix
from gui.pages.masks.preset_gallery import PresetGallery
from gui.pages.masks.symmetry_map import SymmetryMap
from gui.widgets.latest_work import LatestWork
from gui.widgets.metric_bar import MetricBar
from gui.widgets.player import Player
from gui.widgets.switcher import Switcher

_MATRIX_HELP = (
    "Rows are queries, columns keys. The wheel zooms down to single cells, a drag pans, a double click shows all. "
    "The colour says what a tiled kernel does with the tile; the bars count the keys that each query sees."
)
_KERNEL_HELP = (
    "The order in which the block-sparse kernel visits tiles (traced after a run): Space plays, Left and Right step. "
    "Beside it the mask against its transpose, the implementations compared, and the mask as code to copy."
)
_MATRIX_PX = 290
"""The least height at which the matrix can be read with its margins; a lower window scrolls."""


class MasksPage(Page[Plan, MasksResult]):
    """Selection kinds: row, col, q_block, kv_block, step."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._grid: TileGrid | None = None
        self._drawn: dict[int, Plan] = {}
        self.gallery, self.composer, self.strip = PresetGallery(), MaskComposer(), MetricBar()
        self.matrix, self.schedule, self.player = MaskMatrix(), TileSchedule(), Player()
        self.mirror, self.code = SymmetryMap(), CodeTargets(view_data.TARGETS)
        self.comparison = RowChart(impl_rows.EMPTY, "Implementations")
        self._mirror_work = LatestWork(self)
        steps = QWidget()
        column = QVBoxLayout(steps)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.schedule, 1)
        column.addWidget(self.player)
        self.views = Switcher(
            [("Schedule", steps), ("M against Mᵀ", self.mirror), ("Compare", self.comparison), ("Code", self.code)]
        )
        return (
            Strip(self.gallery),
            Strip(self.composer),
            Strip(self.strip),
            CardSpec(
                "mask",
                self.matrix,
                "Mask",
                _MATRIX_HELP,
                width=6,
                minimum_px=_MATRIX_PX,
                provenance=Provenance.MODELLED,
            ),
            CardSpec("kernel", self.views, "Kernel", _KERNEL_HELP, column=1, width=5),
        )

    @property
    def drawing(self) -> bool:
        return not self.matrix.idle or self._mirror_work.busy

    def draw(self, state: PageState[Plan, MasksResult]) -> None:
        plan = state.plan
        if not self.gallery.buttons:
            self._name_presets()
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
        self.comparison.set_rows(rows)

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Each setter is silent when nothing changes, so nothing loops."""
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
        """A preset as it is meant: its own mask and text; lengths, tiles and shape stay."""
        cleared = dict.fromkeys(("expression", "query_text", "key_text", "lengths", "documents"), "")
        self.form.propose(self.params.changed(preset=preset_id, **cleared))

    def _sync_text(self, *_: object) -> None:
        """The composer shows what the form holds, valid or not."""
        field = self.form.fields["expression"]
        typed = self.composer.line.text()
        if typed.strip() != str(field.value()):  # a space at the end of what is being typed stays
            self.composer.show_text(str(field.value()))
        self.composer.show_fault(field.fault)

    def _name_presets(self) -> None:
        if self.state is not None:
            self.gallery.set_thumbnails(view_data.thumbnails(self.state.plan))

    def _write_warnings(self) -> None:
        warnings = () if self.state is None else self.state.plan.warnings
        sentences = [str(warning.text) for warning in warnings]
        self.composer.show_warnings(sentences, warning=bool(warnings) and warnings[0].weight is Weight.WARNING)

    def _draw_schedule(self, plan: Plan, run: MasksResult | None) -> None:
        before, grid = self._grid, view_data.schedule(plan, run)
        self._grid = grid
        same = before is not None and before.steps == grid.steps
        step = self.player.step if same else int(0.6 * max(0, grid.steps - 1))
        if grid.steps:
            self.schedule.set_grid(grid, step)
        else:
            self.schedule.show_empty("Every tile is empty: the kernel visits none and writes zeros.")
            self.matrix.select_tile(None)
        self.player.set_steps(grid.steps, step)

    def _draw_view(self, index: int) -> None:
        """What is behind the other buttons is made when it is looked at."""
        if self.state is None:
            return
        plan = self.state.plan
        self.cards["kernel"].set_provenance(view_data.provenance(index, self.state))
        if self._drawn.get(index) is plan:
            return
        self._drawn[index] = plan
        if index == view_data.CODE:
            self.code.set_texts(view_data.code(plan))
        elif index == view_data.MIRROR:
            self._mirror_work.request(plan.mirrored)

    def _show_mirror(self, mirrored: Symmetry) -> None:
        if self.state is not None and mirrored.cells == self.state.plan.layout.query_len**2:
            self.mirror.set_symmetry(mirrored, self.state.plan.layout.query_len)

    def _on_cell(self, row: int, col: int) -> None:
        """A cell was clicked: mark it, its tile, and go to the tile's step."""
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
        """The player moved: its tile is selected, the picked row stays while it is in that tile."""
        if self._grid is None or self.state is None or not self._grid.steps:
            return
        q_block, kv_block = self._grid.tile_at(step)
        row, block = self.selection.selection.index("row"), self.state.plan.tiling.block_q
        kept = row if row // block == q_block else None
        col = None if kept is None else self.selection.selection.get("col")
        self.selection.update(step=step, q_block=q_block, kv_block=kv_block, row=kept, col=col)
        self.schedule.set_step(step)
        self.matrix.select_tile(q_block, kv_block)
