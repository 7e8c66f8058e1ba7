"""The grid of a launch, one cell per program: its number of accesses, and which program is selected."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import tr
from gui import theme as themes
from gui.charts.palette import rgb
from gui.charts.ticks import short_quantity
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_GAP_PX = Px(10)
_LINE_FROM_PX = Px(5)
_LABEL_FROM_PX = Px(26)
_LARGEST_PX = Px(44.0)
_SQUARE_FROM = 8
"""Cells are square from this many rows and columns on."""


class ProgramGrid(Figure):
    """x runs to the right and y downwards, with the planes of z side by side. A long row is folded into several.

    `program_picked` carries a linear program id (x fastest), or -1 when a second click clears the selection.
    """

    program_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The programs of the launch appear here after a run."), parent)
        self.grid: tuple[int, int, int] = (0, 0, 0)
        self.amounts = np.zeros(0)
        self.program: int | None = None
        self.cells = _Cells(self)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.cells, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    def set_grid(self, grid: tuple[int, int, int], amounts: np.ndarray) -> None:
        """Show a grid (x, y, z) with accesses [programs], x fastest. Without programs, show the empty state."""
        self.grid, self.amounts = grid, np.asarray(amounts, dtype=np.float64)
        self.program = None
        if not self.amounts.size:
            self.show_empty()
            return
        self.cells.forget_image()
        self._write_legend(themes.current())
        self.show_content()

    def select_program(self, program: int | None) -> None:
        """Mark a program; None clears the mark."""
        marked = program if program is not None and 0 <= program < self.amounts.size else None
        if marked != self.program:
            self.program = marked
            self.cells.update()

    def coordinates(self, program: int) -> tuple[int, int, int]:
        """(x, y, z) of a linear id."""
        x, y, _ = self.grid
        return program % x, program // x % y, program // (x * y)

    def data_table(self) -> DataTable | None:
        """One row per program."""
        programs = range(self.amounts.size)
        places = [self.coordinates(program) for program in programs]
        return table_of(
            {
                "program": programs,
                **{name: [place[axis] for place in places] for axis, name in enumerate("xyz")},
                "accesses": self.amounts,
            }
        )

    def describe(self, program: int | None) -> str | None:
        """The tooltip of a program."""
        if program is None:
            return None
        name = tr("program {number:,} = {coordinates}", number=program, coordinates=str(self.coordinates(program)))
        accesses = tr("{accesses:,.0f} accesses", accesses=float(self.amounts[program]))
        return f"{name}\n{accesses}"

    def toggle(self, program: int) -> None:
        """Handle a click on a program."""
        self.program_picked.emit(-1 if program == self.program else program)

    def restyle(self, theme: Theme) -> None:
        self.cells.forget_image()
        self._write_legend(theme)

    def _write_legend(self, theme: Theme) -> None:
        if self.amounts.size:
            low, high = (short_quantity(float(pick(self.amounts))) for pick in (np.min, np.max))
            entries = [Entry(tr("{accesses} accesses", accesses=high), theme.accent)]
            if low != high:
                entries.insert(0, Entry(low, _ramp(theme, float(self.amounts.min() / max(1.0, self.amounts.max())))))
            self.legend.set_entries((*entries, Entry(tr("selected"), theme.tiles["current"], "outline")))


class _Cells(Canvas):
    """The planes of the grid, each painted as one small image and scaled without smoothing."""

    def __init__(self, figure: ProgramGrid) -> None:
        super().__init__()
        self._figure = figure
        self._images: list[QImage] = []
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumHeight(60)
        show_text(self.setAccessibleName, tr("Programs of the launch: arrows go from one to the next"))

    def sizeHint(self) -> QSize:
        return QSize(260, 160)

    def forget_image(self) -> None:
        self._images = []
        self.update()

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.fillRect(self.rect(), QColor(theme.sunken))
        boxes, (cell_width, cell_height) = self._layout()
        columns, rows = self._shape()
        self._images = self._images or self._painted(theme)
        for box, image in zip(boxes, self._images, strict=True):
            painter.drawImage(box, image, QRectF(0, 0, columns, rows))
            painter.setPen(QPen(QColor(theme.sunken), 1))
            for column in range(1, columns if cell_width >= _LINE_FROM_PX else 0):
                painter.drawLine(
                    box.left() + column * cell_width, box.top(), box.left() + column * cell_width, box.bottom()
                )
            for row in range(1, rows if cell_height >= _LINE_FROM_PX else 0):
                painter.drawLine(box.left(), box.top() + row * cell_height, box.right(), box.top() + row * cell_height)
        if min(cell_width, cell_height) >= _LABEL_FROM_PX:
            self._write_ids(painter, theme)
        if self._figure.program is not None:
            painter.setPen(QPen(QColor(theme.tiles["current"]), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            cell = self.cell_of(self._figure.program)
            grow = max(0.0, (6 - cell.width()) / 2)
            painter.drawRect(cell.adjusted(-grow, -grow, grow, grow))

    def cell_of(self, program: int) -> QRectF:
        """The rectangle of a program."""
        boxes, (cell_width, cell_height) = self._layout()
        columns, _ = self._shape()
        plane, inside = divmod(program, self._per_plane())
        row, column = divmod(inside, columns)
        return QRectF(
            boxes[plane].left() + column * cell_width, boxes[plane].top() + row * cell_height, cell_width, cell_height
        )

    def program_at(self, x: float, y: float) -> int | None:
        boxes, (cell_width, cell_height) = self._layout()
        columns, rows = self._shape()
        for plane, box in enumerate(boxes):
            if box.contains(x, y):
                column, row = int((x - box.left()) / cell_width), int((y - box.top()) / cell_height)
                inside = row * columns + column
                if column < columns and row < rows and inside < self._per_plane():
                    return plane * self._per_plane() + inside
        return None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        text = self._figure.describe(self.program_at(position.x(), position.y()))
        self._figure.tip.show_at(self.mapTo(self._figure, position.toPoint()), text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        program = self.program_at(event.position().x(), event.position().y())
        if program is not None and event.button() is Qt.MouseButton.LeftButton:
            self._figure.toggle(program)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The arrow keys move between programs."""
        columns, _ = self._shape()
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -columns, Qt.Key.Key_Down: columns}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        program = (self._figure.program if self._figure.program is not None else -step) + step
        if 0 <= program < self._figure.amounts.size:
            self._figure.program_picked.emit(program)

    def event(self, event: QEvent) -> bool:
        """Take the arrow keys from the player while the grid has the focus."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)
        ):
            event.accept()
            return True
        return super().event(event)

    def _per_plane(self) -> int:
        return max(1, self._figure.grid[0] * self._figure.grid[1])

    def _shape(self) -> tuple[int, int]:
        """Columns and rows of one plane. A one-dimensional grid is folded to fill the space."""
        x, y, z = self._figure.grid
        if y > 1 or x <= 1:
            return max(1, x), max(1, y)
        width, height = max(1.0, self.width() / max(1, z)), max(1.0, float(self.height()))
        columns = min(x, max(1, math.ceil(math.sqrt(x * width / height))))
        # Powers of two make ids easy to find.
        columns = min(x, 1 << max(0, round(math.log2(columns))))
        return columns, -(-x // columns)

    def _layout(self) -> tuple[list[QRectF], tuple[float, float]]:
        """The rectangle of each plane, and the cell size. Cells are square unless there are few rows or columns."""
        columns, rows = self._shape()
        planes = max(1, self._figure.grid[2])
        cell_width = (self.width() - _GAP_PX * (planes + 1)) / (planes * columns)
        cell_height = (self.height() - _GAP_PX) / rows
        if min(columns, rows) >= _SQUARE_FROM:
            cell_width = cell_height = min(cell_width, cell_height)
        cell_width, cell_height = (_whole(max(0.5, min(side, _LARGEST_PX))) for side in (cell_width, cell_height))
        across, down = columns * cell_width, rows * cell_height
        left, top = (self.width() - planes * across - (planes - 1) * _GAP_PX) / 2, (self.height() - down) / 2
        return [QRectF(left + plane * (across + _GAP_PX), top, across, down) for plane in range(planes)], (
            cell_width,
            cell_height,
        )

    def _painted(self, theme: Theme) -> list[QImage]:
        columns, rows = self._shape()
        most = max(1.0, float(self._figure.amounts.max(initial=0)))
        ramp = np.array([rgb(_ramp(theme, step / 255)) for step in range(256)], dtype=np.uint8)
        images = []
        for plane in range(max(1, self._figure.grid[2])):
            amounts = self._figure.amounts[plane * self._per_plane() : (plane + 1) * self._per_plane()]
            pixels = np.zeros((rows * columns, 4), dtype=np.uint8)
            pixels[: amounts.size, :3] = ramp[np.rint(255 * amounts / most).astype(np.intp)]
            pixels[: amounts.size, 3] = 255
            image = QImage(pixels.tobytes(), columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
            images.append(image.copy())  # QImage does not keep the bytes alive
        return images

    def _write_ids(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(themes.ui_font("small"))
        most = max(1.0, float(self._figure.amounts.max(initial=0)))
        for program in range(self._figure.amounts.size):
            bright = self._figure.amounts[program] / most > 0.5
            painter.setPen(QColor(theme.on_accent if bright else theme.muted))
            painter.drawText(self.cell_of(program), Qt.AlignmentFlag.AlignCenter, str(program))

    def resizeEvent(self, event: object) -> None:
        self._images = []  # the fold of a long row depends on the size


def _whole(side_px: float) -> float:
    """A whole number of pixels for cells with lines between them."""
    return float(math.floor(side_px)) if side_px >= _LINE_FROM_PX else side_px


def _ramp(theme: Theme, share: float) -> str:
    return mix(theme.surface, theme.accent, 0.12 + 0.88 * share)
