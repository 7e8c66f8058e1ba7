"""Codebooks over the weights: a histogram with one bin per code, and the levels of every format below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import tr
from core.topics.quantization.codebooks import Histogram
from gui import theme as themes
from gui.pages.quantization.codebook_painting import Scene, paint
from gui.pages.quantization.codebook_rows import Geometry, LevelRow
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.zoom import Px

_LABEL_GAP_PX, _EDGE_PX = Px(14), Px(4)


class CodebookView(Figure):
    """`format_picked` carries the id of the row that was clicked, `code_picked` a code of the chosen format.

    Up and Down choose another format and Left and Right another code while the view has the focus.
    """

    format_picked = Signal(str)
    code_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The codebooks appear here once the parameters are valid."), parent)
        self.rows: tuple[LevelRow, ...] = ()
        self.weights: Histogram | None = None
        self.chosen = 0
        self.code: int | None = None
        self.canvas = _Codebooks(self)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.canvas)
        self.set_content(content)

    @property
    def row(self) -> LevelRow | None:
        """The format whose bins divide the histogram."""
        return self.rows[self.chosen] if self.chosen < len(self.rows) else None

    def set_codebooks(self, rows: Sequence[LevelRow], weights: Histogram, chosen: str) -> None:
        """Show these formats; `chosen` is the id of one of them. Without rows the empty state is shown."""
        self.rows, self.weights = tuple(rows), weights
        if not rows:
            self.show_empty()
            return
        ids = [row.id for row in rows]
        self.chosen = ids.index(chosen) if chosen in ids else 0
        if self.code is not None and self.code >= rows[self.chosen].codes:
            self.code = None
        self.canvas.update()
        self.show_content()

    def select_code(self, code: int | None) -> None:
        """Highlight a code of the chosen format; None or an unknown code highlights none. Emits nothing."""
        row = self.row
        code = code if code is not None and row is not None and 0 <= code < row.codes else None
        if code != self.code:
            self.code = code
            self.canvas.update()

    def data_table(self) -> DataTable | None:
        """One row per code of every format: its level, the edges of its bin, and the weights that go to it."""
        if self.is_empty:
            return None
        codes = [(row, code) for row in self.rows for code in range(row.codes)]
        return table_of(
            {
                "format": [row.id for row, _ in codes],
                "code": [code for _, code in codes],
                "level": [row.levels[code] for row, code in codes],
                "from": [row.edges[code] for row, code in codes],
                "to": [row.edges[code + 1] for row, code in codes],
                "weights": [row.won[code] for row, code in codes],
            }
        )

    def describe(self, position: QPointF) -> str | None:
        """Describe the code under a point of the canvas: of the row there, or in the histogram of the chosen format."""
        cell = self.canvas.find(position)
        if cell is None:
            return None
        row, code = cell
        return self.rows[row].describe(code)

    def restyle(self, theme: Theme) -> None:
        self.canvas.update()


class _Codebooks(Canvas):
    def __init__(self, figure: CodebookView) -> None:
        super().__init__()
        self._figure = figure
        self._under: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFont(themes.ui_font("small"))
        show_text(self.setAccessibleName, tr("Codebooks over the weights"))

    def sizeHint(self) -> QSize:
        return QSize(520, 280)

    def minimumSizeHint(self) -> QSize:
        return QSize(260, 180)

    @property
    def parts_geometry(self) -> Geometry:
        metrics = self.fontMetrics()
        rows = self._figure.rows
        labels = max((metrics.horizontalAdvance(row.label) for row in rows), default=0)
        values = max((metrics.horizontalAdvance(row.value) for row in rows), default=0)
        area = QRectF(self.rect()).adjusted(_EDGE_PX, _EDGE_PX, -_EDGE_PX, -_EDGE_PX)
        return Geometry.within(area, len(rows), labels + _LABEL_GAP_PX, values + _LABEL_GAP_PX)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        figure = self._figure
        if figure.row is None or figure.weights is None:
            return
        scene = Scene(figure.rows, figure.weights, figure.chosen, figure.code, self._under, self.parts_geometry)
        paint(painter, theme, QRectF(self.rect()), scene)

    def find(self, position: QPointF) -> tuple[int, int] | None:
        """(row, code) under a point: in the histogram the chosen row, below it the row under the point."""
        figure, geometry = self._figure, self.parts_geometry
        x = geometry.value_at(position.x())
        if not figure.rows or not -1 <= x <= 1:
            return None
        row = geometry.row_at(position.y())
        if row is None:
            if position.y() > geometry.shares.bottom():
                return None
            row = figure.chosen
        return row, figure.rows[row].code_at(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cell = self.find(event.position())
        if cell != self._under:
            self._under = cell
            self.update()
        text = self._figure.describe(event.position())
        self._figure.tip.show_at(self.mapTo(self._figure, event.position().toPoint()), text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() != Qt.MouseButton.LeftButton:
            return
        figure = self._figure
        row = self.parts_geometry.row_at(event.position().y())
        if row is not None and row != figure.chosen:
            figure.format_picked.emit(figure.rows[row].id)
            return
        cell = self.find(event.position())
        if cell is not None:
            figure.code_picked.emit(cell[1])

    def leaveEvent(self, event: QEvent) -> None:
        self._under = None
        self._figure.tip.hide()
        self.update()
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        figure, step = self._figure, STEPS.get(Qt.Key(event.key()))
        row = figure.row
        if step is None or row is None:
            super().keyPressEvent(event)
            return
        down, right = step
        if down:
            index = figure.chosen + down
            if 0 <= index < len(figure.rows):
                figure.format_picked.emit(figure.rows[index].id)
            return
        code = row.codes // 2 if figure.code is None else figure.code + right
        if 0 <= code < row.codes:
            figure.code_picked.emit(code)
            geometry = self.parts_geometry
            point = QPointF(geometry.x_of(float(row.levels[code])), geometry.histogram.center().y())
            figure.tip.show_at(self.mapTo(figure, point.toPoint()), row.describe(code))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the read-out that the keyboard opened."""
        self._figure.tip.hide()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
