"""The view of flash-attention: tile schedule, HBM traffic, memory access and the live comparison, linked."""

from __future__ import annotations

from typing import Any

from core.contracts.params import Params
from core.contracts.result import Provenance, Result
from core.contracts.result_builder import from_partial
from core.topics.flash_attention.model import Plan
from core.topics.flash_attention.params import FlashAttentionParams
from gui.charts import impl_rows, traffic_rows
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.page.page import Page
from gui.page.selection import Selection
from gui.pages.flash_attention import view_data
from gui.pages.flash_attention.address_map import AddressMap
from gui.pages.flash_attention.hardware_bar import HardwareStrip
from gui.pages.flash_attention.tile_stepper import TileStepper
from gui.pages.flash_attention.timeline import Timeline
from gui.widgets.switcher import Switcher

_SCHEDULE_PX = 296
"""The least height at which schedule, SRAM and softmax can be read together; a lower window scrolls."""
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
    "Click to select a program and a tensor; the wheel zooms, a drag pans, a double click shows all."
)
_COMPARISON_HELP = (
    "The implementations on the same inputs: time where one can be measured, and error against float64 with the "
    "most that the precision allows. Emulated runs have no time."
)

_LENGTH, _SRAM = Axis("sequence length N", "tokens", log=True), Axis("SRAM of one SM, M", "bytes", log=True)
_NO_CURVES = "The curves appear here once there is something to compare."


class FlashAttentionPage(Page):
    """Selection kinds: step, q_block, kv_block, row, kernel, program, tensor, function, line."""

    def build(self) -> None:
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._traced: Result | None = None
        self.strip, self.stepper = HardwareStrip(), TileStepper()
        self.traffic = RowChart(traffic_rows.EMPTY, "HBM bytes")
        self.by_length, self.by_sram = _io_chart(_LENGTH), _io_chart(_SRAM)
        self.addresses, self.timeline = AddressMap(), Timeline()
        self.comparison = RowChart(impl_rows.EMPTY, "Implementations")
        self.traffic_views = Switcher(
            [("HBM bytes", self.traffic), ("IO against N", self.by_length), ("IO against M", self.by_sram)]
        )
        self.comparison_views = Switcher([("Implementations", self.comparison), ("GPU timeline", self.timeline)])
        self.add_strip(self.strip)
        self.schedule_card = self.add_plot(self.stepper, 0, 0, "Tile schedule", _SCHEDULE_HELP, width=6, height=12)
        self.schedule_card.setMinimumHeight(_SCHEDULE_PX)
        self.traffic_card = self.add_plot(self.traffic_views, 0, 1, "HBM traffic", _TRAFFIC_HELP, width=5, height=12)
        self.address_card = self.add_plot(self.addresses, 1, 0, "Memory access", _ADDRESS_HELP, width=6, height=10)
        self.comparison_card = self.add_plot(
            self.comparison_views, 1, 1, "Live comparison", _COMPARISON_HELP, width=5, height=10
        )
        self._link()

    def show_plan(self, plan: Plan, params: Params) -> None:
        """Draw the plan, and the run's traces where the run was of these very parameters."""
        self._plan = plan
        result = self._result
        self._traced = result if result is not None and _was_of(result, params) else None
        self._draw(plan)

    def show_partial(self, payload: dict[str, Any]) -> None:
        """What is traced comes before the implementations are compared: no need to wait for them."""
        self.show_result(from_partial(payload))
        self.comparison.show_empty("The implementations come last in a run: none has been compared yet.")

    def show_result(self, result: Result) -> None:
        """Traced data takes the place of modelled data."""
        self._result = self._traced = result
        if self._plan is None or not _was_of(result, self._plan.params):
            self._plan = self.topic.plan(FlashAttentionParams.parse(result.params))
        self.addresses.set_rasters(view_data.rasters(result))
        self.comparison.set_rows(impl_rows.implementation_rows(view_data.implementations(result)))
        self.timeline.set_launch(view_data.launch(result))
        self._badge_run()
        self._draw(self._plan)

    def clear_result(self) -> None:
        self._result = self._traced = None
        self.addresses.set_rasters([])
        self.comparison.set_rows(None)
        self.timeline.set_launch(None)
        self._badge_run()
        if self._plan is not None:
            self._draw(self._plan)

    def set_stale(self, stale: bool) -> None:
        """Schedule and traffic go back to the model when parameters change; only what stays from the run is stale."""
        for card in (self.address_card, self.comparison_card):
            card.set_stale(stale and self._result is not None)

    def select(self, selection: Selection) -> None:
        """Show the selection in every plot. Each setter is silent when nothing changes, so nothing loops."""
        self.stepper.select(selection)
        tensor, kernel, program = (selection.get(kind) for kind in ("tensor", "kernel", "program"))
        self.traffic.choose(tensor)
        self.addresses.select_tensor(tensor)
        self.addresses.select_program(kernel, program)
        self.timeline.select_program(program if kernel == "flash" else None)

    def step(self, delta: int) -> None:
        self.stepper.player.pause()
        self.stepper.player.set_step(self.stepper.player.step + delta)

    def toggle_play(self) -> None:
        self.stepper.player.toggle()

    def _draw(self, plan: Plan) -> None:
        traced = self._traced
        self.strip.set_levels(view_data.memory_levels(plan))
        self.schedule_card.set_provenance(Provenance.MODELLED if traced is None else Provenance.TRACED)
        self._draw_traffic()
        self.stepper.show_schedule(plan, traced)
        self.select(self.selection.selection)

    def _draw_traffic(self) -> None:
        """The picture of the traffic card that is in front. The bytes may be traced; the curves are modelled."""
        plan, traced, index = self._plan, self._traced, self.traffic_views.index
        if plan is None:
            return
        if index == 0:
            rows = view_data.modelled_traffic(plan) if traced is None else view_data.traced_traffic(traced)
            self.traffic.set_rows(traffic_rows.traffic_rows(view_data.KERNELS, rows))
        elif index == 1:
            self.by_length.set_series(view_data.curves_by_length(plan, traced))
            self.by_length.select_x(plan.params.seq_len)
        else:
            self.by_sram.set_series(view_data.curves_by_sram(plan))
            self.by_sram.select_x(plan.hardware.sram_bytes_per_sm)
        is_traced = traced is not None and index == 0
        self.traffic_card.set_provenance(Provenance.TRACED if is_traced else Provenance.MODELLED)

    def _badge_run(self) -> None:
        """Where the two lower cards' numbers come from, if there are any."""
        on_gpu = impl_rows.ran_on_gpu(view_data.implementations(self._result))
        measured = Provenance.MEASURED if on_gpu else Provenance.MEASURED_CPU
        self.comparison_card.set_provenance(measured if self.comparison.rows else None)
        self.address_card.set_provenance(None if self.addresses.is_empty else Provenance.TRACED)

    def _link(self) -> None:
        self.stepper.picked.connect(lambda kinds: self.selection.update(**kinds))
        self.stepper.tile_picked.connect(lambda: self._show_line("K"))
        self.traffic.picked.connect(self._on_tensor)
        self.addresses.tensor_picked.connect(self._on_tensor)
        self.addresses.program_picked.connect(self._on_program)
        self.timeline.program_picked.connect(lambda program: self._on_program("flash", program))
        self.source.line_picked.connect(self._on_line)
        self.traffic_views.switched.connect(self._draw_traffic)

    def _on_tensor(self, tensor: str) -> None:
        """A tensor was clicked: light it and the line that loads it; a second click puts it out."""
        again = self.selection.selection.get("tensor") == tensor
        self.selection.update(tensor=None if again else tensor)
        if not again:
            self._show_line(tensor)

    def _show_line(self, tensor: str) -> None:
        """Pick the source line that loads a tensor, where a run has traced it."""
        function, line = view_data.load_line(self._traced, tensor)
        if line is not None:
            self.selection.update(function=function, line=line)

    def _on_line(self, function: str, line: int) -> None:
        """A source line was clicked: light the tensor that it loads or stores."""
        self.selection.update(tensor=view_data.tensor_of_line(self._traced, function, line))

    def _on_program(self, kernel: str, program: int) -> None:
        """A program was clicked: mark it, and go to its tiles where it is one of the schedule's."""
        if kernel == "flash":
            self.stepper.go_to_program(program)
        self.selection.update(kernel=kernel, program=program)


def _was_of(result: Result, params: Params) -> bool:
    """Whether a run was made with exactly these parameters."""
    return dict(result.params) == params.model_dump(mode="json")


def _io_chart(x: Axis) -> LineChart:
    return LineChart(_NO_CURVES, x, Axis("HBM accesses", "bytes", log=True), selected_label="set in the form")
