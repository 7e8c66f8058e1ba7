"""The tile schedule with its player, next to the contents of the chip at the current step."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.contracts.text import tr
from core.topics.flash_attention.plan import Plan
from core.topics.flash_attention.result import FlashAttentionResult
from gui.charts.tile_schedule import TileSchedule
from gui.charts.tiles import NEVER, TileGrid
from gui.page.selection import Selection
from gui.pages.flash_attention import view_data
from gui.pages.flash_attention.softmax_state import SoftmaxState
from gui.pages.flash_attention.sram_view import SramView
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.player import Player
from gui.zoom import Px

_OPENING_SHARE = 0.62
"""The initial position in the schedule: both loaded and waiting tiles are in view."""
_AT_ONCE_ELEMENTS, _AT_ONCE_TILES = 1 << 17, 1 << 19
"""Above these limits the modelled row and the schedule wait until the sliders rest."""
_CHIP_PX = Px(110)
"""The least width in which the names of what is on chip can be read."""
_REST_MS = 120


class TileStepper(QWidget):
    """Schedule, player, SRAM and online softmax of one row, moving together.

    The player owns the step. `picked` carries the selection of a step or click (q_block, kv_block, row, program...);
    `tile_picked` follows a click on a tile. `select` shows a selection and emits nothing new.
    """

    picked = Signal(dict)
    tile_picked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.schedule, self.player = TileSchedule(), Player()
        self.sram, self.softmax = SramView(), SoftmaxState()
        self.softmax_badge = ProvenanceBadge()
        self._row_name = FittedLabel("")
        self._plan: Plan | None = None
        self._traced: FlashAttentionResult | None = None
        self._grid: TileGrid | None = None
        self._iterations = np.empty(0, dtype=np.int32)
        self._programs: dict[int, tuple[int, int]] = {}
        self._row, self._row_in_tile = -1, -1
        self._shown_row = -1
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._settle)
        self._waiting: Plan | None = None
        self._lay_out()
        self.player.step_changed.connect(self._on_step)
        self.schedule.tile_picked.connect(self._on_tile)

    @property
    def grid(self) -> TileGrid | None:
        return self._grid

    def show_schedule(self, plan: Plan, traced: FlashAttentionResult | None) -> None:
        """Show another schedule; a very large one is drawn only after the sliders have rested for a moment."""
        if traced is None and self._grid is not None and plan.tiles.size > _AT_ONCE_TILES:
            self._waiting = plan
            self._rest.start()
        else:
            self._draw_schedule(plan, traced)

    def select(self, selection: Selection) -> None:
        """Go to the selected step, frame the selected tile if it is a different one, show the selected row."""
        if self._grid is None or self._plan is None:
            return
        self.player.set_step(selection.index("step", self.player.step))
        step = self.player.step
        self.schedule.set_step(step)
        tile = (selection.index("q_block"), selection.index("kv_block"))
        elsewhere = min(tile) >= 0 and tile != self._grid.tile_at(step)
        self.schedule.choose(*(tile if elsewhere else (None, None)))
        begins = self._iterations[step] == 0
        self.sram.set_stores(self._plan.sram.stores, ("Q", "K", "V") if begins else ("K", "V"))
        self._row = selection.index("row")
        self._show_row()

    def go_to_program(self, program: int) -> None:
        """Go to the first tile of a program of this head; other programs are not in the schedule."""
        start = next((first_tile for number, first_tile in self._programs.values() if number == program), None)
        if start is not None:
            self.player.pause()
            self.player.set_step(start)

    def _draw_schedule(self, plan: Plan, traced: FlashAttentionResult | None) -> None:
        """The player keeps its position if the schedule is as long as before."""
        self._waiting = None
        schedule = view_data.schedule_of(plan, traced)
        steps = int(schedule.shape[0])
        step = int(_OPENING_SHARE * (steps - 1))
        if self._grid is not None and self._grid.steps == steps:
            step = self.player.step
        self._plan, self._traced, self._iterations, self._shown_row = plan, traced, schedule[:, 1], -1
        starts = np.flatnonzero(self._iterations == 0).tolist()
        self._programs = {
            int(schedule[first_tile, 0]): (program, first_tile) for program, first_tile in enumerate(starts)
        }
        self._grid = view_data.tile_grid(plan, schedule) if steps else None
        self.schedule.set_grid(self._grid, step)
        if not steps:
            self.schedule.show_empty(tr("No query sees any key with these lengths: increase the key length."))
            self.sram.set_stores(())
            self.softmax.set_row(None)
        self.player.set_steps(steps, step)

    def _on_step(self, step: int) -> None:
        """The player moved: select its tile, its program and one of its rows."""
        if self._grid is None or self._plan is None:
            return
        q_block, kv_block = self._grid.tile_at(step)
        block_q = self._plan.params.block_q
        offset = block_q // 2 if self._row_in_tile < 0 else min(self._row_in_tile, block_q - 1)
        row = min(q_block * block_q + offset, self._plan.params.seq_len - 1)
        self.picked.emit({"step": step, **self._chosen(q_block, kv_block, row)})

    def _on_tile(self, q_block: int, kv_block: int, row: int) -> None:
        """A tile was clicked: go to its step if it has one, and show the row under the pointer."""
        if self._grid is None or self._plan is None:
            return
        if not self.schedule.chart.pointer.is_active:
            self.player.setFocus()  # after a click, the arrow keys step
        self.player.pause()
        self._row_in_tile = row - q_block * self._plan.params.block_q
        order = int(self._grid.order[q_block, kv_block])
        step = {} if order == NEVER else {"step": order}
        self.picked.emit({**step, **self._chosen(q_block, kv_block, row)})
        self.tile_picked.emit()

    def _chosen(self, q_block: int, kv_block: int, row: int) -> dict[str, Any]:
        program = self._programs.get(q_block, (None, 0))[0]
        return {"q_block": q_block, "kv_block": kv_block, "row": row, "kernel": "flash", "program": program}

    def _show_row(self) -> None:
        """The softmax of the selected row after the tile of the current step."""
        if self._row == self._shown_row:
            self.softmax.set_iteration(int(self._iterations[self.player.step]))
        elif self._traced is None and self._is_large():
            self._rest.start()
        else:
            self._fetch_row()

    def _is_large(self) -> bool:
        assert self._plan is not None
        return self._plan.params.key_len * self._plan.params.head_dim > _AT_ONCE_ELEMENTS

    def _settle(self) -> None:
        """The sliders rest: draw what was too large to draw while they moved."""
        if self._waiting is not None:
            self._draw_schedule(self._waiting, None)
        self._fetch_row()

    def _fetch_row(self) -> None:
        """The states of another row: those of the kernel if they were traced."""
        plan, row = self._plan, self._row
        if plan is None or self.player.step < 0 or not 0 <= row < plan.params.seq_len:
            return
        traced = None if self._traced is None else self._traced.softmax.row(row)
        state = plan.row_softmax(row) if traced is None else traced
        self._shown_row = row
        self._row_name.set_wordings(
            tr("Online softmax of query {row:,}", row=row),
            tr("softmax of query {row:,}", row=row),
            tr("query {row:,}", row=row),
        )
        self.softmax_badge.set_provenance(Provenance.MODELLED if traced is None else Provenance.TRACED)
        sentence = tr("Query {row:,} sees no key: its output is zero.", row=row)
        self.softmax.set_row(state, int(self._iterations[self.player.step]), sentence)

    def _lay_out(self) -> None:
        left, right = QWidget(), QWidget()
        steps = QVBoxLayout(left)
        steps.setContentsMargins(0, 0, 0, 0)
        steps.setSpacing(2)
        steps.addWidget(self.schedule, 1)
        steps.addWidget(self.player)
        chip_name = FittedLabel(tr("On chip now"))
        now = QVBoxLayout(right)
        now.setContentsMargins(6, 0, 0, 0)
        now.setSpacing(3)
        now.addLayout(_heading(chip_name, ProvenanceBadge(Provenance.MODELLED)))
        now.addWidget(self.sram)
        now.addLayout(_heading(self._row_name, self.softmax_badge))
        now.addWidget(self.softmax, 1)
        right.setMinimumWidth(_CHIP_PX)
        halves = QSplitter(Qt.Orientation.Horizontal)
        halves.setChildrenCollapsible(False)
        halves.addWidget(left)
        halves.addWidget(right)
        halves.setSizes([340, 320])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(halves)


def _heading(label: FittedLabel, badge: ProvenanceBadge) -> QHBoxLayout:
    """A small title with a separate badge: its numbers may have another provenance than the card."""
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 4, 0)
    row.addWidget(label, 1)
    row.addWidget(badge)
    return row
