"""The Q-block x KV-block grid of a tiled kernel: which tiles are computed, masked or skipped, and up to which step."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QGraphicsRectItem, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from core.masks import TileClass
from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.tiles import NEVER, TileGrid, TilePicture, picture
from gui.theme import Theme, colour, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_GAPS_UP_TO = 64
"""Up to this many blocks on an axis, gaps are drawn between them."""
_TILE_PX = Px(5)
"""The least side of a tile with gaps: smaller tiles would be nothing but gaps."""
_NAMES = {
    TileClass.EMPTY: tr("skipped"),
    TileClass.FULL: tr("full"),
    TileClass.PARTIAL: tr("partial (masked inside)"),
}


CLASS_NAMES = {TileClass.EMPTY: "skipped", TileClass.FULL: "full", TileClass.PARTIAL: "partial"}
"""The classes in data, the same in every language."""

MOST_TILES = 128
"""Tiles along each side of a grid that data have: a grid can have millions."""


class TileSchedule(Figure):
    """Tiles coloured by class, strong once loaded; the current one framed, its row in Q's colour, its column in K's.

    `tile_picked` carries (q_block, kv_block, query) of a click, `query` being the query token under it.
    """

    tile_picked = Signal(int, int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The order in which tiles are loaded appears here once the parameters are valid."), parent)
        self._grid: TileGrid | None = None
        self._picture: TilePicture | None = None
        self._step = 0
        self.chart = Chart(Axis(steps="powers"), Axis(steps="powers"))
        show_text(self.chart.setAccessibleName, tr("Tiles over queries and keys"))
        self.chart.getViewBox().invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._gaps = pg.PlotCurveItem(connect="pairs", antialias=False)
        self._row, self._column, self._frame, self._chosen = (QGraphicsRectItem() for _ in range(4))
        for depth, item in enumerate((self._image, self._gaps, self._row, self._column, self._chosen, self._frame)):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self._chosen.hide()
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        self.chart.clicked.connect(self._on_click)
        self.chart.getViewBox().sigRangeChanged.connect(self._on_zoom)
        read_out(self.chart, self, self.describe)
        self.set_content(content)

    @property
    def step(self) -> int:
        return self._step

    def set_grid(self, grid: TileGrid | None, step: int = 0) -> None:
        """Show a schedule in full; None or a grid without tiles is the empty state."""
        self._grid = grid if grid is not None and grid.classes.size else None
        self._picture = None
        self._chosen.hide()
        if self._grid is None:
            self.show_empty()
            return
        grid = self._grid
        self._step = min(step, grid.steps - 1)
        self.chart.label(
            "bottom", tr("key tokens · {tiles:,} tiles of {size}", tiles=grid.kv_blocks, size=grid.block_kv)
        )
        self.chart.label("left", tr("query tokens · {tiles:,} tiles of {size}", tiles=grid.q_blocks, size=grid.block_q))
        self.chart.set_home((0, grid.key_len), (0, grid.query_len))
        self._write_legend(themes.current())
        self.show_content()
        self._refresh_picture()

    def set_step(self, step: int) -> None:
        """Show another step of the schedule. Only one small image and four rectangles change."""
        if self._grid is None or self._picture is None:
            return
        self._step = min(max(0, step), self._grid.steps - 1)
        self._image.setImage(self._picture.states(self._step), autoLevels=False)
        self._mark_current()

    def choose(self, q_block: int | None, kv_block: int | None = None) -> None:
        """Frame a picked tile, or a whole row of them where `kv_block` is None; None unframes."""
        if self._grid is None or q_block is None or not 0 <= q_block < self._grid.q_blocks:
            self._chosen.hide()
            return
        inside = kv_block is not None and 0 <= kv_block < self._grid.kv_blocks
        self._chosen.setRect(self._rect(q_block, kv_block if inside else None))
        self._chosen.show()

    def describe(self, x: float, y: float) -> str | None:
        """What the tile at key token `x` and query token `y` is."""
        tile = self._tile_under(x, y)
        if tile is None or self._grid is None:
            return None
        grid, (q_block, kv_block) = self._grid, tile
        tile_class = TileClass(int(grid.classes[tile]))
        order = int(grid.order[tile])
        last_q = min(grid.query_len, (q_block + 1) * grid.block_q) - 1
        last_key = min(grid.key_len, (kv_block + 1) * grid.block_kv) - 1
        loaded = tr("step {step:,} of {steps:,}", step=order + 1, steps=grid.steps)
        when = tr("never loaded") if order == NEVER else loaded
        queries, keys = q_block * grid.block_q, kv_block * grid.block_kv
        lines = (
            tr("Q block {block}: queries {first:,}–{last:,}", block=q_block, first=queries, last=last_q),
            tr("KV block {block}: keys {first:,}–{last:,}", block=kv_block, first=keys, last=last_key),
            tr("{tile} · {when}", tile=_NAMES[tile_class], when=when),
        )
        return "\n".join(map(str, lines))

    def data_table(self) -> DataTable | None:
        """One row per tile and the step that loads it; of many tiles, one per group that is `tiles` wide and high."""
        grid = self._grid
        if grid is None:
            return None
        shown = picture(grid, (0, grid.q_blocks), (0, grid.kv_blocks), MOST_TILES)
        rows, columns = np.indices(shown.classes.shape)
        return table_of(
            {
                "q_block": (rows * shown.q_stride).ravel(),
                "kv_block": (columns * shown.kv_stride).ravel(),
                "tiles": [max(shown.q_stride, shown.kv_stride)] * rows.size,
                "class": [CLASS_NAMES[TileClass(code)] for code in shown.classes.ravel().tolist()],
                "step": [None if step == NEVER else step for step in shown.order.ravel().tolist()],
            }
        )

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        base = (theme.tiles["skipped"], theme.tiles["full"], theme.tiles["partial"])
        waiting = (base[0], mix(theme.sunken, base[1], 0.38), mix(theme.sunken, base[2], 0.38))
        table = np.zeros((256, 4), dtype=np.ubyte)
        for index, tensor_colour in enumerate((*waiting, *base)):
            table[index] = colour(tensor_colour).getRgb()
        self._image.setLookupTable(table)
        self._gaps.setPen(pg.mkPen(theme.sunken, width=2))
        for item, tensor_colour in ((self._row, theme.tensor("Q")), (self._column, theme.tensor("K"))):
            item.setBrush(colour(tensor_colour, 0.16))
            item.setPen(_cosmetic(tensor_colour, 1.2))
        self._frame.setBrush(colour(theme.tiles["current"], 0.55))
        self._frame.setPen(_cosmetic(theme.tiles["current"], 2.5))
        self._chosen.setBrush(colour(theme.accent, 0.0))
        self._chosen.setPen(_cosmetic(theme.accent, 2, Qt.PenStyle.DashLine))
        self._write_legend(theme)

    def _write_legend(self, theme: Theme) -> None:
        grid = self._grid
        names: tuple[tuple[str, Text, TileClass], ...] = (
            ("full", tr("full"), TileClass.FULL),
            ("partial", tr("partial"), TileClass.PARTIAL),
            ("skipped", tr("skipped"), TileClass.EMPTY),
        )
        classes = [
            Entry(
                tr("{tile} {share:.0%}", tile=label, share=grid.share(tile_class)) if grid else label, theme.tiles[name]
            )
            for name, label, tile_class in names
        ]
        self.legend.set_entries((*classes, Entry(tr("now"), theme.tiles["current"], "outline")))

    def _on_zoom(self) -> None:
        """Draw finer tiles after a zoom, with gaps if there is space for them."""
        if self._picture is not None:
            self._refresh_picture()

    def _refresh_picture(self) -> None:
        grid = self._grid
        if grid is None:
            return
        (x0, x1), (y0, y1) = self.chart.getViewBox().viewRange()
        q_range = (int(y0 // grid.block_q), int(-(-y1 // grid.block_q)))
        kv_range = (int(x0 // grid.block_kv), int(-(-x1 // grid.block_kv)))
        shown = picture(grid, q_range, kv_range)
        self._picture = shown
        self._image.setImage(shown.states(self._step), autoLevels=False, levels=None)
        height, width = shown.classes.shape
        step_x, step_y = shown.kv_stride * grid.block_kv, shown.q_stride * grid.block_q
        self._image.setRect(
            QRectF(shown.first_kv * grid.block_kv, shown.first_q * grid.block_q, width * step_x, height * step_y)
        )
        self._draw_gaps(q_range, kv_range)
        self._mark_current()

    def _draw_gaps(self, q_range: tuple[int, int], kv_range: tuple[int, int]) -> None:
        grid = self._grid
        blocks = q_range[1] - q_range[0], kv_range[1] - kv_range[0]
        room = self.chart.getViewBox().rect()
        crowded = room.height() < _TILE_PX * blocks[0] or room.width() < _TILE_PX * blocks[1]
        if grid is None or max(blocks) > _GAPS_UP_TO or crowded:
            self._gaps.setData([], [])
            return
        rows = np.arange(q_range[0] + 1, q_range[1]) * grid.block_q
        columns = np.arange(kv_range[0] + 1, kv_range[1]) * grid.block_kv
        x = np.concatenate((np.tile((0, grid.key_len), rows.size), np.repeat(columns, 2)))
        y = np.concatenate((np.repeat(rows, 2), np.tile((0, grid.query_len), columns.size)))
        self._gaps.setData(x.astype(float), y.astype(float))

    def _mark_current(self) -> None:
        if self._grid is None:
            return
        q_block, kv_block = self._grid.tile_at(self._step)
        self._row.setRect(self._rect(q_block, None))
        self._column.setRect(self._rect(None, kv_block))
        self._frame.setRect(self._rect(q_block, kv_block))

    def _rect(self, q_block: int | None, kv_block: int | None) -> QRectF:
        """The rectangle of a tile in tokens; None spans the whole axis."""
        grid = self._grid
        assert grid is not None
        top, bottom = 0, grid.query_len
        left, right = 0, grid.key_len
        if q_block is not None:
            top, bottom = q_block * grid.block_q, min(grid.query_len, (q_block + 1) * grid.block_q)
        if kv_block is not None:
            left, right = kv_block * grid.block_kv, min(grid.key_len, (kv_block + 1) * grid.block_kv)
        return QRectF(left, top, right - left, bottom - top)

    def _tile_under(self, x: float, y: float) -> tuple[int, int] | None:
        grid = self._grid
        if grid is None or not (0 <= x < grid.key_len and 0 <= y < grid.query_len):
            return None
        return int(y // grid.block_q), int(x // grid.block_kv)

    def _on_click(self, x: float, y: float) -> None:
        tile = self._tile_under(x, y)
        if tile is not None:
            self.tile_picked.emit(*tile, int(y))


def _cosmetic(line_colour: str, width: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    pen = QPen(colour(line_colour), width, style)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    return pen
