"""Codebooks over the weights: the histogram cut into the bins that each code wins, and every format's levels below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.topics.quantization.codebooks import Histogram
from gui import theme as themes
from gui.pages.quantization.codebook_painting import Scene, paint
from gui.pages.quantization.codebook_rows import Geometry, LevelRow
from gui.theme import Theme
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows

_LABEL_GAP_PX, _EDGE_PX = 14, 4


class CodebookView(Figure):
    """`format_picked` carries the id of the row that was clicked, `code_picked` a code of the chosen format.

    Up and Down choose another format and Left and Right another code while the view has the focus.
    """

    format_picked = Signal(str)
    code_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The codebooks appear here once the parameters are valid.", parent)
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
        """The format over which the histogram is cut."""
        return self.rows[self.chosen] if self.chosen < len(self.rows) else None

    def set_codebooks(self, rows: Sequence[LevelRow], weights: Histogram, chosen: str) -> None:
        """Show these formats, `chosen` being the id of one of them; no row shows the empty state."""
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
        """Highlight a code of the chosen format; one that it does not have, or None, highlights none. Emits nothing."""
        row = self.row
        code = code if code is not None and row is not None and 0 <= code < row.codes else None
        if code != self.code:
            self.code = code
            self.canvas.update()

    def describe(self, position: QPointF) -> str | None:
        """The code under a point of the canvas, of the chosen format or of the row there."""
        place = self.canvas.find(position)
        if place is None:
            return None
        row, code = place
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
        self.setAccessibleName("Codebooks over the weights")

    def sizeHint(self) -> QSize:
        return QSize(520, 280)

    def minimumSizeHint(self) -> QSize:
        return QSize(260, 180)

    @property
    def geometry_of_parts(self) -> Geometry:
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
        scene = Scene(
            figure.rows,
            figure.weights,
            figure.chosen,
            figure.code,
            self._under,
            self.geometry_of_parts,
            self.hasFocus(),
        )
        paint(painter, theme, QRectF(self.rect()), scene)

    def find(self, position: QPointF) -> tuple[int, int] | None:
        """(row, code) under a point: the chosen row's in the histogram, that of the row there below it."""
        figure, parts = self._figure, self.geometry_of_parts
        x = parts.value_at(position.x())
        if not figure.rows or not -1 <= x <= 1:
            return None
        row = parts.row_at(position.y())
        if row is None:
            if position.y() > parts.shares.bottom():
                return None
            row = figure.chosen
        return row, figure.rows[row].code_at(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self.find(event.position())
        if place != self._under:
            self._under = place
            self.update()
        text = self._figure.describe(event.position())
        self._figure.tip.show_at(self.mapTo(self._figure, event.position().toPoint()), text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() != Qt.MouseButton.LeftButton:
            return
        figure = self._figure
        row = self.geometry_of_parts.row_at(event.position().y())
        if row is not None and row != figure.chosen:
            figure.format_picked.emit(figure.rows[row].id)
            return
        place = self.find(event.position())
        if place is not None:
            figure.code_picked.emit(place[1])

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
            parts = self.geometry_of_parts
            at = QPointF(parts.x_of(float(row.levels[code])), parts.histogram.center().y())
            figure.tip.show_at(self.mapTo(figure, at.toPoint()), row.describe(code))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """What the keyboard read out goes with it."""
        self._figure.tip.hide()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
