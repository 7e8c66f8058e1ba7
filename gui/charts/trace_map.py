"""Address over time of launches, at any zoom: the part in view is rasterized again on another thread."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QResizeEvent
from PySide6.QtWidgets import QGraphicsRectItem, QHBoxLayout, QVBoxLayout, QWidget

from core.contracts.text import tr
from core.format import format_quantity
from core.outside import shown_label
from core.trace.address_map import Band, bands_of
from core.trace.levels import AddressLevels
from core.trace.order import Moment, Order
from core.trace.record import Launch
from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.palette import rgb, tensor_colours
from gui.charts.ticks import short_quantity
from gui.charts.trace_picture import Colours, Range, TracePicture, paint
from gui.theme import Theme, colour
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.latest_work import LatestWork
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_BANDS_PX = Px(64)
_OVERVIEW = (360, 900)
_REDRAW_MS = 15
_LEAST = 1e-3
"""Accesses or bytes that a window spans at least."""


_DATA_CELLS = (96, 192)
"""Cells of addresses and of time in which accesses are counted for other programs."""


class TraceMap(Figure):
    """One axis of time for consecutive launches. The wheel zooms, a drag pans, a double click shows everything.

    A coarse picture of everything is under the fine one of the part in view, so that panning never shows a hole.
    `picked` carries the Moment that was clicked and the name of the tensor ('' between tensors). The tensors are
    stacked with those of `tensors` first; programs are numbered across all launches.
    """

    picked = Signal(object, str)
    drawn = Signal()
    opened = Signal()
    """The trace has been prepared: `order` is known."""

    def __init__(self, tensors: Sequence[str] = (), parent: QWidget | None = None) -> None:
        super().__init__(tr("Run (F5) to trace the kernel. Every load and store then appears here."), parent)
        self.launches: tuple[Launch, ...] = ()
        self._stacking = tuple(tensors)
        self._extent: tuple[float, float] | None = None
        self.order: Order | None = None
        self._levels: AddressLevels | None = None
        self.bands: tuple[Band, ...] = ()
        self._line: tuple[str, int] | None = None
        self._program: int | None = None
        self._tensor: str | None = None
        self._overview_work, self._detail_work = LatestWork(self), LatestWork(self)
        self._overview_work.done.connect(self._show_overview)
        self._detail_work.done.connect(self._show_detail)
        for work in (self._overview_work, self._detail_work):
            work.failed.connect(self.show_empty)
        self._redraw = QTimer(self, interval=_REDRAW_MS, singleShot=True)
        self._redraw.timeout.connect(self._request_detail)
        self._build()

    def set_launches(self, launches: Sequence[Launch]) -> None:
        """Show these launches in full; without launches, the empty state."""
        if len(launches) == len(self.launches) and all(map(operator.is_, launches, self.launches)):
            return
        self.launches, self.order, self._levels = tuple(launches), None, None
        self._overview.clear()
        self._detail.clear()
        self._detail_work.forget()
        self._overview_work.forget()
        if not launches:
            self.show_empty()
            return
        self.bands = bands_of(launches, self._stacking)
        self._labels.make_room([band.name for band in self.bands])
        self._dress(themes.current())
        self.show_empty(tr("Drawing the trace…"))
        self._request_overview()

    def set_extent(self, accesses: float | None, total_bytes: float | None = None) -> None:
        """The extent of the axes when everything is shown; None takes that of the launches."""
        self._extent = None if accesses is None or total_bytes is None else (accesses, total_bytes)
        self._go_home()

    @property
    def marked_program(self) -> QRectF | None:
        """The marked x-range as a rectangle in data coordinates, or None."""
        return self._program_mark.rect() if self._program_mark.isVisible() else None

    def select_line(self, file: str | None, line: int | None) -> None:
        """Highlight the accesses of one source line; None shows all alike."""
        selected = None if file is None or line is None or not self._has(file, line) else (file, line)
        if selected != self._line:
            self._line = selected
            self._refresh()

    def select_program(self, program: int | None) -> None:
        """Mark the accesses of one program; None unmarks."""
        self._program = program
        self._place_marks()

    def select_tensor(self, tensor: str | None) -> None:
        """Mark one tensor's band; None unmarks."""
        self._tensor = tensor
        self._place_marks()

    def select_moment(self, x: float | None) -> None:
        """Mark a point of time; None unmarks."""
        self._moment.setVisible(x is not None)
        if x is not None:
            self._moment.setValue(x)

    def select_access(self, program: int | None, order: int | None) -> None:
        """Mark the time of the `order`-th access of a program; None unmarks."""
        moment = None
        if self.order is not None and program is not None and order is not None:
            moment = self.order.time_of(program, order)
        self.select_moment(moment)

    def data_table(self) -> DataTable | None:
        """The accesses of everything that was traced, counted in cells of time and address: those that have some."""
        levels = self._levels
        if levels is None or self.is_empty:
            return None
        counts = levels.picture(_DATA_CELLS[1], _DATA_CELLS[0])
        (x0, x1), (y0, y1) = counts.x_range, counts.y_range
        rows, columns = np.nonzero(counts.read | counts.write)
        wide, high = (x1 - x0) / _DATA_CELLS[1], (y1 - y0) / _DATA_CELLS[0]
        first_byte = y0 + rows * high
        starts = np.array([band.first_byte for band in counts.bands])
        band = np.maximum(0, np.searchsorted(starts, first_byte + high / 2, side="right") - 1)
        return table_of(
            {
                "first_access": x0 + columns * wide,
                "last_access": x0 + (columns + 1) * wide,
                "tensor": [counts.bands[index].name for index in band.tolist()],
                "first_byte": first_byte - starts[band],
                "last_byte": first_byte + high - starts[band],
                "reads": counts.read[rows, columns],
                "writes": counts.write[rows, columns],
            }
        )

    @property
    def total_bytes(self) -> int:
        return max(1, sum(band.size_bytes for band in self.bands))

    @property
    def idle(self) -> bool:
        """Whether everything in view is drawn."""
        return not (self._overview_work.busy or self._detail_work.busy or self._redraw.isActive())

    def band_at(self, address: float) -> tuple[Band, int] | None:
        """The tensor at an address of the axis, and the byte of it."""
        first = 0
        for band in self.bands:
            if first <= address < first + band.size_bytes:
                return band, int(address) - first
            first += band.size_bytes
        return None

    def describe(self, x: float, y: float) -> str | None:
        """Tensor, byte, access, program and source line at a point."""
        moment = None if self.order is None else self.order.moment_at(x)
        if moment is None:
            return None
        place, access = self.band_at(y), moment.access
        where = "" if place is None else f"{place[0].name} + {place[1]:,} B\n"
        file = access.file.replace("\\", "/").rpartition("/")[2]
        when = tr("access {access:,} · program {program:,}", access=int(x), program=moment.program)
        line = tr("{op} at {file}:{line}", op=access.kind, file=file, line=access.line)
        return f"{where}{when}\n{line}"

    def band_extents(self) -> list[tuple[str, float, float]]:
        """Each tensor with its top and bottom in pixels of the chart."""
        box = self.chart.getViewBox()
        area, (_, (low, high)) = box.sceneBoundingRect(), box.viewRange()
        scale, first, extents = area.height() / max(1e-9, high - low), 0, []
        for band in self.bands:
            last = first + band.size_bytes
            extents.append((band.name, area.bottom() - (last - low) * scale, area.bottom() - (first - low) * scale))
            first = last
        return extents

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        accent = theme.tiles["current"]
        self._program_mark.setBrush(colour(accent, 0.16))
        self._program_mark.setPen(pg.mkPen(accent, width=1.2))
        self._moment.setPen(pg.mkPen(accent, width=1.2, style=Qt.PenStyle.DashLine))
        self._band_mark.setPen(pg.mkPen(None))
        self._dress(theme)
        self._place_marks()
        self._refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._changed_view()

    def _request_overview(self) -> None:
        launches, bands, colours, line = self.launches, self.bands, self._colours(), self._line
        order, levels = self.order, self._levels
        if not launches:
            return

        def work() -> tuple[Order, AddressLevels, TracePicture]:
            access_order, indexed = order or Order(launches), levels or AddressLevels(launches, bands)
            whole = (0.0, max(1.0, access_order.accesses)), (0.0, float(max(1, sum(band.size_bytes for band in bands))))
            return access_order, indexed, paint(indexed, whole, _OVERVIEW, colours, line)

        self._overview_work.request(work)

    def _show_overview(self, answer: tuple[Order, AddressLevels, TracePicture]) -> None:
        is_new = self.order is None
        self.order, self._levels, picture = answer
        self._put(self._overview, picture)
        if is_new:
            accesses, size = self.order.accesses, format_quantity(self.total_bytes, "bytes")
            self._title.set_wordings(tr("{count} accesses", count=short_quantity(accesses)))
            tip = tr("{count:,.0f} accesses to tensors of {size}", count=accesses, size=size)
            show_text(self._title.setToolTip, tip)
            self.show_content()
            self._go_home()
            self._place_marks()
            self.opened.emit()
        self._changed_view()

    def _go_home(self) -> None:
        if self.order is not None:
            right, top = self._extent or (max(1.0, self.order.accesses), self.total_bytes)
            self.chart.set_home((0, right), (0, top))

    def _request_detail(self) -> None:
        order, levels = self.order, self._levels
        if order is None or levels is None:
            return
        window = self._window(order)
        room = self.chart.getViewBox().size() * self.chart.devicePixelRatio()
        size = max(64, int(room.height())), max(64, int(room.width()))
        colours, line = self._colours(), self._line
        self._detail_work.request(lambda: paint(levels, window, size, colours, line))

    def _show_detail(self, picture: TracePicture) -> None:
        self._put(self._detail, picture)
        # The coarse picture is needed around the fine one only: below it, its wider pixels would show through.
        self._overview.setOpacity(0.0 if self._covers_view(picture) else 1.0)
        self.drawn.emit()

    def _covers_view(self, picture: TracePicture) -> bool:
        (left, right), (low, high) = self.chart.getViewBox().viewRange()
        (x0, x1), (y0, y1) = picture.x_range, picture.y_range
        slack_x, slack_y = 1e-6 * (x1 - x0), 1e-6 * (y1 - y0)
        return x0 <= left + slack_x and right <= x1 + slack_x and y0 <= low + slack_y and high <= y1 + slack_y

    def _window(self, order: Order) -> tuple[Range, Range]:
        """The part in view, cut to the data."""
        (left, right), (low, high) = self.chart.getViewBox().viewRange()
        end, top = max(1.0, order.accesses), float(self.total_bytes)
        left, low = min(max(0.0, left), end - _LEAST), min(max(0.0, low), top - _LEAST)
        return (left, min(max(right, left + _LEAST), end)), (low, min(max(high, low + _LEAST), top))

    def _put(self, item: pg.ImageItem, picture: TracePicture) -> None:
        item.setImage(picture.image, autoLevels=False, levels=None)
        item.setRect(QRectF(*picture.rectangle))

    def _changed_view(self) -> None:
        self._labels.update()
        self._overview.setOpacity(1.0)
        if self.order is not None and not self._redraw.isActive():
            self._redraw.start()

    def _refresh(self) -> None:
        """Colours or the line have changed: draw both pictures again."""
        self._request_overview()

    def _place_marks(self) -> None:
        order, program = self.order, self._program
        shown = order is not None and program is not None and 0 <= program < order.programs
        self._program_mark.setVisible(shown)
        if shown and order is not None and program is not None:
            first, last = float(order.edges[program]), float(order.edges[program + 1])
            # A program of a few accesses is still drawn wide enough to be seen.
            self._program_mark.setRect(QRectF(first, 0, max(last - first, order.accesses / 400), self.total_bytes))
        first_byte, marked = 0, False
        for band in self.bands:
            if band.name == self._tensor and order is not None:
                marked = True
                self._band_mark.setRect(QRectF(0, first_byte, order.accesses, band.size_bytes))
                self._band_mark.setBrush(colour(self.band_colours()[band.name], 0.16))
            first_byte += band.size_bytes
        self._band_mark.setVisible(marked)

    def band_colours(self) -> dict[str, str]:
        """The colour of each tensor."""
        names = [buffer.name for launch in self.launches for buffer in launch.buffers]
        return tensor_colours(themes.current(), names)

    def _colours(self) -> Colours:
        colours = self.band_colours()
        return Colours(tuple(rgb(colours[band.name]) for band in self.bands), rgb(themes.current().text))

    def _has(self, file: str, line: int) -> bool:
        accesses = (access for launch in self.launches for access in launch.accesses)
        return any(access.line == line and access.file == file for access in accesses)

    def _on_click(self, x: float, y: float) -> None:
        moment: Moment | None = None if self.order is None else self.order.moment_at(x)
        if moment is not None:
            place = self.band_at(y)
            self.picked.emit(moment, "" if place is None else place[0].name)

    def _dress(self, theme: Theme) -> None:
        reads = next(iter(self.band_colours().values()), theme.series[0])
        self.legend.set_entries((Entry(tr("read (tensor's colour)"), reads), Entry(tr("write"), theme.text)))

    def _build(self) -> None:
        self._title = FittedLabel()
        self.chart = Chart(Axis(tr("accesses, by program"), steps="whole"), Axis(unit="bytes"))
        show_text(self.chart.setAccessibleName, tr("Addresses over time"))
        self.chart.hideAxis("left")
        self._overview, self._detail = (pg.ImageItem(axisOrder="row-major") for _ in range(2))
        self._program_mark, self._band_mark = QGraphicsRectItem(), QGraphicsRectItem()
        self._moment = pg.InfiniteLine(angle=90)
        items = (self._band_mark, self._overview, self._detail, self._program_mark, self._moment)
        for depth, item in enumerate(items):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        for mark in (self._program_mark, self._band_mark, self._moment):
            mark.hide()
        self._labels = _BandLabels(self)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self._labels)
        row.addWidget(self.chart, 1)
        column.addLayout(row, 1)
        self.foot = QWidget()
        foot = QHBoxLayout(self.foot)
        foot.setContentsMargins(0, 0, 0, 0)
        foot.addWidget(self.legend, 3)
        foot.addWidget(self._title, 2)
        self._title.setAlignment(Qt.AlignmentFlag.AlignRight)
        column.addWidget(self.foot)
        self.chart.clicked.connect(self._on_click)
        self.chart.getViewBox().sigRangeChanged.connect(self._changed_view)
        read_out(self.chart, self, self.describe)
        self.set_content(content)


class _BandLabels(Canvas):
    """A strip per tensor in its colour, with its name if there is space."""

    def __init__(self, figure: TraceMap) -> None:
        super().__init__()
        self._figure = figure
        self.make_room([])

    def make_room(self, names: Sequence[str]) -> None:
        """Take the width of the longest name, up to a limit."""
        metrics = QFontMetrics(themes.ui_font("small"))
        widest = max((metrics.horizontalAdvance(_shown(name)) for name in names), default=_BANDS_PX)
        self.setFixedWidth(min(_BANDS_PX, widest + 14))

    def sizeHint(self) -> QSize:
        return QSize(self.width(), 60)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(themes.ui_font("small"))
        metrics = painter.fontMetrics()
        line, last_text, colours = metrics.height(), float("inf"), self._figure.band_colours()
        for name, top, bottom in self._figure.band_extents():
            top, bottom = max(0.0, top), min(float(self.height()), bottom)
            if bottom <= top:
                continue
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours[name]))
            painter.drawRect(QRectF(self.width() - 7, top + 0.5, 5, max(2.0, bottom - top - 1)))
            # The names of thin bands would overlap: a name moves up until it is clear of the one below.
            middle = max(line / 2, min((top + bottom) / 2, last_text - line * 0.9, self.height() - line / 2))
            if top - line < middle <= last_text - line * 0.9:
                painter.setPen(QColor(colours[name]))
                box = QRectF(0, middle - line / 2, self.width() - 10, line)
                text = metrics.elidedText(_shown(name), Qt.TextElideMode.ElideRight, int(box.width()))
                painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
                last_text = middle


def _shown(name: str) -> str:
    return shown_label(name.removesuffix("_ptr"))
