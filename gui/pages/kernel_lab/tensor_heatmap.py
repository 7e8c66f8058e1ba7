"""A heatmap of one tensor: how often each element is read or written, by all programs or by one."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import tr, tr_in
from core.outside import shown_label
from core.trace.heatmap import TensorHeatmap
from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.palette import rgb
from gui.charts.ticks import short_quantity
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

WAYS = {"reads": tr("Reads"), "writes": tr("Writes")}
_LEAST_PX, _WIDEST_COMBO_PX = Px(52), Px(200)
"""The combo box is as wide as its text if there is room."""

_NO_PROGRAM = tr("Program")
"""The text of the disabled button while no program is selected."""


class HeatmapView(Figure):
    """The last dimension runs to the right, the others downwards. Brighter elements are accessed more often.

    `heat_requested`: the user chose a tensor or the programs, and the owner of the trace answers with `set_heatmap`.
    `tensor_picked` carries the tensor's name.
    """

    heat_requested = Signal()
    tensor_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The accesses to each element of a tensor appear here after a run."), parent)
        self.heatmap: TensorHeatmap | None = None
        self._program: int | None = None
        self._ink = themes.current().accent
        self.tensor_combo = QComboBox()
        show_text(self.tensor_combo.setAccessibleName, tr("The tensor to show"))
        show_text(self.tensor_combo.setToolTip, tr("The tensor to show"))
        self.way_buttons = {way: QPushButton() for way in WAYS}
        for way, title in WAYS.items():
            show_text(self.way_buttons[way].setText, title)
        self.only_button = QPushButton()
        show_text(self.only_button.setText, _NO_PROGRAM)
        self.only_button.setCheckable(True)
        self.only_button.setEnabled(False)
        show_text(self.only_button.setToolTip, tr("Show only the selected program, or all programs"))
        self._build()

    @property
    def tensor(self) -> str:
        return str(self.tensor_combo.currentData() or "")

    @property
    def way(self) -> str:
        """'reads' or 'writes'."""
        return next(way for way, button in self.way_buttons.items() if button.isChecked())

    @property
    def only_picked(self) -> bool:
        """Whether only the selected program's accesses are shown."""
        return self.only_button.isChecked()

    def set_tensors(self, tensors: list[tuple[str, str]]) -> None:
        """The tensors to choose from: name and description. The current choice stays if it is still there."""
        kept = self.tensor
        self.tensor_combo.blockSignals(True)
        self.tensor_combo.clear()
        labels = [shown_label(name.removesuffix("_ptr")) for name, _ in tensors]
        for label, (name, about) in zip(labels, tensors, strict=True):
            self.tensor_combo.addItem(label, name)
            place, tip = self.tensor_combo.count() - 1, Qt.ItemDataRole.ToolTipRole
            self.tensor_combo.setItemData(place, shown_label(about), tip)
        self.tensor_combo.setCurrentIndex(max(0, self.tensor_combo.findData(kept)))
        self.tensor_combo.blockSignals(False)
        if not tensors:
            self.heatmap = None
            self.show_empty()

    def select_tensor(self, tensor: str | None) -> None:
        """Select a tensor that another view picked."""
        index = -1 if tensor is None else self.tensor_combo.findData(tensor)
        if index >= 0 and index != self.tensor_combo.currentIndex():
            self.tensor_combo.blockSignals(True)
            self.tensor_combo.setCurrentIndex(index)
            self.tensor_combo.blockSignals(False)
            self.heat_requested.emit()

    def select_program(self, program: int | None) -> None:
        """Set the selected program, and request its heatmap if only one program is shown."""
        before, self._program = self._program, program
        self.only_button.setEnabled(program is not None)
        if program is None and self.only_button.isChecked():
            self.only_button.setChecked(False)
        title = _NO_PROGRAM if program is None else tr("Program {number:,}", number=program)
        show_text(self.only_button.setText, title)
        if self.only_picked and program != before:
            self.heat_requested.emit()

    def choose_way(self, way: str) -> None:
        """Show reads or writes."""
        self.way_buttons[way].setChecked(True)

    def set_heatmap(self, heatmap: TensorHeatmap, ink: str) -> None:
        """Draw a heatmap, with reads and writes in the tensor's colour `ink`."""
        before = self.heatmap
        self.heatmap, self._ink = heatmap, ink
        self.show_content()
        if before is None or (before.rows, before.columns) != (heatmap.rows, heatmap.columns):
            self.chart.set_home((0, heatmap.columns), (0, heatmap.rows))
        self._draw()

    def data_table(self) -> DataTable | None:
        """One row per cell that is accessed: the first tensor row and column in it, its reads and writes."""
        heatmap = self.heatmap
        if heatmap is None or self.is_empty:
            return None
        height, width = heatmap.reads.shape
        down, across = np.nonzero(heatmap.reads.astype(bool) | heatmap.writes.astype(bool))
        return table_of(
            {
                "tensor": [self.tensor] * len(down),
                "row": -(-down * heatmap.rows // height),
                "column": -(-across * heatmap.columns // width),
                "reads": heatmap.reads[down, across],
                "writes": heatmap.writes[down, across],
            }
        )

    def describe(self, x: float, y: float) -> str | None:
        """Rows, columns and counts of the cell at a point."""
        heatmap = self.heatmap
        if heatmap is None:
            return None
        rows, columns = heatmap.rows, heatmap.columns
        if not (0 <= x < columns and 0 <= y < rows):
            return None
        height, width = heatmap.reads.shape
        row, column = int(y / rows * height), int(x / columns * width)
        where = f"{_span(row, height, rows)}, {_span(column, width, columns)}"
        reads, writes = (float(heatmap.counts(way)[row, column]) for way in WAYS)
        cells = max(1.0, rows / height) * max(1.0, columns / width)
        if cells > 1:
            counts = tr(
                "{reads:,.0f} reads, {writes:,.0f} writes ({each:.3g} per element)",
                reads=reads,
                writes=writes,
                each=(reads + writes) / cells,
            )
        else:
            counts = tr("{reads:,.0f} reads, {writes:,.0f} writes", reads=reads, writes=writes)
        return f"{self.tensor}[{where}]\n{counts}"

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        if self.heatmap is not None:
            self._draw()

    def _draw(self) -> None:
        if self.heatmap is None:
            return
        theme, counts, each = themes.current(), self.heatmap.counts(self.way), self.heatmap.per_element(self.way)
        most = float(each.max(initial=0))
        shown = self._pooled(each)
        steps = np.array(
            [rgb(mix(mix(theme.sunken, self._ink, 0.25), _bright(theme, self._ink), s / 255)) for s in range(256)]
        )
        steps = steps.astype(np.uint8)
        image = np.zeros((*shown.shape, 4), dtype=np.uint8)
        image[..., :3] = steps[np.rint(255 * shown / (most or 1.0)).astype(np.intp)]
        image[..., 3] = np.where(shown > 0, 255, 0)
        self._image.setImage(image, autoLevels=False, levels=None)
        self._image.setRect(QRectF(0, 0, self.heatmap.columns, self.heatmap.rows))
        touched = float((counts > 0).mean()) if counts.size else 0.0
        about = self.tensor_combo.currentData(Qt.ItemDataRole.ToolTipRole) or ""
        total = short_quantity(float(counts.sum()))
        accesses = tr("{total} reads", total=total) if self.way == "reads" else tr("{total} writes", total=total)
        busiest = tr("up to {most:,.3g}×", most=most) if most else tr_in("accesses", "none")
        facts = [about, *map(str, (accesses, tr("{share:.0%} touched", share=touched), busiest))]
        shorter = (facts, facts[1:], facts[2:], facts[2:3])
        self._facts.set_wordings(*(" · ".join(filter(None, wording)) for wording in shorter))
        tip = tr("{facts} (most accesses to one element)", facts=self._facts.text())
        show_text(self._facts.setToolTip, str(tip))

    def _pooled(self, each: np.ndarray) -> np.ndarray:
        """At most one cell per pixel, with the maximum of merged cells, so that a single touched row stays visible."""
        assert self.heatmap is not None
        extents = self.heatmap.rows, self.heatmap.columns
        box, ranges = self.chart.getViewBox(), self.chart.getViewBox().viewRange()
        pixels = max(1.0, box.height()), max(1.0, box.width())
        for axis in (0, 1):
            low, high = ranges[1 - axis]
            in_view = each.shape[axis] * min(1.0, (high - low) / max(1, extents[axis]))
            stride = max(1, int(np.ceil(in_view / pixels[axis])))
            if stride > 1 and each.shape[axis] > stride:
                each = np.maximum.reduceat(each, np.arange(0, each.shape[axis], stride), axis=axis)
        return each

    def _build(self) -> None:
        self.chart = Chart(Axis(tr("last dimension"), steps="whole"), Axis(tr("rows"), steps="whole"))
        self.chart.invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major")
        self.chart.addItem(self._image, ignoreBounds=True)
        self._facts = FittedLabel()
        bar = QHBoxLayout()
        bar.setSpacing(4)
        self.tensor_combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.tensor_combo.setMaximumWidth(_WIDEST_COMBO_PX)
        self.tensor_combo.setMinimumWidth(_LEAST_PX)
        bar.addWidget(self.tensor_combo)
        ways = QHBoxLayout()
        ways.setSpacing(0)
        for index, button in enumerate(self.way_buttons.values()):
            button.setCheckable(True)
            button.setAutoExclusive(True)
            button.setProperty("role", "segment")
            button.setProperty("place", ("first", "last")[index])
            ways.addWidget(button)
        self.way_buttons["reads"].setChecked(True)
        bar.addLayout(ways)
        bar.addStretch(1)
        below = QHBoxLayout()
        below.setSpacing(6)
        below.addWidget(self._facts, 1)
        below.addWidget(self.only_button)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(bar)
        column.addWidget(self.chart, 1)
        column.addLayout(below)
        self.tensor_combo.currentIndexChanged.connect(lambda _: self.tensor_picked.emit(self.tensor))
        self.tensor_combo.currentIndexChanged.connect(lambda _: self.heat_requested.emit())
        self.way_buttons["reads"].toggled.connect(lambda _: self._draw())
        self.only_button.toggled.connect(lambda _: self.heat_requested.emit())
        self.chart.getViewBox().sigRangeChanged.connect(lambda *_: self._draw())
        self.chart.getViewBox().sigResized.connect(lambda *_: self._draw())
        read_out(self.chart, self, self.describe)
        self.set_content(content)


def _span(index: int, cells: int, extent: int) -> str:
    """The elements of a cell."""
    first, last = int(index * extent / cells), max(int(index * extent / cells), int((index + 1) * extent / cells) - 1)
    return f"{first:,}" if first == last else f"{first:,}..{last:,}"


def _bright(theme: Theme, ink: str) -> str:
    return mix(ink, "#ffffff", 0.35) if theme.is_dark else mix(ink, "#000000", 0.25)
