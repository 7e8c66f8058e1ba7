"""The layout of a small matrix: its cells, and the labels of its rows and columns, without overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter

from gui.zoom import Px

_ROW_LABEL_PX, _COLUMN_LABEL_PX, _GAP_PX = Px(62), Px(52), Px(5)
_TEXT_PX = Px(13)
_SQUARE_FROM_PX, _OBLONG = Px(6.0), 4.0
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class TokenAxes:
    """A matrix of `rows` x `columns` cells in `area`; `upright` column labels are turned by 90 degrees."""

    area: QRectF
    rows: int
    columns: int
    upright: bool

    @property
    def cell(self) -> tuple[float, float]:
        """Width and height of one cell."""
        return self.area.width() / max(1, self.columns), self.area.height() / max(1, self.rows)

    def cell_rect(self, row: int, column: int) -> QRectF:
        wide, high = self.cell
        return QRectF(self.area.left() + column * wide, self.area.top() + row * high, wide, high)

    def row_rect(self, row: int) -> QRectF:
        wide, high = self.area.width(), self.cell[1]
        return QRectF(self.area.left(), self.area.top() + row * high, wide, high)

    def column_rect(self, column: int) -> QRectF:
        wide = self.cell[0]
        return QRectF(self.area.left() + column * wide, self.area.top(), wide, self.area.height())

    def find(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, column) at a point; -1 for the row where it is on a column's label, and the other way round."""
        wide, high = self.cell
        column = int((x - self.area.left()) / wide) if x >= self.area.left() else -1
        row = int((y - self.area.top()) / high) if y >= self.area.top() else -1
        if row >= self.rows or column >= self.columns or (row < 0 and column < 0):
            return None
        return row, column


def fitted_axes(
    room: QRectF, rows: Sequence[str], columns: Sequence[str], shape: tuple[int, int], metrics: QFontMetrics,
    *, square: bool,
) -> TokenAxes:  # fmt: skip
    """The largest matrix of `shape` that leaves space for its labels; with `square`, cells are square."""
    left = _widest(rows, metrics, _ROW_LABEL_PX) + _GAP_PX
    widest = _widest(columns, metrics, _COLUMN_LABEL_PX)
    wide = max(1.0, (room.width() - left) / max(1, shape[1]))
    upright = widest + 4 > wide
    top = (widest if upright else _TEXT_PX) + _GAP_PX if columns else _GAP_PX
    inside = room.adjusted(left, top, -1, -1)
    across, down = max(1.0, inside.width()), max(1.0, inside.height())
    if square:
        across, down, side = _squared(across, down, shape)
        upright = upright or widest + 4 > side
        if upright and top < widest + _GAP_PX and columns:
            # The smaller cells made the labels upright, which need more space above.
            top = widest + _GAP_PX
            across, down, side = _squared(inside.width(), max(1.0, room.height() - top - 1), shape)
    area = QRectF(room.left() + left, room.top() + top, across, down)
    spare = max(0.0, room.width() - left - across) / 2, max(0.0, room.height() - top - down) / 2
    return TokenAxes(area.translated(spare[0], spare[1]) if square else area, *shape, upright)


def _squared(across: float, down: float, shape: tuple[int, int]) -> tuple[float, float, float]:
    """Width and height of the matrix and the shorter side of a cell; very small cells may be oblong."""
    wide, high = across / max(1, shape[1]), down / max(1, shape[0])
    side = min(wide, high)
    longest = side if side >= _SQUARE_FROM_PX else _OBLONG * side
    return min(wide, longest) * shape[1], min(high, longest) * shape[0], side


def shown_every(pitch: float, text_px: float = _TEXT_PX) -> int:
    """The stride at which labels fit: every one, every second, every fourth."""
    step = 1
    while step * pitch < text_px:
        step *= 2
    return step


def draw_row_label(painter: QPainter, axes: TokenAxes, row: int, label: str) -> None:
    """A label left of its row, in the painter's pen and font."""
    box = axes.row_rect(row)
    middle = box.center().y()
    text = painter.fontMetrics().elidedText(label, Qt.TextElideMode.ElideRight, _ROW_LABEL_PX)
    painter.drawText(QRectF(box.left() - _ROW_LABEL_PX - _GAP_PX, middle - 8, _ROW_LABEL_PX, 16), _RIGHT, text)


def draw_column_label(painter: QPainter, axes: TokenAxes, column: int, label: str) -> None:
    """A label above its column, turned where the labels are upright."""
    box = axes.column_rect(column)
    text = painter.fontMetrics().elidedText(label, Qt.TextElideMode.ElideRight, _COLUMN_LABEL_PX)
    if not axes.upright:
        wide = painter.fontMetrics().horizontalAdvance(text) + 2
        painter.drawText(
            QRectF(box.center().x() - wide / 2, box.top() - 16, wide, 14), Qt.AlignmentFlag.AlignCenter, text
        )
        return
    painter.save()
    painter.translate(box.center().x(), box.top() - _GAP_PX + 1)
    painter.rotate(-90)
    painter.drawText(QRectF(0, -8, _COLUMN_LABEL_PX + 2, 16), _LEFT, text)
    painter.restore()


def _widest(labels: Sequence[str], metrics: QFontMetrics, most: int) -> float:
    return float(min(most, max((metrics.horizontalAdvance(label) for label in labels), default=0)))
