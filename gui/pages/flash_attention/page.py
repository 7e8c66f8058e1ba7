"""The view of flash-attention: tile schedule, HBM traffic, memory access and the live comparison, linked."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QTimer

from core.params import Params
from core.result import Provenance, Result
from core.topics.flash_attention.model import Plan
from core.topics.flash_attention.params import FlashAttentionParams
from gui.page import Page
from gui.pages.flash_attention import figures
from gui.pages.flash_attention.walkthrough import Walkthrough
from gui.plots.address_map import AddressMap
from gui.plots.comparison import Comparison
from gui.plots.curves import Curves
from gui.plots.hardware_strip import HardwareStrip
from gui.plots.switcher import Switcher
from gui.plots.tiles import NEVER, TileGrid
from gui.plots.timeline import Timeline
from gui.plots.traffic_bars import TrafficBars
from gui.selection import Selection

_OPENING_SHARE = 0.62
"""Where in the schedule the page opens: far enough that loaded and waiting tiles are both in view."""
_ROW_AT_ONCE_ELEMENTS = 1 << 20
"""Inputs above this size make the modelled row wait until the sliders rest."""
_REST_MS = 120


class FlashAttentionPage(Page):
    """Selection kinds: step, q_block, kv_block, row, kernel, program, tensor, function, line.

    The player owns the step; everything else follows from the selection in `select`.
    """

    def build(self) -> None:
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._traced: Result | None = None
        self._grid: TileGrid | None = None
        self._iterations = np.empty(0, dtype=np.int32)
        self._first_steps: dict[int, int] = {}
        self._row_in_tile: int | None = None
        self._shown_row: tuple[int, int] | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._follow_row)
        self.strip = HardwareStrip()
        self.walk = Walkthrough()
        self.traffic, self.by_length, self.by_sram = TrafficBars(), Curves(), Curves()
        self.addresses = AddressMap()
        self.comparison, self.timeline = Comparison(), Timeline()
        self._place()
        self._link()

    def show_plan(self, plan: Plan, params: Params) -> None:
        """Draw the plan, and the run's traces where the run is of these very parameters."""
        self._plan = plan
        result = self._result
        self._traced = result if result is not None and _is_of(result, plan.params) else None
        self._draw()

    def show_result(self, result: Result) -> None:
        """Traced data takes the place of modelled data; the run's own parameters decide what is drawn."""
        self._result = self._traced = result
        if self._plan is None or not _is_of(result, self._plan.params):
            self._plan = self.topic.plan(FlashAttentionParams.parse(result.params))
        self.addresses.set_rasters(figures.rasters(result))
        self._addresses_card.set_provenance(None if self.addresses.is_empty else Provenance.TRACED)
        rows = figures.contenders(result)
        self.comparison.set_rows(rows)
        on_gpu = any(row.runs_on == "cuda" for row in rows)
        measured = Provenance.MEASURED if on_gpu else Provenance.MEASURED_CPU
        self._comparison_card.set_provenance(measured if rows else None)
        self.timeline.set_launch(figures.launch(result))
        self._draw()

    def clear_result(self) -> None:
        self._result = self._traced = None
        self.addresses.set_rasters([])
        self.comparison.set_rows([])
        self.timeline.set_launch(None)
        for card in (self._addresses_card, self._comparison_card):
            card.set_provenance(None)
        if self._plan is not None:
            self._draw()

    def set_stale(self, stale: bool) -> None:
        """Schedule and traffic go back to the model when parameters change; only what stays from the run is stale."""
        for card in (self._addresses_card, self._comparison_card):
            card.set_stale(stale and self._result is not None)

    def select(self, selection: Selection) -> None:
        """Show the selection in every plot. Each setter is silent when nothing changes, so nothing loops."""
        grid = self._grid
        if grid is not None:
            self.walk.player.set_step(selection.index("step", 0))
            self.walk.schedule.set_step(self.walk.player.step)
            tile = (selection.index("q_block"), selection.index("kv_block"))
            elsewhere = self._step_of(tile) != self.walk.player.step
            self.walk.schedule.choose(*(tile if elsewhere and min(tile) >= 0 else (None, None)))
            self._show_chip()
            self._show_row()
        tensor = selection.get("tensor")
        for plot in (self.traffic.highlight, self.addresses.select_tensor):
            plot(tensor if isinstance(tensor, str) else None)
        kernel, program = selection.get("kernel"), selection.index("program")
        self.addresses.select_program(kernel if isinstance(kernel, str) else None, program if program >= 0 else None)
        self.timeline.select_program(program if kernel == "flash" and program >= 0 else None)

    def step(self, delta: int) -> None:
        self.walk.player.pause()
        self.walk.player.set_step(self.walk.player.step + delta)

    def toggle_play(self) -> None:
        self.walk.player.toggle()

    # Drawing

    def _draw(self) -> None:
        plan, traced = self._plan, self._traced
        if plan is None:
            return
        self.strip.set_levels(figures.memory_levels(plan))
        self.traffic.set_rows(
            figures.KERNELS, figures.modelled_traffic(plan) if traced is None else figures.traced_traffic(traced)
        )
        self.by_length.set_curves(figures.curves_by_length(plan), plan.params.seq_len)
        self.by_sram.set_curves(figures.curves_by_sram(plan), plan.hardware.sram_bytes_per_sm)
        self._schedule_card.set_provenance(Provenance.MODELLED if traced is None else Provenance.TRACED)
        self._badge_traffic()
        self._draw_schedule(plan)

    def _draw_schedule(self, plan: Plan) -> None:
        """Another schedule; the player keeps its place where the schedule is as long as before."""
        schedule = figures.schedule_of(plan, self._traced)
        player = self.walk.player
        same_length = self._grid is not None and self._grid.steps == schedule.shape[0]
        self._iterations = schedule[:, 1]
        starts = np.flatnonzero(self._iterations == 0)
        self._first_steps = dict(zip(schedule[starts, 0].tolist(), starts.tolist(), strict=True))
        self._grid = figures.tile_grid(plan, schedule)
        step = player.step if same_length else int(_OPENING_SHARE * (schedule.shape[0] - 1))
        if not schedule.shape[0]:
            self._grid = None
            self.walk.schedule.show_empty("No query sees any key with these lengths: lengthen the keys.")
            self.walk.softmax.set_row(None)
            self.walk.sram.set_stores(())
            player.set_steps(0)
            return
        self.walk.schedule.set_grid(self._grid, step)
        self._shown_row = None
        player.set_steps(schedule.shape[0], step)
        self.select(self.selection.selection)

    def _show_chip(self) -> None:
        """What the current step has loaded: K and V, and Q at the beginning of its walk."""
        if self._plan is not None and self.walk.player.step >= 0:
            fresh = ("Q", "K", "V") if self._iterations[self.walk.player.step] == 0 else ("K", "V")
            self.walk.sram.set_stores(figures.stores(self._plan, fresh))

    def _show_row(self) -> None:
        """The selected row's softmax, after the tile that is selected."""
        row, step = self.selection.selection.index("row"), self.walk.player.step
        if self._plan is None or row < 0 or step < 0:
            return
        iteration = int(self._iterations[step])
        if self._shown_row is not None and self._shown_row[0] == row:
            self.walk.softmax.set_iteration(iteration)
            return
        large = self._plan.params.key_len * self._plan.params.head_dim > _ROW_AT_ONCE_ELEMENTS
        if self._traced is None and large:
            self._rest.start()
        else:
            self._follow_row()

    def _follow_row(self) -> None:
        """Fetch the selected row's states: the kernel's own where they were traced."""
        plan, step = self._plan, self.walk.player.step
        row = self.selection.selection.index("row")
        if plan is None or step < 0 or not 0 <= row < plan.params.seq_len:
            return
        traced = None if self._traced is None else figures.traced_row(self._traced, row)
        state = figures.modelled_row(plan.params, row) if traced is None else traced
        self._shown_row = (row, step)
        self.walk.name_row(row)
        self.walk.softmax_badge.set_provenance(Provenance.MODELLED if traced is None else Provenance.TRACED)
        empty = f"Query {row:,} sees no key: its output is zero."
        self.walk.softmax.set_row(state, int(self._iterations[step]), empty)

    def _badge_traffic(self) -> None:
        """The bytes may be traced; the curves never are."""
        traced = self._traced is not None and self._traffic_views.index == 0
        self._traffic_card.set_provenance(Provenance.TRACED if traced else Provenance.MODELLED)

    # Linking

    def _link(self) -> None:
        self.walk.player.step_changed.connect(self._on_step)
        self.walk.schedule.tile_picked.connect(self._on_tile)
        self.traffic.tensor_picked.connect(self._on_tensor)
        self.addresses.tensor_picked.connect(self._on_tensor)
        self.addresses.program_picked.connect(self._on_program)
        self.timeline.program_picked.connect(lambda program: self._on_program("flash", program))
        self.source.line_picked.connect(self._on_line)
        self._traffic_views.switched.connect(self._badge_traffic)

    def _on_step(self, step: int) -> None:
        """The player moved: its tile, program and row are selected."""
        if self._grid is None:
            return
        q_block, kv_block = self._grid.tile_at(step)
        self.selection.update(
            step=step, q_block=q_block, kv_block=kv_block, row=self._row_of(q_block), **self._program_of(q_block)
        )

    def _on_tile(self, q_block: int, kv_block: int, row: int) -> None:
        """A tile was clicked: go to its step, follow the row under the pointer, show the line that loads K."""
        if self._plan is None:
            return
        self.walk.player.pause()
        self._row_in_tile = row - q_block * self._plan.params.block_q
        function, line = figures.load_line(self._traced, "K")
        step = self._step_of((q_block, kv_block))
        chosen = {"q_block": q_block, "kv_block": kv_block, "row": row, **self._program_of(q_block)}
        if step is not None:
            chosen["step"] = step
        if line is not None:
            chosen |= {"function": function, "line": line}
        self.selection.update(**chosen)

    def _on_tensor(self, tensor: str) -> None:
        """A tensor was clicked: light it and the line that loads it; a second click puts it out."""
        again = self.selection.selection.get("tensor") == tensor
        function, line = figures.load_line(self._traced, tensor)
        if again or line is None:
            self.selection.update(tensor=None if again else tensor)
        else:
            self.selection.update(tensor=tensor, function=function, line=line)

    def _on_line(self, function: str, line: int) -> None:
        """A source line was clicked: light the tensor that it loads or stores."""
        self.selection.update(tensor=figures.tensor_of_line(self._traced, function, line))

    def _on_program(self, kernel: str, program: int) -> None:
        """A program was clicked: mark it, and go to its tiles where it is one of the schedule's."""
        starts = list(self._first_steps.items())
        if kernel == "flash" and program < len(starts):
            self.walk.player.pause()
            self.walk.player.set_step(starts[program][1])
        self.selection.update(kernel=kernel, program=program)

    def _step_of(self, tile: tuple[int, int]) -> int | None:
        """The step that loads a tile, or None."""
        grid = self._grid
        if grid is None or not (0 <= tile[0] < grid.q_blocks and 0 <= tile[1] < grid.kv_blocks):
            return None
        order = int(grid.order[tile])
        return None if order == NEVER else order

    def _row_of(self, q_block: int) -> int:
        """The row of a tile that is followed: the one picked, or the middle one."""
        assert self._plan is not None
        block_q = self._plan.params.block_q
        offset = block_q // 2 if self._row_in_tile is None else min(self._row_in_tile, block_q - 1)
        return min(q_block * block_q + offset, self._plan.params.seq_len - 1)

    def _program_of(self, q_block: int) -> dict[str, Any]:
        """The flash program of a tile row: programs start their walks in launch order."""
        rank = list(self._first_steps).index(q_block) if q_block in self._first_steps else None
        return {"kernel": "flash", "program": rank}

    def _place(self) -> None:
        self.by_length.set_axes("sequence length N", "tokens", "HBM accesses", "bytes")
        self.by_sram.set_axes("SRAM of one SM, M", "bytes", "HBM accesses", "bytes")
        self._traffic_views = Switcher(
            [("HBM bytes", self.traffic), ("IO against N", self.by_length), ("IO against M", self.by_sram)]
        )
        self._comparison_views = Switcher([("Implementations", self.comparison), ("GPU timeline", self.timeline)])
        self.add_strip(self.strip)
        self._schedule_card = self.add_plot(self.walk, 0, 0, "Tile schedule", _SCHEDULE_HELP, width=6, height=11)
        self._traffic_card = self.add_plot(self._traffic_views, 0, 1, "HBM traffic", _TRAFFIC_HELP, width=5, height=11)
        self._addresses_card = self.add_plot(self.addresses, 1, 0, "Memory access", _ADDRESS_HELP, width=6, height=10)
        self._comparison_card = self.add_plot(
            self._comparison_views, 1, 1, "Live comparison", _COMPARISON_HELP, width=5, height=10
        )


def _is_of(result: Result, params: Params) -> bool:
    """Whether a run was made with exactly these parameters."""
    return dict(result.params) == params.model_dump(mode="json")


_SCHEDULE_HELP = (
    "Each square is a tile of the score matrix. A program keeps one tile of Q on chip and walks along its row, loading "
    "one tile of K and V a step. Click a tile to go there; Space plays, Left and Right step."
)
_TRAFFIC_HELP = (
    "Bytes that the kernels ask of HBM, before any cache. Standard attention writes S and P and reads them back. "
    "Click a tensor to follow it."
)
_ADDRESS_HELP = (
    "Every load and store: x is the order of accesses, program after program; y the address, the tensors stacked. "
    "Click to select a program and a tensor."
)
_COMPARISON_HELP = (
    "The implementations on the same inputs: time where one can be measured, and error against float64 with the "
    "most that the precision allows. Emulated runs have no time."
)
