"""Address over time of one kernel: every access, tensor by tensor, program after program."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QResizeEvent
from PySide6.QtWidgets import QGraphicsRectItem, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.format import format_quantity
from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.ticks import short_quantity
from gui.pages.flash_attention.raster import AddressRaster, Band, picture
from gui.theme import Theme, colour
from gui.widgets.figure import Canvas, Figure

_BANDS_PX = 40


class AddressPane(QWidget):
    """The map of one kernel: a title, the tensors' bands at the left, the raster.

    Its ranges and sizes may change many times in a turn of the event loop: `outdated` says so each time, and whoever
    hears it calls `draw` when it suits. `figure` shows the read-out under the pointer.
    """

    outdated = Signal()
    program_picked = Signal(str, int)
    tensor_picked = Signal(str)

    def __init__(self, figure: Figure) -> None:
        super().__init__()
        self.kernel = ""
        self.raster: AddressRaster | None = None
        self._title = QLabel()
        self._title.setProperty("role", "small")
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.chart = Chart(Axis("accesses, by program"), Axis(unit="bytes"))
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
        self.chart.getViewBox().sigRangeChanged.connect(self._outdate)
        read_out(self.chart, figure, self.describe)

    def set_raster(self, kernel: str, raster: AddressRaster) -> bool:
        """Take the map of a kernel. False where it is the one that is shown: nothing changes then."""
        is_shown = not self.isHidden() and self.kernel == kernel and self.raster is not None
        if is_shown and raster.same_as(self.raster):
            return False
        self.setVisible(True)
        self.kernel, self.raster = kernel, raster
        size, accesses = format_quantity(raster.total_bytes, "bytes"), short_quantity(raster.accesses)
        self._title.setText(f"<b>{raster.title}</b>&nbsp; {accesses} accesses · {size}")
        self._title.setToolTip(f"{raster.accesses:,.0f} accesses of {raster.programs:,} programs to {size}")
        self._program.hide()
        self._band.hide()
        self._image.clear()
        self._outdate()
        return True

    def set_extent(self, accesses: float | None, total_bytes: float | None) -> None:
        """Show this much of the axes; None takes the kernel's own extent."""
        if self.raster is None:
            return
        right, top = accesses or self.raster.accesses, total_bytes or self.raster.total_bytes
        self.chart.set_home((0, right), (0, top))

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
        self._outdate()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._outdate()

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

    def draw(self) -> None:
        """What is in view, at the resolution of the screen or of the raster, whichever is coarser."""
        raster = self.raster
        if raster is None:
            return
        theme = themes.current()
        inks = [QColor(theme.tensor(band.tensor)).getRgb()[:3] for band in raster.bands]
        room = self.chart.size() * self.chart.devicePixelRatio()
        (left, right), (low, high) = self.chart.getViewBox().viewRange()
        most = (max(64, room.height()), max(64, room.width()))
        shown = picture(raster, inks, QColor(theme.text).getRgb()[:3], ((left, right), (low, high)), most)
        self._image.setImage(shown.image, autoLevels=False, levels=None)
        self._image.setRect(QRectF(*shown.covers))

    def _outdate(self) -> None:
        self._bands.update()
        if self.raster is not None:
            self.outdated.emit()

    def _on_click(self, access: float, address: float) -> None:
        raster = self.raster
        if raster is None or raster.pixel_at(access, address) is None:
            return
        program, band = raster.program_at(access), raster.band_at(address)
        if program is not None:
            self.program_picked.emit(self.kernel, program)
        if band is not None:
            self.tensor_picked.emit(band.tensor)


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
