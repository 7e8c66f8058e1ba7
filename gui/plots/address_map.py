"""Address over time: every access of two kernels side by side, tensor by tensor, program after program."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QHideEvent, QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QCheckBox, QGraphicsRectItem, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.plots.chart import Chart, read_out
from gui.plots.figure import Canvas, Figure
from gui.plots.legend import Entry, Legend
from gui.plots.raster import AddressRaster, Band, picture
from gui.plots.scale import short_quantity
from gui.theme import Theme, colour

_BANDS_PX = 40
_USUAL_PANES, _PREPARE_MS = 2, 400


class AddressMap(Figure):
    """One `AddressPane` a kernel. With 'same scale' an access and a byte are as long in both panes."""

    program_picked = Signal(str, int)
    tensor_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Run (F5) to trace every load and store of the kernels: address over time appears here.", parent
        )
        self.panes: list[AddressPane] = []
        # A pane takes 10 ms to make: they are made once the window has appeared and before a result needs them.
        self._prepare = QTimer(self, interval=_PREPARE_MS)
        self._prepare.timeout.connect(self._prepare_pane)
        self.same_scale = QCheckBox("same scale")
        self.same_scale.setToolTip("An access and a byte as long on the left as on the right")
        self.same_scale.toggled.connect(self._rescale)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self._row = QHBoxLayout()
        self._row.setSpacing(10)
        column.addLayout(self._row, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.legend, 1)
        foot.addWidget(self.same_scale)
        column.addLayout(foot)
        self.set_content(content)

    def set_rasters(self, rasters: Sequence[tuple[str, AddressRaster]]) -> None:
        """Show the maps of these kernels, keyed; none shows the empty state."""
        if not rasters:
            self.show_empty()
            return
        while len(self.panes) < len(rasters):
            self._add_pane()
        for index, pane in enumerate(self.panes):
            pane.setVisible(index < len(rasters))
            if index < len(rasters):
                pane.set_raster(*rasters[index])
        self._rescale()
        self.show_content()

    def select_program(self, kernel: str | None, program: int | None = None) -> None:
        """Mark the accesses of one program of one kernel; None unmarks."""
        for pane in self.panes:
            pane.select_program(program if pane.kernel == kernel else None)

    def select_tensor(self, tensor: str | None) -> None:
        """Mark one tensor's band in every pane; None unmarks."""
        for pane in self.panes:
            pane.select_tensor(tensor)

    def restyle(self, theme: Theme) -> None:
        for pane in self.panes:
            pane.restyle(theme)
        self.legend.set_entries((Entry("read, in the tensor's colour", theme.tensor("Q")), Entry("write", theme.text)))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._prepare.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._prepare.stop()

    def _prepare_pane(self) -> None:
        if len(self.panes) < _USUAL_PANES:
            self._add_pane()
        else:
            self._prepare.stop()

    def _add_pane(self) -> None:
        pane = AddressPane(self)
        pane.restyle(themes.current())
        self.panes.append(pane)
        self._row.addWidget(pane, 1)

    def _rescale(self) -> None:
        shown = [pane for pane in self.panes if pane.raster is not None]
        if not shown:
            return
        longest = max(pane.raster.accesses for pane in shown if pane.raster is not None)
        highest = max(pane.raster.total_bytes for pane in shown if pane.raster is not None)
        for pane in shown:
            pane.set_extent(*((longest, highest) if self.same_scale.isChecked() else (None, None)))


class AddressPane(QWidget):
    """The map of one kernel: a title, the tensors' bands at the left, the raster."""

    def __init__(self, figure: AddressMap) -> None:
        super().__init__()
        self._figure = figure
        self.kernel = ""
        self.raster: AddressRaster | None = None
        self._is_moving = False
        self._title = QLabel()
        self._title.setProperty("role", "small")
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.chart = Chart(x_label="accesses, program after program", y_unit="bytes")
        self.chart.hideAxis("left")
        self._image = pg.ImageItem(axisOrder="row-major")
        self._program = QGraphicsRectItem()
        self._band = QGraphicsRectItem()
        for depth, item in enumerate((self._band, self._image, self._program)):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self._program.hide()
        self._band.hide()
        self._bands = _BandLabels(self)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self._bands)
        row.addWidget(self.chart, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._title)
        column.addLayout(row, 1)
        self.chart.clicked.connect(self._on_click)
        self.chart.getViewBox().sigRangeChanged.connect(self._draw)
        read_out(self.chart, figure, self.describe)

    def set_raster(self, kernel: str, raster: AddressRaster) -> None:
        self.kernel, self.raster = kernel, raster
        size, accesses = format_quantity(raster.total_bytes, "bytes"), short_quantity(raster.accesses)
        self._title.setText(f"<b>{raster.title}</b>&nbsp; {accesses} accesses · {size}")
        self._title.setToolTip(f"{raster.accesses:,.0f} accesses of {raster.programs:,} programs to {size}")
        self._program.hide()
        self._band.hide()

    def set_extent(self, accesses: float | None, total_bytes: float | None) -> None:
        """Show this much of the axes; None takes the kernel's own extent."""
        if self.raster is None:
            return
        right, top = accesses or self.raster.accesses, total_bytes or self.raster.total_bytes
        # Setting limits and ranges moves the view up to four times; it is drawn once.
        self._is_moving = True
        self.chart.set_home((0, right), (0, top))
        self._is_moving = False
        self._draw()

    def select_program(self, program: int | None) -> None:
        raster = self.raster
        if raster is None or program is None or not 0 <= program < raster.programs:
            self._program.hide()
            return
        first, last = (float(x) for x in raster.program_edges[program : program + 2])
        # A program of a few accesses is still drawn wide enough to be seen.
        least = raster.accesses / 400
        self._program.setRect(QRectF(first, 0, max(last - first, least), raster.total_bytes))
        self._program.show()

    @property
    def marked_program(self) -> QRectF | None:
        """The marked x-range as a rectangle in data coordinates, or None."""
        return self._program.rect() if self._program.isVisible() else None

    def select_tensor(self, tensor: str | None) -> None:
        band = None if self.raster is None else next((b for b in self.raster.bands if b.tensor == tensor), None)
        self._band.setVisible(band is not None)
        if band is not None and self.raster is not None:
            height = band.last_byte + 1 - band.first_byte
            self._band.setRect(QRectF(0, band.first_byte, self.raster.accesses, height))
            self._band.setBrush(colour(themes.current().tensor(band.tensor), 0.18))

    def describe(self, access: float, address: float) -> str | None:
        """Tensor, byte, access, program and counts at a point of the map."""
        raster = self.raster
        pixel = None if raster is None else raster.pixel_at(access, address)
        if raster is None or pixel is None:
            return None
        band, program = raster.band_at(address), raster.program_at(access)
        where = "between tensors" if band is None else f"{band.tensor} + {int(address) - band.first_byte:,} B"
        who = "" if program is None else f" · program {program:,}"
        reads, writes = int(raster.reads[pixel]), int(raster.writes[pixel])
        return f"{where}\naccess {int(access):,}{who}\n{reads:,} reads, {writes:,} writes in this pixel"

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        accent = theme.tiles["current"]
        self._program.setBrush(colour(accent, 0.22))
        self._program.setPen(pg.mkPen(accent, width=1.5))
        self._band.setPen(pg.mkPen(None))
        self._draw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._draw()

    def band_labels(self) -> list[tuple[Band, float, float]]:
        """Each band with its top and bottom in pixels of the chart."""
        box = self.chart.getViewBox()
        height = box.sceneBoundingRect()
        (_, _), (low, high) = box.viewRange()
        scale = height.height() / max(1e-9, high - low)
        bands = () if self.raster is None else self.raster.bands
        return [
            (b, height.bottom() - (b.last_byte + 1 - low) * scale, height.bottom() - (b.first_byte - low) * scale)
            for b in bands
        ]

    def _draw(self) -> None:
        """What is in view, at the resolution of the screen or of the raster, whichever is coarser."""
        self._bands.update()
        raster = self.raster
        if raster is None or self._is_moving:
            return
        theme = themes.current()
        inks = [QColor(theme.tensor(band.tensor)).getRgb()[:3] for band in raster.bands]
        room = self.chart.size() * self.chart.devicePixelRatio()
        (left, right), (low, high) = self.chart.getViewBox().viewRange()
        most = (max(64, room.height()), max(64, room.width()))
        shown = picture(raster, inks, QColor(theme.text).getRgb()[:3], ((left, right), (low, high)), most)
        self._image.setImage(shown.image, autoLevels=False, levels=None)
        self._image.setRect(QRectF(*shown.covers))

    def _on_click(self, access: float, address: float) -> None:
        raster = self.raster
        if raster is None or raster.pixel_at(access, address) is None:
            return
        program, band = raster.program_at(access), raster.band_at(address)
        if program is not None:
            self._figure.program_picked.emit(self.kernel, program)
        if band is not None:
            self._figure.tensor_picked.emit(band.tensor)


class _BandLabels(Canvas):
    """A strip per tensor in its colour, named where there is room."""

    def __init__(self, pane: AddressPane) -> None:
        super().__init__()
        self._pane = pane
        self.setFixedWidth(_BANDS_PX)

    def sizeHint(self) -> QSize:
        return QSize(_BANDS_PX, 60)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(themes.ui_font("small", bold=True))
        line = painter.fontMetrics().height()
        last_text = float("inf")
        for band, top, bottom in sorted(self._pane.band_labels(), key=lambda entry: -entry[2]):
            top, bottom = max(0.0, top), min(float(self.height()), bottom)
            if bottom <= top:
                continue
            painter.setPen(QColor(theme.sunken))
            painter.setBrush(QColor(theme.tensor(band.tensor)))
            painter.drawRect(QRectF(self.width() - 8, top, 6, max(2.0, bottom - top)))
            # Thin bands would write over each other: a name moves up until it is clear of the last, then is left out.
            middle = min((top + bottom) / 2, last_text - line * 0.9, self.height() - line / 2)
            middle = max(middle, line / 2)
            if middle > top - line and middle < last_text:
                painter.setPen(QColor(theme.tensor(band.tensor)))
                box = QRectF(0, middle - line / 2, self.width() - 11, line)
                painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, band.tensor)
                last_text = middle
