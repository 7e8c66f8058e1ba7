"""The view of masks: compose, matrix with its tiles, the kernel's schedule, comparison, code; all linked."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.params import Params
from core.contracts.result import Provenance, Result
from core.contracts.result_builder import from_partial
from core.contracts.text import Language
from core.topics.masks.model.mask_warnings import Weight
from core.topics.masks.model.plan import Plan
from core.topics.masks.params import MasksParams
from gui.charts import impl_rows
from gui.charts.row_chart import RowChart
from gui.charts.tile_schedule import TileSchedule
from gui.charts.tiles import NEVER, TileGrid
from gui.page.page import Page
from gui.page.selection import Selection
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
SCHEDULE, MIRROR, COMPARISON, CODE = range(4)


class MasksPage(Page):
    """Selection kinds: row, col, q_block, kv_block, step."""

    def build(self) -> None:
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._grid: TileGrid | None = None
        self._language: Language = "en"
        self._drawn: dict[int, Plan] = {}
        self.gallery, self.composer, self.strip = PresetGallery(), MaskComposer(), MetricBar()
        self.matrix, self.schedule, self.player = MaskMatrix(), TileSchedule(), Player()
        self.mirror, self.code = SymmetryMap(), CodeTargets(view_data.TARGETS)
        self.comparison = RowChart(impl_rows.EMPTY, "Implementations")
        self._mirror_work = LatestWork(self)
        self.gallery.set_thumbnails(view_data.thumbnails("en"))
        steps = QWidget()
        column = QVBoxLayout(steps)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.schedule, 1)
        column.addWidget(self.player)
        self.views = Switcher(
            [("Schedule", steps), ("M against Mᵀ", self.mirror), ("Compare", self.comparison), ("Code", self.code)]
        )
        for strip in (self.gallery, self.composer, self.strip):
            self.add_strip(strip)
        modelled = Provenance.MODELLED
        self.matrix_card = self.add_plot(self.matrix, 0, 0, "Mask", _MATRIX_HELP, provenance=modelled, width=6)
        self.matrix_card.setMinimumHeight(_MATRIX_PX)
        self.kernel_card = self.add_plot(self.views, 0, 1, "Kernel", _KERNEL_HELP, width=5)
        self._link()

    @property
    def drawing(self) -> bool:
        return not self.matrix.idle or self._mirror_work.busy

    def show_plan(self, plan: Plan, params: Params) -> None:
        self._plan = plan
        self.composer.show_mask(plan.mask)
        self._sync_text()
        self._write_remarks()
        self.gallery.mark(plan.preset.id if view_data.is_plain_preset(plan.params) else None)
        self.strip.set_numbers(view_data.numbers(plan))
        self.matrix.set_source(view_data.matrix(plan))
        self._draw_schedule()
        self._draw_view(self.views.index)

    def show_partial(self, payload: dict[str, Any]) -> None:
        """What is traced comes before the implementations are compared."""
        self.show_result(from_partial(payload))

    def show_result(self, result: Result) -> None:
        self._result = result
        self.comparison.set_rows(impl_rows.implementation_rows(view_data.implementations(result)))
        if self._plan is None or not self._is_traced():
            self.show_plan(self.topic.plan(MasksParams.parse(result.params)), self.params)
        self._draw_schedule()
        self._draw_view(self.views.index)

    def clear_result(self) -> None:
        self._result = None
        self.comparison.set_rows(None)
        self._draw_schedule()
        self._draw_view(self.views.index)

    def set_stale(self, stale: bool) -> None:
        """Only the comparison stays of a run when parameters change."""
        shown = self.views.index == COMPARISON and not self.comparison.is_empty
        self.kernel_card.set_stale(stale and shown)
        self._stale = stale

    _stale = False

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Each setter is silent when nothing changes, so nothing loops."""
        row, col = selection.get("row"), selection.get("col")
        self.matrix.select_cell(*(found if isinstance(found, int) else None for found in (row, col)))
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

    def set_language(self, language: Language) -> None:
        super().set_language(language)
        self._language = language
        if hasattr(self, "composer"):  # called once before the page is built
            self._write_remarks()

    def step(self, delta: int) -> None:
        (self.player.step_forward if delta > 0 else self.player.step_back)()

    def toggle_play(self) -> None:
        self.player.toggle()

    def _link(self) -> None:
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
        own = dict.fromkeys(("expression", "query_text", "key_text", "lengths", "documents"), "")
        self.form.propose(self.params.changed(preset=preset_id, **own))

    def _sync_text(self, *_: object) -> None:
        """The composer shows what the form holds, valid or not."""
        field = self.form.fields["expression"]
        typed = self.composer.line.text()
        if typed.strip() != str(field.value()):  # a space at the end of what is being typed stays
            self.composer.show_text(str(field.value()))
        self.composer.show_fault(field.fault)

    def _write_remarks(self) -> None:
        remarks = () if self._plan is None else self._plan.remarks
        said = [remark.text.in_language(self._language) for remark in remarks]
        self.composer.show_remarks(said, warning=bool(remarks) and remarks[0].weight is Weight.WARNING)

    def _is_traced(self) -> bool:
        """Whether the run that is shown was made with exactly the parameters that are drawn."""
        result, plan = self._result, self._plan
        return result is not None and plan is not None and dict(result.params) == plan.params.model_dump(mode="json")

    def _draw_schedule(self) -> None:
        plan = self._plan
        if plan is None:
            return
        traced = self._result if self._is_traced() and self._result and "schedule" in self._result.arrays else None
        before, grid = self._grid, view_data.schedule(plan, traced)
        self._grid, self._schedule_is_traced = grid, traced is not None
        same = before is not None and before.steps == grid.steps
        step = self.player.step if same else int(0.6 * max(0, grid.steps - 1))
        if grid.steps:
            self.schedule.set_grid(grid, step)
        else:
            self.schedule.show_empty("Every tile is empty: the kernel visits none and writes zeros.")
            self.matrix.select_tile(None)
        self.player.set_steps(grid.steps, step)

    _schedule_is_traced = False

    def _draw_view(self, index: int) -> None:
        """What is behind the other buttons is made when it is looked at."""
        plan = self._plan
        if plan is None:
            return
        badges = {
            SCHEDULE: Provenance.TRACED if self._schedule_is_traced else Provenance.MODELLED,
            MIRROR: Provenance.MODELLED,
            COMPARISON: None if self.comparison.is_empty else self._measured(),
            CODE: None,
        }
        self.kernel_card.set_provenance(badges[index])
        self.set_stale(self._stale)
        if self._drawn.get(index) is plan:
            return
        self._drawn[index] = plan
        if index == CODE:
            self.code.set_texts(view_data.code(plan))
        elif index == MIRROR:
            self._mirror_work.request(view_data.mirror(plan))

    def _measured(self) -> Provenance:
        on_gpu = impl_rows.ran_on_gpu(view_data.implementations(self._result))
        return Provenance.MEASURED if on_gpu else Provenance.MEASURED_CPU

    def _show_mirror(self, found: Any) -> None:
        if self._plan is not None and found.cells == self._plan.layout.query_len**2:
            self.mirror.set_symmetry(found, self._plan.layout.query_len)

    def _on_cell(self, row: int, col: int) -> None:
        """A cell was clicked: mark it, its tile, and go to the tile's step."""
        if self._plan is not None:
            tiling = self._plan.tiling
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
        if self._grid is None or self._plan is None or not self._grid.steps:
            return
        q_block, kv_block = self._grid.tile_at(step)
        row, block = self.selection.selection.index("row"), self._plan.tiling.block_q
        kept = row if row // block == q_block else None
        col = None if kept is None else self.selection.selection.get("col")
        self.selection.update(step=step, q_block=q_block, kv_block=kv_block, row=kept, col=col)
        self.schedule.set_step(step)
        self.matrix.select_tile(q_block, kv_block)
