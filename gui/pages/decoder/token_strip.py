"""Rows of tokens across the page, aligned by position: the texts to pick from, and the output change per position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFont, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import EMPTY, Text, tr
from gui import theme as themes
from gui.pages.decoder.flow_painting import highlight_colour
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import PICKS, STEPS, keeps_arrows
from gui.zoom import Px

_ROW_PX, _MARGIN_PX, _WIDEST_PX = Px(23), Px(4), Px(92)
_TITLE_PX, _TITLE_GAP_PX = Px(102.0), Px(12.0)
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class StripCell:
    """One position. `amount` highlights it: 0 is dark (exactly zero), None is no highlight; `sure` False is an outline.

    `struck` crosses the text out, for a replaced token; `muted` greys it, for padding. `short` replaces a `text` that
    does not fit.
    """

    text: str
    tip: str = ""
    amount: float | None = None
    sure: bool = True
    struck: bool = False
    muted: bool = False
    short: str = ""


@dataclass(frozen=True)
class StripRow:
    """Cells with a common `title`. `key` names the row in signals, '' if its cells cannot be picked.

    `follows` is the key of the row with the same positions: its marked token is marked here too.
    """

    key: str
    title: str
    cells: tuple[StripCell, ...]
    about: str = ""
    follows: str = ""


class TokenStrip(Figure):
    """`clicked` carries (row key, position) of a token that was clicked or chosen with Enter; `moved` carries the token
    that the arrow keys moved to."""

    clicked = Signal(str, int)
    moved = Signal(str, int)

    def __init__(self, parent: QWidget | None = None, *, hint: Text = EMPTY) -> None:
        super().__init__(tr("The tokens appear here once the parameters are valid."), parent)
        self.rows: tuple[StripRow, ...] = ()
        self.hint = hint
        self.marked: dict[str, int] = {}
        self.canvas = _StripCanvas(self)
        self.set_content(self.canvas)
        self._size_for(3)

    def set_rows(self, rows: Sequence[StripRow]) -> None:
        """Show rows; without any, show the empty state."""
        if tuple(rows) == self.rows:
            return
        self.rows = tuple(rows)
        if not rows:
            self.show_empty()
            return
        self._size_for(len(rows))
        self.canvas.update()
        self.show_content()

    def mark(self, **positions: int | None) -> None:
        """Mark one token per row, by row key; None clears the mark."""
        marked = {key: position for key, position in positions.items() if position is not None}
        if marked != self.marked:
            self.marked = marked
            self.canvas.update()

    def describe(self, place: tuple[int, int] | None) -> str | None:
        if place is None:
            return None
        row = self.rows[place[0]]
        return row.about if place[1] < 0 else row.cells[place[1]].tip

    def restyle(self, theme: Theme) -> None:
        self.canvas.update()

    def _size_for(self, rows: int) -> None:
        self.setFixedHeight(rows * _ROW_PX + 2 * _MARGIN_PX)


class _StripCanvas(Canvas):
    def __init__(self, strip: TokenStrip) -> None:
        super().__init__()
        self._strip = strip
        self._cell: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Tokens: arrows move, Enter replaces one"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(600, self._strip.height())

    @property
    def title_px(self) -> float:
        """Width of the titles: as much as the longest needs."""
        metrics = QFontMetricsF(themes.ui_font("small", bold=True))
        return max([_TITLE_PX, *(metrics.horizontalAdvance(row.title) + _TITLE_GAP_PX for row in self._strip.rows)])

    @property
    def pitch(self) -> float:
        """Width of one position, the same in every row."""
        longest = max((len(row.cells) for row in self._strip.rows), default=1)
        return min(float(_WIDEST_PX), (self.width() - self.title_px - 2 * _MARGIN_PX) / max(1, longest))

    def cell_rect(self, row: int, position: int) -> QRectF:
        top = _MARGIN_PX + row * _ROW_PX
        return QRectF(_MARGIN_PX + self.title_px + position * self.pitch, top, self.pitch, _ROW_PX)

    def place_at(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, position) at a point, position -1 on the row's title."""
        row = int((y - _MARGIN_PX) // _ROW_PX)
        if not 0 <= row < len(self._strip.rows):
            return None
        first = _MARGIN_PX + self.title_px
        position = int((x - first) // self.pitch) if x >= first else -1
        return (row, position) if position < len(self._strip.rows[row].cells) else None

    def paint(self, painter: QPainter, theme: Theme) -> None:
        self._write_hint(painter, theme)
        for index, row in enumerate(self._strip.rows):
            title = QRectF(_MARGIN_PX + 7, _MARGIN_PX + index * _ROW_PX, self.title_px - 9, _ROW_PX)
            painter.setFont(themes.ui_font("small", bold=bool(row.key)))
            painter.setPen(QColor(theme.text if row.key else theme.muted))
            painter.drawText(title, _LEFT, row.title)
            marked = self._strip.marked.get(row.key or row.follows)
            for position, cell in enumerate(row.cells):
                self._paint_cell(painter, theme, self.cell_rect(index, position), cell, bool(row.key))
                if position == marked:
                    self._paint_ring(painter, theme, self.cell_rect(index, position), dotted=not row.key)

    def _write_hint(self, painter: QPainter, theme: Theme) -> None:
        """Write the hint beside the first row if all of it fits."""
        if not self._strip.rows:
            return
        end = self.cell_rect(0, len(self._strip.rows[0].cells)).left()
        room = QRectF(end + 12, _MARGIN_PX, self.width() - end - 14, _ROW_PX)
        painter.setFont(themes.ui_font("small"))
        hint = str(self._strip.hint)
        if painter.fontMetrics().horizontalAdvance(hint) <= room.width():
            painter.setPen(QColor(theme.faint))
            painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, hint)

    def _paint_cell(self, painter: QPainter, theme: Theme, box: QRectF, cell: StripCell, token: bool) -> None:
        gap = 1.5 if box.width() >= 10 else 0.5
        inside, lit = box.adjusted(gap, 2, -gap, -2), highlight_colour(theme)
        fill, edge, ink = (theme.raised if token else theme.sunken), theme.border, theme.text
        if cell.muted:
            fill, ink = theme.sunken, theme.faint
        if cell.amount is not None and cell.amount > 0:
            weight = 0.16 + 0.5 * cell.amount if cell.sure else 0.05
            fill, edge = mix(theme.surface, lit, weight), mix(theme.border, lit, 0.9 if cell.sure else 0.6)
            # Light text is illegible on a bright cell of the dark theme.
            ink = theme.on_accent if theme.is_dark and weight > 0.45 else theme.text
        elif cell.amount is not None:
            ink = theme.faint
        painter.setPen(QPen(QColor(edge), 1, Qt.PenStyle.SolidLine if cell.sure else Qt.PenStyle.DashLine))
        painter.setBrush(QColor(fill))
        painter.drawRoundedRect(inside, 3, 3)
        font = themes.ui_font("small")
        font.setStrikeOut(cell.struck)
        self._write(painter, font, ink, inside.adjusted(2, 0, -2, 0), cell)

    def _write(self, painter: QPainter, font: QFont, ink: str, box: QRectF, cell: StripCell) -> None:
        painter.setFont(font)
        painter.setPen(QColor(ink))
        fits = painter.fontMetrics().horizontalAdvance(cell.text) + 3 <= box.width()
        text = cell.text if fits or not cell.short else cell.short
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()) + 1)
        if shown != "…":
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)

    def _paint_ring(self, painter: QPainter, theme: Theme, box: QRectF, *, dotted: bool) -> None:
        style = Qt.PenStyle.DotLine if dotted else Qt.PenStyle.SolidLine
        painter.setPen(QPen(QColor(theme.accent), 1.4 if dotted else 2, style))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 4, 4)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self.place_at(event.position().x(), event.position().y())
        pickable = place is not None and place[1] >= 0 and bool(self._strip.rows[place[0]].key)
        self.setCursor(Qt.CursorShape.PointingHandCursor if pickable else Qt.CursorShape.ArrowCursor)
        where = self.mapTo(self._strip, event.position().toPoint())
        self._strip.tip.show_at(where, self._strip.describe(place))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = self.place_at(event.position().x(), event.position().y())
        if place is None or place[1] < 0 or event.button() is not Qt.MouseButton.LeftButton:
            return
        row = self._strip.rows[place[0]]
        if row.key:
            self._cell = place
            self._strip.clicked.emit(row.key, place[1])
        elif row.follows:
            self._strip.moved.emit(row.follows, place[1])

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Hide the tooltip that keyboard focus showed."""
        self._strip.tip.hide()
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The arrow keys move between tokens; Enter chooses one."""
        key = Qt.Key(event.key())
        rows = [index for index, row in enumerate(self._strip.rows) if row.key]
        cell = self._cell if self._cell is not None and self._cell[0] in rows else None
        if key in STEPS and rows:
            row, position = cell or (rows[0], -1 if key == Qt.Key.Key_Right else 0)
            down, across = STEPS[key]
            row = rows[min(len(rows) - 1, max(0, rows.index(row) + down))]
            position = min(len(self._strip.rows[row].cells) - 1, max(0, position + across))
            self._cell = (row, position)
            self._strip.moved.emit(self._strip.rows[row].key, position)
            where = self.mapTo(self._strip, self.cell_rect(row, position).bottomLeft().toPoint())
            self._strip.tip.show_at(where, self._strip.describe(self._cell))
        elif key in PICKS and cell is not None:
            if cell[1] < len(self._strip.rows[cell[0]].cells):
                self._strip.clicked.emit(self._strip.rows[cell[0]].key, cell[1])
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
