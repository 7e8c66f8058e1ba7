"""The page of flash-attention: linked views of tile schedule, HBM traffic, memory access and comparison."""

from __future__ import annotations

from core.contracts.result import Provenance
from core.contracts.text import tr
from core.topics.flash_attention.plan import TENSORS, Plan
from core.topics.flash_attention.result import FlashAttentionResult
from core.trace.order import Moment
from gui.charts import impl_rows, traffic_rows
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.flash_attention import view_data
from gui.pages.flash_attention.access_maps import AccessMaps
from gui.pages.flash_attention.hardware_bar import HardwareStrip
from gui.pages.flash_attention.tile_stepper import TileStepper
from gui.pages.flash_attention.timeline import Timeline
from gui.widgets.remark_strip import RemarkStrip
from gui.widgets.switcher import Switcher
from gui.zoom import Px

_SCHEDULE_PX = Px(296)
"""The minimum height at which schedule, SRAM and softmax are readable together; a lower window scrolls."""
_SCHEDULE_HELP = tr(
    "Each square is a tile of the score matrix. A program keeps one tile of Q on chip and moves along its row, loading "
    "one tile of K and V per step. Click a tile to go there; Space plays, Left and Right step."
)
_TRAFFIC_HELP = tr(
    "Bytes that the kernels request from HBM, before any cache. Standard attention writes S and P and reads them back. "
    "Click a tensor to follow it."
)
_ACCESS_HELP = tr(
    "Every load and store: x is the order of accesses, program after program; y is the address, with tensors stacked. "
    "Click an access to select its program, tensor and source line. The wheel zooms, dragging pans, a double click "
    "shows everything."
)
_COMPARISON_HELP = tr(
    "The implementations on the same inputs: times where they can be measured, and errors against float64 with the "
    "limit of the precision. Emulated runs have no time."
)

_LENGTH, _SRAM = Axis(tr("sequence length N"), "tokens", log=True), Axis(tr("SRAM of one SM, M"), "bytes", log=True)
_NO_CURVES = tr("The curves appear here once the parameters are valid.")
_NONE_COMPARED = tr("The comparison is the last step of a run: no implementation has been compared yet.")
_NO_TRACES = tr("This run was stored by an older version: run again (F5) to see its accesses.")
_NOTHING_TRACED = tr("No kernel was traced in this run: Triton was not installed where it ran.")
_BYTES, _BY_LENGTH, _BY_SRAM = range(3)


class FlashAttentionPage(Page[Plan, FlashAttentionResult]):
    """Selection kinds: step, q_block, kv_block, row, kernel, program, tensor, traffic_view,
    comparison_view, function, line."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self.strip, self.remarks, self.stepper = HardwareStrip(), RemarkStrip(), TileStepper()
        self.traffic = RowChart(traffic_rows.EMPTY, tr("HBM bytes"))
        self.by_length, self.by_sram = _io_chart(_LENGTH), _io_chart(_SRAM)
        self.accesses, self.timeline = AccessMaps(view_data.KERNEL_TITLES, TENSORS), Timeline()
        self.comparison = RowChart(impl_rows.EMPTY, tr("Implementations"))
        self.traffic_views = Switcher(
            [
                ("bytes", tr("HBM bytes"), self.traffic),
                ("by-length", tr("I/O by N"), self.by_length),
                ("by-sram", tr("I/O by M"), self.by_sram),
            ],
            "traffic_view",
        )
        self.comparison_views = Switcher(
            [
                ("implementations", tr("Implementations"), self.comparison),
                ("timeline", tr("GPU timeline"), self.timeline),
            ],
            "comparison_view",
        )
        return (
            Strip(self.strip),
            Strip(self.remarks),
            CardSpec(
                "schedule",
                self.stepper,
                tr("Tile schedule"),
                _SCHEDULE_HELP,
                width=6,
                height=12,
                minimum_px=_SCHEDULE_PX,
            ),
            CardSpec("traffic", self.traffic_views, tr("HBM traffic"), _TRAFFIC_HELP, column=1, width=5, height=12),
            CardSpec("accesses", self.accesses, tr("Memory access"), _ACCESS_HELP, row=1, width=6, height=10),
            CardSpec(
                "comparison",
                self.comparison_views,
                tr("Comparison"),
                _COMPARISON_HELP,
                row=1,
                column=1,
                width=5,
                height=10,
            ),
        )

    @property
    def drawing(self) -> bool:
        return not self.accesses.idle

    def draw(self, state: PageState[Plan, FlashAttentionResult]) -> None:
        """The plan, with the traces of the run if it has the same parameters."""
        self.strip.set_gpu(state.plan.gpu)
        self.remarks.set_remarks(self.topic.remarks(state.plan.params))
        traced = self._traced
        self.cards["schedule"].set_provenance(Provenance.MODELLED if traced is None else Provenance.TRACED)
        self._draw_traffic()
        self.stepper.show_schedule(state.plan, traced)

    def draw_result(self, result: FlashAttentionResult | None) -> None:
        compared = () if result is None else result.comparison
        traces = {} if result is None else result.traces
        of_a = None if self.of_a is None else self.of_a.comparison
        self.comparison.set_rows(impl_rows.implementation_rows(compared), impl_rows.pinned_rows(of_a))
        if result is not None and not compared:
            self.comparison.show_empty(_NONE_COMPARED)
        self.timeline.set_timeline(None if result is None else result.timeline)
        self.accesses.set_traces(traces, None if result is None else _NO_TRACES if result.traffic else _NOTHING_TRACED)
        measured = Provenance.MEASURED if impl_rows.ran_on_gpu(compared) else Provenance.MEASURED_CPU
        self.cards["comparison"].set_provenance(measured if compared else None)
        self.cards["accesses"].set_provenance(Provenance.TRACED if traces else None)

    def select(self, selection: Selection) -> None:
        """Show the selection in every picture. Setters emit nothing when nothing changes, so there is no loop."""
        self.stepper.select(selection)
        tensor, kernel, program = (selection.get(kind) for kind in ("tensor", "kernel", "program"))
        self.traffic.choose(tensor)
        self.accesses.select_tensor(tensor)
        self.accesses.select_program(kernel, program)
        self.timeline.select_program(program if kernel == "flash" else None)

    def step(self, delta: int) -> None:
        self.stepper.player.pause()
        self.stepper.player.set_step(self.stepper.player.step + delta)

    def toggle_play(self) -> None:
        self.stepper.player.toggle()

    def link(self) -> None:
        self.stepper.picked.connect(lambda kinds: self.selection.update(**kinds))
        self.stepper.tile_picked.connect(lambda: self._show_line("K"))
        self.traffic.picked.connect(self._on_tensor)
        self.accesses.picked.connect(self._on_access)
        self.timeline.program_picked.connect(lambda program: self._on_program("flash", program))
        self.source.line_picked.connect(self._on_line)
        self.traffic_views.switched.connect(self._draw_traffic)

    def _draw_traffic(self) -> None:
        """The visible picture of the traffic card. The bytes may be traced; the curves are modelled."""
        if self.state is None:
            return
        plan, traced, index = self.state.plan, self._traced, self.traffic_views.index
        if index == _BYTES:
            rows = plan.traffic if traced is None else traced.traffic_by_tensor
            titles, of_a = view_data.kernel_titles(), self.of_a
            pinned = None if of_a is None else traffic_rows.traffic_rows(titles, of_a.traffic_by_tensor)
            self.traffic.set_rows(traffic_rows.traffic_rows(titles, rows), pinned)
        elif index == _BY_LENGTH:
            self.by_length.set_series(view_data.curves_by_length(plan, traced))
            self.by_length.select_x(plan.params.seq_len)
        else:
            self.by_sram.set_series(view_data.curves_by_sram(plan))
            self.by_sram.select_x(plan.gpu.sram_bytes_per_sm)
        is_traced = traced is not None and index == _BYTES
        self.cards["traffic"].set_provenance(Provenance.TRACED if is_traced else Provenance.MODELLED)

    @property
    def _traced(self) -> FlashAttentionResult | None:
        """The run of the parameters that are drawn, if it has traced something."""
        fitting = None if self.state is None else self.state.fitting
        return None if fitting is None or not fitting.traffic else fitting

    def _on_tensor(self, tensor: str) -> None:
        """A tensor was clicked: highlight it and the line that loads it; a second click removes the highlight."""
        is_highlighted = self.selection.selection.get("tensor") == tensor
        self.selection.update(tensor=None if is_highlighted else tensor)
        if not is_highlighted:
            self._show_line(tensor)

    def _show_line(self, tensor: str) -> None:
        """Select the source line that loads a tensor, if a run has traced it."""
        location = None if self._traced is None else self._traced.load_line(tensor)
        if location is not None:
            function, line = location
            self.selection.update(function=function, line=line)

    def _on_line(self, function: str, line: int) -> None:
        """A source line was clicked: highlight the tensor that it loads or stores."""
        self.selection.update(tensor=None if self._traced is None else self._traced.tensor_of_line(function, line))

    def _on_access(self, kernel: str, function: str, moment: Moment, tensor: str) -> None:
        """An access was clicked: select its program, its tensor and its source line."""
        self._on_program(kernel, moment.program)
        chosen = tensor or self.selection.selection.get("tensor")
        self.selection.update(tensor=chosen, function=function, line=moment.access.line)

    def _on_program(self, kernel: str, program: int) -> None:
        """A program was clicked: highlight it, and go to its tiles if it is in the schedule."""
        if kernel == "flash":
            self.stepper.go_to_program(program)
        self.selection.update(kernel=kernel, program=program)


def _io_chart(x: Axis) -> LineChart:
    return LineChart(_NO_CURVES, x, Axis(tr("HBM accesses"), "bytes", log=True), selected_label=tr("value in the form"))
