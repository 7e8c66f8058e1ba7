"""Address over time of both kernels, side by side, one trace map each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from core.format import quantity
from core.trace.file import EncodedTrace
from core.trace.order import Moment
from core.trace.record import Launch
from gui.charts.ticks import short_quantity
from gui.charts.trace_map import TraceMap
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.figure import Figure
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.latest_work import LatestWork
from gui.widgets.legend import Entry, Legend


class AccessMaps(Figure):
    """`kernels` are (key, title). With 'same scale' one access and one byte have the same size in both maps.

    `picked` carries the kernel, function and Moment that were clicked, and the tensor there ('' between tensors).
    """

    picked = Signal(str, str, object, str)

    def __init__(
        self, kernels: Sequence[tuple[str, Text]], tensors: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(
            tr("Run (F5) to trace every load and store of the kernels: the map of address over time appears here."),
            parent,
        )
        self._titles = dict(kernels)
        self._traces: Mapping[str, EncodedTrace] = {}
        self._decoding = LatestWork(self)
        self._decoding.done.connect(self._show_launches)
        self._decoding.failed.connect(self.show_empty)
        self.maps = {kernel: TraceMap(tensors) for kernel in self._titles}
        self._summaries = {kernel: FittedLabel("") for kernel in self._titles}
        self.same_scale = QCheckBox()
        show_text(self.same_scale.setText, tr("Same scale"))
        show_text(self.same_scale.setToolTip, tr("Draw one access and one byte at the same size on both sides"))
        self.same_scale.toggled.connect(self._rescale)
        self.legend = Legend()
        self._lay_out()
        for kernel, trace_map in self.maps.items():
            trace_map.foot.hide()
            trace_map.opened.connect(partial(self._opened, kernel))
            trace_map.picked.connect(partial(self._on_pick, kernel))

    def set_traces(self, traces: Mapping[str, EncodedTrace], sentence: Text | None = None) -> None:
        """Show these traces; without any, show the empty state, with `sentence` if given.

        A finished run repeats the traces of its Partial: then the maps stay unchanged, zoom included.
        """
        is_shown = traces.keys() == self._traces.keys() and all(
            trace.same_as(self._traces[kernel]) for kernel, trace in traces.items()
        )
        self._traces = traces
        if not traces:
            self._decoding.forget()
            self._show_launches({})
            self.show_empty(sentence)
        elif not is_shown:
            self._decoding.request(lambda: {kernel: trace.launches() for kernel, trace in traces.items()})

    def select_program(self, kernel: object, program: int | None = None) -> None:
        """Highlight the accesses of one program of one kernel; None removes the highlight."""
        for name, trace_map in self.maps.items():
            trace_map.select_program(program if name == kernel else None)

    def select_tensor(self, tensor: str | None) -> None:
        """Highlight one tensor's band in every map; None removes the highlight."""
        for trace_map in self.maps.values():
            trace_map.select_tensor(tensor)

    @property
    def idle(self) -> bool:
        """Whether everything in view is drawn."""
        return not self._decoding.busy and all(trace_map.idle for trace_map in self.maps.values())

    def restyle(self, theme: Theme) -> None:
        self.legend.set_entries(
            (Entry(tr("read (tensor's colour)"), theme.tensor("Q")), Entry(tr("write"), theme.text))
        )

    def _show_launches(self, launches: Mapping[str, Sequence[Launch]]) -> None:
        for kernel, trace_map in self.maps.items():
            trace_map.set_launches(launches.get(kernel, ()))
            trace_map.parentWidget().setVisible(kernel in launches)
        if launches:
            self.show_content()

    def _opened(self, kernel: str) -> None:
        trace_map = self.maps[kernel]
        assert trace_map.order is not None
        accesses, programs = trace_map.order.accesses, trace_map.order.programs
        size = quantity(trace_map.total_bytes, "bytes")
        summary = tr("{accesses} accesses · {size}", accesses=short_quantity(accesses), size=size)
        detail = tr(
            "{accesses:,.0f} accesses of {programs:,} programs to {size}",
            accesses=accesses,
            programs=programs,
            size=size,
        )
        label = self._summaries[kernel]
        label.set_wordings(summary, size)
        show_text(label.setToolTip, detail)
        self._rescale()

    def _rescale(self) -> None:
        opened = [(trace_map, trace_map.order) for trace_map in self.maps.values() if trace_map.order is not None]
        longest = max((order.accesses for _, order in opened), default=None)
        highest = max((trace_map.total_bytes for trace_map, _ in opened), default=None)
        for trace_map, _ in opened:
            trace_map.set_extent(*((longest, highest) if self.same_scale.isChecked() else (None, None)))

    def _on_pick(self, kernel: str, moment: Moment, tensor: str) -> None:
        self.picked.emit(kernel, self.maps[kernel].launches[moment.launch].function, moment, tensor)

    def _lay_out(self) -> None:
        content = QWidget()
        row = QHBoxLayout()
        row.setSpacing(10)
        for kernel, trace_map in self.maps.items():
            title = QLabel()
            title.setProperty("role", "small")
            title.setTextFormat(Qt.TextFormat.RichText)
            show_text(title.setText, Text("<b>{title}</b>", (("title", self._titles[kernel]),)))
            heading = QHBoxLayout()
            heading.setSpacing(8)
            heading.addWidget(title)
            heading.addWidget(self._summaries[kernel], 1)
            pane = QWidget()
            stack = QVBoxLayout(pane)
            stack.setContentsMargins(0, 0, 0, 0)
            stack.setSpacing(0)
            stack.addLayout(heading)
            stack.addWidget(trace_map, 1)
            row.addWidget(pane, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.legend, 1)
        foot.addWidget(self.same_scale)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row, 1)
        column.addLayout(foot)
        self.set_content(content)
