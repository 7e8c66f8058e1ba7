"""W + s BA as pictures: the frozen matrix, the two thin factors and their product."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from core.format import format_quantity
from core.topics.lora.result import PARTS, Factors
from gui import theme as themes
from gui.charts.palette import rgb
from gui.theme import Theme
from gui.widgets.data_table import DataTable
from gui.widgets.figure import Canvas, Figure
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

_LINE_PX, _SIGN_PX, _GAP_PX, _EDGE_PX = Px(15), Px(30), Px(4), Px(6)
_THIN_SHARE, _MIN_THIN_PX = 0.13, Px(10)
"""The thin side of a factor takes this share of the product's side; true to scale it would be invisible."""
_MIN_ASPECT = 0.55
"""The smallest drawn ratio of the short side to the long side of a matrix."""
_CENTRE = Qt.AlignmentFlag.AlignCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class FactorPictures(Figure):
    """Each picture has its own colour scale, labelled below it. Hovering reads out a cell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Run (F5), then select a matrix. W, B, A and their product appear here."), parent)
        self.title, self.canvas = FittedLabel(), _Pictures(self)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addWidget(self.canvas, 1)
        self.set_content(content)

    @property
    def factors(self) -> Factors | None:
        return self.canvas.factors

    def set_factors(self, matrix: Text, factors: Factors | None) -> None:
        """Show the factors of a matrix, which the title names. None is the empty state."""
        self.canvas.set_factors(factors)
        if factors is None:
            self.show_empty()
            return
        self.title.set_wordings(tr("{matrix}: W + {scaling:g} BA", matrix=matrix, scaling=factors.scaling))
        self.show_content()

    def data_table(self) -> DataTable | None:
        """One row per cell of every picture; `part` is w, b, a, ba or delta."""
        if self.factors is None:
            return None
        cells = [
            (part, row, column, value)
            for part, values in self.factors.pictures.items()
            for row, line in enumerate(values.tolist())
            for column, value in enumerate(line)
        ]
        return DataTable(("part", "row", "column", "value"), tuple(cells))

    def restyle(self, theme: Theme) -> None:
        self.canvas.repaint_images()


class _Pictures(Canvas):
    def __init__(self, figure: FactorPictures) -> None:
        super().__init__()
        self._figure = figure
        self.factors: Factors | None = None
        self._images: dict[str, QImage] = {}
        self.setFont(themes.ui_font("small"))
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:
        return QSize(380, 180)

    def set_factors(self, factors: Factors | None) -> None:
        self.factors = factors
        self.repaint_images()

    def repaint_images(self) -> None:
        """Create the images again in the theme's colours."""
        self._images = {} if self.factors is None else dict(_images(self.factors, themes.current()))
        self.update()

    def boxes(self) -> dict[str, QRectF]:
        """The box of each part: B to the left of the product and A above it, as in a multiplication by hand."""
        factors = self.factors
        if factors is None:
            return {}
        rows, columns = factors.shape
        wide, tall = min(1.0, max(_MIN_ASPECT, columns / rows)), min(1.0, max(_MIN_ASPECT, rows / columns))
        count = 3 if "delta" in factors.pictures else 2
        above = _LINE_PX + _GAP_PX
        room_x = self.width() - 2 * _EDGE_PX - (count - 1) * _SIGN_PX - _GAP_PX
        room_y = self.height() - above - 2 * _LINE_PX - 2 * _EDGE_PX - _GAP_PX
        side = max(24.0, min(room_x / (count * wide + _THIN_SHARE), room_y / (tall + _THIN_SHARE)))
        thin, w, h = max(_MIN_THIN_PX, _THIN_SHARE * side), side * wide, side * tall
        total_width = count * w + thin + _GAP_PX + (count - 1) * _SIGN_PX
        x, y = (self.width() - total_width) / 2, above + thin + _GAP_PX
        product = x + w + _SIGN_PX + thin + _GAP_PX
        boxes = {
            "w": QRectF(x, y, w, h),
            "b": QRectF(product - _GAP_PX - thin, y, thin, h),
            "a": QRectF(product, y - _GAP_PX - thin, w, thin),
            "ba": QRectF(product, y, w, h),
        }
        if count == 3:
            boxes["delta"] = QRectF(product + w + _SIGN_PX, y, w, h)
        return boxes

    def describe(self, x: float, y: float) -> str | None:
        """The part and the value at a position."""
        factors = self.factors
        for part, box in self.boxes().items():
            if factors is None or not box.contains(x, y):
                continue
            values = factors.pictures[part]
            row = min(values.shape[0] - 1, int((y - box.top()) / box.height() * values.shape[0]))
            column = min(values.shape[1] - 1, int((x - box.left()) / box.width() * values.shape[1]))
            rows, columns = factors.size(part)
            indices = f"{_span(row, values.shape[0], rows)}, {_span(column, values.shape[1], columns)}"
            cell = f"{factors.name(part)}[{indices}]"
            value = format_quantity(float(values[row, column]))
            is_mean = (rows, columns) != values.shape
            return str(tr("{cell}: mean {value}", cell=cell, value=value)) if is_mean else f"{cell}: {value}"
        return None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        position = event.position()
        place = self.mapTo(self._figure, position.toPoint())
        self._figure.tip.show_at(place, self.describe(position.x(), position.y()))

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.fillRect(self.rect(), QColor(theme.sunken))
        factors, boxes = self.factors, self.boxes()
        if factors is None:
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        for part, box in boxes.items():
            painter.drawImage(box, self._images[part])
            painter.setPen(QPen(QColor(theme.border_strong), 1))
            painter.drawRect(box)
            self._write(painter, theme, factors, part, box)
        painter.setFont(themes.ui_font("title", bold=True))
        painter.setPen(QColor(theme.text))
        middle = boxes["w"].center().y()
        painter.drawText(QRectF(boxes["w"].right(), middle - 10, _SIGN_PX, 20), _CENTRE, "+")
        if "delta" in boxes:
            painter.drawText(QRectF(boxes["ba"].right(), middle - 10, _SIGN_PX, 20), _CENTRE, "~")
        painter.setFont(self.font())

    def _write(self, painter: QPainter, theme: Theme, factors: Factors, part: str, box: QRectF) -> None:
        """Write name and shape, and the value of the strongest colour."""
        rows, columns = factors.size(part)
        name, scale = str(factors.name(part)), f"±{_max_magnitude(factors.pictures[part]):.2g}"
        # Parts with the shape of W do not repeat it; they have less room.
        if part == "ba":
            name = str(tr("{part}, rank {rank}", part=name, rank=factors.rank))
        elif part != "delta":
            name = f"{name} {rows} × {columns}"
        painter.setPen(QColor(theme.muted))
        if part == "a":
            line = QRectF(box.left(), box.top() - _LINE_PX - 1, 160, _LINE_PX)
            painter.drawText(line, _LEFT, f"{name}, {scale}")
            return
        if part == "b":
            # The corner above B is free.
            for lines_up, text in ((2, name), (1, scale)):
                line = QRectF(box.right() - 160, box.top() - lines_up * _LINE_PX - 2, 160, _LINE_PX)
                painter.drawText(line, _RIGHT, text)
            return
        painter.drawText(_line(box.center().x(), box.bottom() + 2), _CENTRE, name)
        painter.drawText(_line(box.center().x(), box.bottom() + 2 + _LINE_PX), _CENTRE, scale)


def _line(middle: float, top: float) -> QRectF:
    return QRectF(middle - 80, top, 160, _LINE_PX)


def _max_magnitude(values: np.ndarray) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _images(factors: Factors, theme: Theme) -> Iterator[tuple[str, QImage]]:
    for part in PARTS:
        if part in factors.pictures:
            yield part, _image(factors.pictures[part], theme)


def _image(values: np.ndarray, theme: Theme) -> QImage:
    """Negative values in one colour, positive values in another, zero in the background colour."""
    share = np.clip(np.nan_to_num(values) / (_max_magnitude(values) or 1.0), -1, 1)[..., None]
    zero, negative, positive = (
        np.array(rgb(name), np.float32) for name in (theme.sunken, theme.series[0], theme.series[4])
    )
    # The square root keeps small values visible next to a few large ones.
    strength = np.sqrt(np.abs(share))
    coloured = zero + strength * (np.where(share < 0, negative, positive) - zero)
    pixels = np.ascontiguousarray(coloured.astype(np.uint8))
    height, width = values.shape
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def _span(index: int, cells: int, elements: int) -> str:
    """The indices of the elements in a cell."""
    first, last = index * elements // cells, (index + 1) * elements // cells - 1
    return f"{first}" if last <= first else f"{first}–{last}"
