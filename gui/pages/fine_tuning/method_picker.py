"""A row of method buttons, each with a small picture of the places that the method trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import tr
from gui import theme as themes
from gui.pages.fine_tuning.module_painting import paint_modules
from gui.pages.fine_tuning.transformer_grid import TrainedModules, TransformerGrid
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.zoom import Px

HEIGHT_PX = Px(78)
_BETWEEN_PX, _INSET_PX, _WORDS_PX, _DOT_PX, _OVER_PX = Px(4), Px(5), Px(30), Px(11), Px(4)
"""Words may extend `_OVER_PX` into the inset on their right."""
_LEAST_FONT_PX = 8
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, eq=False)
class MethodTile:
    """One method. `facts` are alternatives for the line under its name, longest first; `tip` is the read-out.

    `ink` is an index of the theme's series colours, for a dot in the colour of the method's curves. `broken` means that
    the method stopped early.
    """

    key: str
    name: str
    short: str
    facts: tuple[str, ...]
    modules: TrainedModules
    tip: str = ""
    broken: bool = False
    ink: int | None = None


class MethodPicker(Figure):
    """`picked` carries the key of a method selected by click or arrow keys."""

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The methods appear here once the parameters are valid."), parent)
        self.grid, self.limits = TransformerGrid(), (0.1, 1.0)
        self.tiles: tuple[MethodTile, ...] = ()
        self.chosen = ""
        self.row = _Row(self)
        self.setFixedHeight(HEIGHT_PX)
        self.set_content(self.row)

    def set_tiles(self, grid: TransformerGrid, tiles: Sequence[MethodTile], limits: tuple[float, float]) -> None:
        """Show these methods, numbered from 1. Without methods the figure is empty."""
        self.grid, self.tiles, self.limits = grid, tuple(tiles), limits
        self.row.forget_pictures()
        if not tiles:
            self.show_empty()
            return
        self.row.update()
        self.show_content()

    def data_table(self) -> DataTable | None:
        """One row per method."""
        return table_of(
            {
                "method": [tile.key for tile in self.tiles],
                "trainable": [sum(tile.modules.trainable) for tile in self.tiles],
                "stopped_early": [tile.broken for tile in self.tiles],
            }
        )

    def choose(self, key: str) -> None:
        """Select a method. Emits no signal."""
        if key != self.chosen:
            self.chosen = key
            self.row.update()

    def restyle(self, theme: Theme) -> None:
        self.row.forget_pictures()


def _fitted(font: QFont, text: str, width: float) -> QFont:
    """The font, smaller where a text would be cut: large texts leave little room in a narrow window."""
    needed = QFontMetricsF(font).horizontalAdvance(text)
    if needed > width:
        font.setPixelSize(max(_LEAST_FONT_PX, int(font.pixelSize() * width / needed)))
    return font


class _Row(Canvas):
    def __init__(self, figure: MethodPicker) -> None:
        super().__init__()
        self._figure = figure
        self._hovered: int | None = None
        self._pictures: dict[int, QPixmap] = {}
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        show_text(self.setAccessibleName, tr("Methods"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(560, HEIGHT_PX)

    def box(self, index: int) -> QRectF:
        count = len(self._figure.tiles)
        wide = (self.width() - 2 - _BETWEEN_PX * (count - 1)) / max(1, count)
        return QRectF(1 + index * (wide + _BETWEEN_PX), 1, wide, self.height() - 3)

    def tile_at(self, point: QPointF) -> int | None:
        return next((index for index in range(len(self._figure.tiles)) if self.box(index).contains(point)), None)

    def paint(self, painter: QPainter, theme: Theme) -> None:
        for index in range(len(self._figure.tiles)):
            self._paint_tile(painter, theme, index)

    def _paint_tile(self, painter: QPainter, theme: Theme, index: int) -> None:
        figure, tile, box = self._figure, self._figure.tiles[index], self.box(index)
        chosen, hovered = tile.key == figure.chosen, index == self._hovered
        ground = mix(theme.sunken, theme.accent_soft, 0.35) if chosen else theme.raised if hovered else theme.sunken
        edge = theme.accent_strong if chosen and self.hasFocus() else theme.accent if chosen else theme.border
        painter.setBrush(QColor(ground))
        painter.setPen(QPen(QColor(edge), 1.6 if chosen else 1))
        painter.drawRoundedRect(box, themes.RADIUS, themes.RADIUS)
        inside = box.adjusted(_INSET_PX, 2, -_INSET_PX, -_INSET_PX)
        words = inside.adjusted(0, 0, _OVER_PX, 0)
        head = self.head(index)
        painter.setFont(_fitted(themes.ui_font("small", bold=True), head, words.width()))
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(words.left(), words.top(), words.width(), 15), _LEFT, head)
        painter.setFont(themes.ui_font("small"))
        painter.setPen(QColor(theme.bad if tile.broken else mix(theme.muted, theme.text, 0.2)))
        below = QRectF(words.left(), words.top() + 14, words.width(), 14)
        if tile.ink is not None:
            below.setLeft(below.left() + _DOT_PX)
        width = painter.fontMetrics().horizontalAdvance
        fact = next((text for text in tile.facts if width(text) <= below.width()), tile.facts[-1])
        painter.setFont(_fitted(painter.font(), fact, below.width()))
        painter.drawText(below, _LEFT, fact)
        if tile.ink is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.series[tile.ink % len(theme.series)]))
            painter.drawEllipse(QPointF(inside.left() + 3.5, inside.top() + 21.5), 3.2, 3.2)
        painter.drawPixmap(QPointF(inside.left(), inside.top() + _WORDS_PX), self._picture(theme, index, inside))

    def head(self, index: int) -> str:
        """A tile's number and name if they fit, else the number and the short name, else the short name."""
        tile, room = self._figure.tiles[index], self.box(index).width() - 2 * _INSET_PX + _OVER_PX
        width = QFontMetricsF(themes.ui_font("small", bold=True)).horizontalAdvance
        heads = f"{index + 1} {tile.name}", f"{index + 1} {tile.short}"
        return next((text for text in heads if width(text) <= room), tile.short)

    def _picture(self, theme: Theme, index: int, inside: QRectF) -> QPixmap:
        """The small picture of a tile. It is painted once and cached."""
        if index not in self._pictures:
            figure, pixel_ratio = self._figure, self.devicePixelRatioF()
            room = QRectF(0, 0, inside.width(), inside.height() - _WORDS_PX)
            pixmap = QPixmap((room.size() * pixel_ratio).toSize())
            pixmap.setDevicePixelRatio(pixel_ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            placed = figure.grid.placed(room, names=False)
            with QPainter(pixmap) as painter:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                paint_modules(painter, theme, figure.grid, placed, figure.tiles[index].modules, figure.limits)
            self._pictures[index] = pixmap
        return self._pictures[index]

    def forget_pictures(self) -> None:
        self._pictures.clear()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.forget_pictures()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        index = self.tile_at(event.position())
        if index != self._hovered:
            self._hovered = index
            self.setCursor(Qt.CursorShape.ArrowCursor if index is None else Qt.CursorShape.PointingHandCursor)
            self.update()
        text = None if index is None else self._figure.tiles[index].tip
        # The figure is too low for a read-out below the pointer, so the read-out covers the next tile.
        self._figure.tip.show_at(event.position().toPoint(), text)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.update()
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        index = self.tile_at(event.position())
        if index is not None and event.button() is Qt.MouseButton.LeftButton:
            self._figure.picked.emit(self._figure.tiles[index].key)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = STEPS.get(Qt.Key(event.key()), (0, 0))[1]
        keys = [tile.key for tile in self._figure.tiles]
        if not step or not keys:
            super().keyPressEvent(event)
            return
        current = keys.index(self._figure.chosen) if self._figure.chosen in keys else -1
        following = min(len(keys) - 1, max(0, current + step))
        if following != current:
            self._figure.picked.emit(keys[following])

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._figure.tip.hide()
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)
