"""A small square picture of which tiles of a row's attention are computed: full, partly masked, or skipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from core.contracts.text import Text, tr, tr_in
from core.masks import TileClass
from gui import theme as themes
from gui.charts.mask_matrix import TILE_NAMES
from gui.charts.palette import rgb
from gui.charts.tile_schedule import CLASS_NAMES, MOST_TILES
from gui.theme import Theme
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Canvas, Figure
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.legend import Entry, Legend


@dataclass(frozen=True, eq=False)
class Tiles:
    """classes  uint8 [blocks, blocks] of TileClass
    block    tokens per tile in each direction
    title    what is shown, in wordings from the longest to the shortest
    """

    classes: NDArray[np.uint8]
    block: int
    title: tuple[Text, ...] = ()

    def share(self, tile_class: TileClass) -> float:
        return float((self.classes == tile_class).mean()) if self.classes.size else 0.0


class TileMap(Figure):
    """Rows are queries, columns keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The tiles of a packed row appear here once the template can be rendered."), parent)
        self.tiles: Tiles | None = None
        self.title = FittedLabel()
        self.canvas = _Tiles(self)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.legend)
        self.set_content(content)

    def set_tiles(self, tiles: Tiles | None) -> None:
        """Show the tiles of another row; None shows the empty state."""
        self.tiles = tiles if tiles is not None and tiles.classes.size else None
        if self.tiles is None:
            self.show_empty()
            return
        self.title.set_wordings(*self.tiles.title)
        self.restyle(themes.current())
        self.canvas.forget_image()
        self.show_content()

    def describe(self, row: int, column: int) -> str | None:
        tiles = self.tiles
        if tiles is None or not (0 <= row < tiles.classes.shape[0] and 0 <= column < tiles.classes.shape[1]):
            return None
        lines = (
            tr("queries from {first:,}, keys from {key:,}", first=row * tiles.block, key=column * tiles.block),
            TILE_NAMES[TileClass(int(tiles.classes[row, column]))],
        )
        return "\n".join(map(str, lines))

    def data_table(self) -> DataTable | None:
        """One row per tile; of many tiles, the first ones."""
        tiles = self.tiles
        if tiles is None:
            return None
        classes = tiles.classes[:MOST_TILES, :MOST_TILES]
        rows, columns = np.indices(classes.shape)
        return table_of(
            {
                "first_query": (rows * tiles.block).ravel(),
                "first_key": (columns * tiles.block).ravel(),
                "class": [CLASS_NAMES[TileClass(code)] for code in classes.ravel().tolist()],
            }
        )

    def restyle(self, theme: Theme) -> None:
        tiles = self.tiles
        if tiles is None:
            return
        names = (
            (tr("full {share:.0%}", share=tiles.share(TileClass.FULL)), "full"),
            (tr("partial {share:.0%}", share=tiles.share(TileClass.PARTIAL)), "partial"),
            (tr_in("tiles", "skipped {share:.0%}", share=tiles.share(TileClass.EMPTY)), "skipped"),
        )
        self.legend.set_entries(Entry(label, theme.tiles[key]) for label, key in names)
        self.canvas.forget_image()


class _Tiles(Canvas):
    def __init__(self, figure: TileMap) -> None:
        super().__init__()
        self._figure = figure
        self._image: QImage | None = None
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, 40)

    def box(self) -> QRectF:
        """The square of the tiles."""
        side = min(self.width(), self.height()) - 2.0
        return QRectF((self.width() - side) / 2, 1, side, side)

    def forget_image(self) -> None:
        self._image = None
        self.update()

    def paint(self, painter: QPainter, theme: Theme) -> None:
        tiles = self._figure.tiles
        if tiles is None:
            return
        if self._image is None:
            self._image = _image(tiles.classes, theme)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, tiles.classes.shape[0] > self.box().width())
        painter.drawImage(self.box(), self._image, QRectF(self._image.rect()))
        painter.setPen(QPen(QColor(theme.border_strong), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(self.box())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        tiles, box, point = self._figure.tiles, self.box(), event.position()
        text = None
        if tiles is not None and box.contains(point):
            blocks = tiles.classes.shape[0]
            row, column = (
                (value * blocks)
                for value in ((point.y() - box.top()) / box.height(), (point.x() - box.left()) / box.width())
            )
            text = self._figure.describe(int(row), int(column))
        self._figure.tip.show_at(self.mapTo(self._figure, point.toPoint()), text)


def _image(classes: NDArray[np.uint8], theme: Theme) -> QImage:
    """One pixel per tile."""
    table = np.zeros((3, 4), dtype=np.uint8)
    for tile_class, name in ((TileClass.EMPTY, "skipped"), (TileClass.FULL, "full"), (TileClass.PARTIAL, "partial")):
        table[tile_class] = (*rgb(theme.tiles[name]), 255)
    pixels = np.ascontiguousarray(table[classes])
    height, width = classes.shape
    return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
