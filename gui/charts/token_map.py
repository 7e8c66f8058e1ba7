"""Small matrices over tokens, such as the attention of each head: one large, all of them small beside it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui import theme as themes
from gui.charts.matrix_page import MatrixPage
from gui.charts.page_thumbs import PageThumbs
from gui.charts.token_axes import TokenAxes, draw_column_label, draw_row_label, fitted_axes, shown_every
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, Value
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.zoom import Px

_LINES_FROM_PX = Px(7)


class TokenMap(Figure):
    """`cell_picked` carries (row, column), with -1 for a whole row or column (at a label); `page_picked` an index.

    Arrow keys walk from cell to cell while the map has the focus.
    """

    cell_picked = Signal(int, int)
    page_picked = Signal(int)

    def __init__(self, empty: Text | str = "", parent: QWidget | None = None) -> None:
        super().__init__(empty or tr("The matrix appears here after a run."), parent)
        self.pages: tuple[MatrixPage, ...] = ()
        self.index = 0
        self.row: int | None = None
        self.column: int | None = None
        self.matrix, self.thumbs = _Matrix(self), PageThumbs()
        self.thumbs.picked.connect(self.page_picked)
        self.thumbs.read.connect(lambda text, point: self.tip.show_at(self.thumbs.mapTo(self, point), text))
        content = QWidget()
        self._line = QBoxLayout(QBoxLayout.Direction.RightToLeft, content)
        self._line.setContentsMargins(0, 0, 0, 0)
        self._line.setSpacing(4)
        self._line.addWidget(self.thumbs)
        self._line.addWidget(self.matrix, 1)
        self.set_content(content)

    @property
    def page(self) -> MatrixPage | None:
        return self.pages[self.index] if self.index < len(self.pages) else None

    def set_pages(self, pages: Sequence[MatrixPage]) -> None:
        """Show these matrices. The one in front stays if their number does; without matrices, the empty state."""
        self.index = self.index if len(pages) == len(self.pages) else 0
        self.pages = tuple(pages)
        if not pages:
            self.show_empty()
            return
        self.thumbs.set_pages(self.pages, self.index)
        self.matrix.forget_images()
        self.show_content()

    def show_page(self, index: int) -> None:
        """Bring a matrix to the front; an unknown index changes nothing."""
        if index != self.index and 0 <= index < len(self.pages):
            self.index = index
            self.thumbs.set_front(index)
            self.matrix.forget_images()

    def select(self, row: int | None, column: int | None) -> None:
        """Highlight a row and a column; None for neither. Emits no signal."""
        if (row, column) != (self.row, self.column):
            self.row, self.column = row, column
            self.matrix.update()

    def describe(self, place: tuple[int, int] | None) -> str | None:
        return None if place is None or self.page is None else self.page.read(*place)

    def data_table(self) -> DataTable | None:
        """One row per cell of the matrix in front. Before a run there are no values: then it is whether the mask shows
        the cell."""
        page = self.page
        known = None if page is None else page.visible if page.values is None else page.values
        if self.is_empty or page is None or known is None:
            return None
        columns = page.columns or page.elements
        rows: list[tuple[Value, ...]] = [
            (page.name, row, page.rows[row], column, columns[column] if columns else "", value)
            for row, values in enumerate(known.tolist())
            for column, value in enumerate(values)
        ]
        return DataTable(
            ("matrix", "row", "row_label", "column", "column_label", "visible" if page.values is None else "value"),
            tuple(rows),
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the thumbnails above the large matrix if the figure is high, else beside it: it then gets more space."""
        super().resizeEvent(event)
        above = self.height() > self.width()
        self._line.setDirection(QBoxLayout.Direction.TopToBottom if above else QBoxLayout.Direction.RightToLeft)
        self.thumbs.lie_across(above)

    def restyle(self, theme: Theme) -> None:
        for part in (self.matrix, self.thumbs):
            part.forget_images()


class _Matrix(Canvas):
    def __init__(self, figure: TokenMap) -> None:
        super().__init__()
        self._figure = figure
        self._image: QImage | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFont(themes.ui_font("small"))
        show_text(self.setAccessibleName, tr("Matrix over tokens: arrows walk from cell to cell"))

    def sizeHint(self) -> QSize:
        return QSize(220, 200)

    def forget_images(self) -> None:
        self._image = None
        self.update()

    @property
    def axes(self) -> TokenAxes:
        page = self._figure.page
        assert page is not None  # nothing is painted or found while the figure is empty
        room = QRectF(self.rect()).adjusted(4, 3, -4, -4)
        return fitted_axes(room, page.rows, page.columns, page.shape, self.fontMetrics(), square=page.square)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        page = self._figure.page
        painter.fillRect(self.rect(), QColor(theme.sunken))
        if page is None:
            return
        axes = self.axes
        self._image = self._image or page.image(theme)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, page.shape[1] > axes.area.width())
        painter.drawImage(axes.area, self._image, QRectF(0, 0, page.shape[1], page.shape[0]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._draw_lines(painter, theme, axes)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_labels(painter, theme, axes, page)
        self._draw_picked(painter, theme, axes)

    def _draw_lines(self, painter: QPainter, theme: Theme, axes: TokenAxes) -> None:
        wide, high = axes.cell
        area = axes.area
        painter.setPen(QPen(QColor(theme.sunken), 1))
        for column in range(1, axes.columns if wide >= _LINES_FROM_PX else 0):
            painter.drawLine(axes.column_rect(column).topLeft(), axes.column_rect(column).bottomLeft())
        for row in range(1, axes.rows if high >= _LINES_FROM_PX else 0):
            painter.drawLine(axes.row_rect(row).topLeft(), axes.row_rect(row).topRight())
        painter.setPen(QPen(QColor(theme.border), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area)

    def _draw_labels(self, painter: QPainter, theme: Theme, axes: TokenAxes, page: MatrixPage) -> None:
        wide, high = axes.cell
        for labels, pitch, picked, draw in (
            (page.rows, high, self._figure.row, draw_row_label),
            (page.columns, wide, self._figure.column, draw_column_label),
        ):
            text_px = 11.0 if draw is draw_row_label or axes.upright else pitch
            step = shown_every(pitch, text_px)
            for index, label in enumerate(labels):
                if index == picked or (index % step == 0 and (picked is None or step == 1 or abs(index - picked) > 1)):
                    painter.setFont(themes.ui_font("small", bold=index == picked))
                    painter.setPen(QColor(theme.accent if index == picked else theme.muted))
                    draw(painter, axes, index, label)

    def _draw_picked(self, painter: QPainter, theme: Theme, axes: TokenAxes) -> None:
        row, column = self._figure.row, self._figure.column
        painter.setBrush(themes.colour(theme.accent, 0.10))
        painter.setPen(QPen(QColor(theme.accent), 1.4))
        if row is not None and 0 <= row < axes.rows:
            painter.drawRect(axes.row_rect(row))
        if column is not None and 0 <= column < axes.columns:
            painter.drawRect(axes.column_rect(column))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        place = self.axes.find(position.x(), position.y())
        where = self.mapTo(self._figure, position.toPoint())
        self._figure.tip.show_at(where, self._figure.describe(place))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self.axes.find(event.position().x(), event.position().y())
        if place is not None and event.button() is Qt.MouseButton.LeftButton:
            self._figure.cell_picked.emit(*place)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the read-out of the keyboard too."""
        self._figure.tip.hide()
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = STEPS.get(Qt.Key(event.key()))
        page = self._figure.page
        if step is None or page is None:
            super().keyPressEvent(event)
            return
        row, column = (-1 if index is None else index for index in (self._figure.row, self._figure.column))
        cell = (max(0, row + step[0]), max(0, column + step[1]))
        if cell[0] < page.shape[0] and cell[1] < page.shape[1]:
            self._figure.cell_picked.emit(*cell)
            where = self.mapTo(self._figure, self.axes.cell_rect(*cell).center().toPoint())
            self._figure.tip.show_at(where, self._figure.describe(cell))

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
