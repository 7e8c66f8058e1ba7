"""A mask as a matrix at any zoom: cells in the colours of their tiles, token labels, key counts per row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsRectItem, QGridLayout, QVBoxLayout, QWidget

from core.contracts.text import tr, verbatim
from core.masks import TileClass
from gui import theme as themes
from gui.charts.chart import Chart, read_out
from gui.charts.mask_picture import MatrixColours, MatrixPicture, MatrixSource, Rgb, Span, paint, window
from gui.charts.matrix_axis_labels import KeyLabels, QueryLabels, RowCounts
from gui.charts.palette import rgb
from gui.theme import Theme, colour, mix
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.latest_work import LatestWork
from gui.widgets.legend import Entry, Legend

_AT_ONCE_CELLS = 1 << 18
"""Up to this many cells are drawn at once; more are drawn off the GUI thread."""
TILE_NAMES = {
    TileClass.EMPTY: tr("empty, skipped"),
    TileClass.FULL: tr("full, not masked"),
    TileClass.PARTIAL: tr("partial"),
}
_GAPS_UP_TO = 40
_REDRAW_MS = 10
_MAX_PX = 1024


_DATA_CELLS = 1024
"""Of longer masks, data count the keys of a query and do not list them."""


def _ranges(seen: NDArray[np.bool_]) -> str:
    """Where a row is True, as ranges: '0-5, 9'."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], seen, [False]))))
    pairs = zip(edges[::2].tolist(), (edges[1::2] - 1).tolist(), strict=True)
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in pairs)


class MaskMatrix(Figure):
    """The wheel zooms, dragging pans, a double click shows everything.

    `cell_picked` carries the (row, column) of a click; `drawn` follows when a picture made off the GUI thread is shown.
    """

    cell_picked = Signal(int, int)
    drawn = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The mask appears here once the parameters are valid."), parent)
        self.source: MatrixSource | None = None
        self.cell: tuple[int, int] | None = None
        self._tile: tuple[int, int] | None = None
        self._work = LatestWork(self)
        self._work.done.connect(self._show_made)
        self._work.failed.connect(self.show_empty)
        self._view_moved = False
        self._redraw = QTimer(self, interval=_REDRAW_MS, singleShot=True)
        self._redraw.timeout.connect(self._follow)
        self._build()

    @property
    def idle(self) -> bool:
        """Whether everything in view is drawn."""
        return not (self._work.busy or self._redraw.isActive())

    def set_source(self, source: MatrixSource | None) -> None:
        """Show another mask; the zoom stays if the matrix has the same size. None shows the empty state."""
        before, self.source = self.source, source
        if source is None or not source.rows or not source.cols:
            self.source = None
            self._work.forget()
            self.show_empty()
            return
        if before is None or (before.rows, before.cols) != (source.rows, source.cols):
            self._overview.clear()
            self._detail.clear()
            self.cell = self._tile = None
            self.chart.set_home((0, source.cols), (0, source.rows))
        self._write_legend(themes.current())
        self.show_content()
        self._place_marks()
        self._refresh()

    def select_cell(self, row: int | None, col: int | None = None) -> None:
        """Highlight a row, and its cell if a column is given; None removes the highlight."""
        source = self.source
        inside = source is not None and row is not None and 0 <= row < source.rows
        has_col = source is not None and col is not None and 0 <= col < source.cols
        self.cell = (int(row), int(col) if has_col and col is not None else -1) if inside and row is not None else None
        self._place_marks()
        self._update_axis_labels()

    def select_tile(self, q_block: int | None, kv_block: int | None = None) -> None:
        """Frame a tile; None removes the frame."""
        self._tile = None if q_block is None or kv_block is None else (q_block, kv_block)
        self._place_marks()

    def zoom_to(self, row: int, col: int, cells: int) -> None:
        """Zoom to a square of `cells` around a cell."""
        half = cells / 2
        self.chart.setRange(xRange=(col - half, col + half), yRange=(row - half, row + half), padding=0)

    def describe(self, x: float, y: float) -> str | None:
        """Row, column, and why the cell is visible or hidden, at a point in cells."""
        source = self.source
        if source is None or not (0 <= x < source.cols and 0 <= y < source.rows):
            return None
        row, col = int(y), int(x)
        q_block, kv_block = row // source.block_q, col // source.block_kv
        tile_class = TileClass(int(source.classes[q_block, kv_block]))
        lines = (
            tr(
                "query {row:,} '{query}' → key {col:,} '{key}'",
                row=row,
                query=source.row_labels[row],
                col=col,
                key=source.col_labels[col],
            ),
            source.explain(row, col),
            tr("tile ({row}, {col}): {kind}", row=q_block, col=kv_block, kind=TILE_NAMES[tile_class]),
        )
        return "\n".join(map(str, lines))

    def data_table(self) -> DataTable | None:
        """One row per query: how many keys it sees, and of a mask that is not too long, which: '0-5, 9'."""
        source = self.source
        if source is None or self.is_empty:
            return None
        columns: dict[str, Iterable[Any]] = {
            "query": range(source.rows),
            "token": list(source.row_labels),
            "visible_keys": source.row_counts,
        }
        if max(source.rows, source.cols) <= _DATA_CELLS:
            seen = source.raster((0, source.rows), (0, source.cols), source.cols, source.rows) > 0
            columns["keys"] = [_ranges(row) for row in seen]
        return table_of(columns)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._gaps.setPen(pg.mkPen(colour(theme.sunken, 0.85), width=1))
        accent = theme.tiles["current"]
        self._row_mark.setBrush(colour(accent, 0.10))
        self._row_mark.setPen(_cosmetic(accent, 1.0))
        self._cell_mark.setPen(_cosmetic(theme.text, 2.0))
        self._tile_mark.setBrush(colour(accent, 0.22))
        self._tile_mark.setPen(_cosmetic(accent, 2.5))
        self._write_legend(theme)
        self._refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._changed_view()

    def _colours(self) -> MatrixColours:
        theme = themes.current()
        partial = theme.tiles["partial"]
        wasted, empty = mix(theme.sunken, partial, 0.28), mix(theme.sunken, theme.grid, 0.35)
        full = theme.tiles["full"]
        return MatrixColours(rgb(full), rgb(partial), rgb(wasted), rgb(empty))

    def _write_legend(self, theme: Theme) -> None:
        source, colours = self.source, self._colours()
        kinds = (
            (tr("full"), TileClass.FULL, colours.full),
            (tr("partial"), TileClass.PARTIAL, colours.partial),
            (tr("empty"), TileClass.EMPTY, colours.empty),
        )
        entries = []
        for name, tile_class, rgb_value in kinds:
            label = name if source is None else tr("{tile} {count:,}", tile=name, count=source.count(tile_class))
            entries.append(Entry(label, _hex(rgb_value)))
        wasted = Entry(tr("hidden but computed"), _hex(colours.wasted))
        self.legend.set_entries((*entries, wasted))

    def _changed_view(self) -> None:
        self._update_axis_labels()
        if self.source is not None and not self._redraw.isActive():
            self._redraw.start()

    def _update_axis_labels(self) -> None:
        self.col_labels.fit()
        for labels in (self.row_labels, self.col_labels, self.row_counts):
            labels.update()

    def _follow(self) -> None:
        """The view moved. Wait for a picture in progress: otherwise a long pan would never show one."""
        if self._work.busy:
            self._view_moved = True
        else:
            self._refresh()

    def _show_made(self, picture: MatrixPicture) -> None:
        self._show(picture)
        if self._view_moved:
            self._refresh()

    def _refresh(self) -> None:
        """Draw the view: few cells at once, many off the GUI thread while the previous picture stays."""
        self._view_moved, source = False, self.source
        if source is None:
            return
        box = self.chart.getViewBox()
        rows, cols = window(source, *box.viewRange())
        room = box.sceneBoundingRect()
        size = min(_MAX_PX, max(32, int(room.height()))), min(_MAX_PX, max(32, int(room.width())))
        colours = self._colours()
        self._draw_gaps(source, rows, cols)
        self._update_axis_labels()
        if (rows[1] - rows[0]) * (cols[1] - cols[0]) <= _AT_ONCE_CELLS:
            self._work.forget()
            self._show(paint(source, rows, cols, size, colours))
        else:
            self._work.request(lambda: paint(source, rows, cols, size, colours))

    def _show(self, picture: MatrixPicture) -> None:
        source = self.source
        if source is None:
            return
        whole = (picture.rows, picture.cols) == ((0, source.rows), (0, source.cols))
        for item in (self._overview, self._detail) if whole else (self._detail,):
            item.setImage(picture.image, autoLevels=False, levels=None)
            item.setRect(QRectF(*picture.rectangle))
        self.drawn.emit()

    def _draw_gaps(self, source: MatrixSource, rows: Span, cols: Span) -> None:
        """Lines between tiles, if there is room for them."""
        q_edges = np.arange(-(-rows[0] // source.block_q), rows[1] // source.block_q + 1) * source.block_q
        kv_edges = np.arange(-(-cols[0] // source.block_kv), cols[1] // source.block_kv + 1) * source.block_kv
        if max(q_edges.size, kv_edges.size) > _GAPS_UP_TO:
            self._gaps.setData([], [])
            return
        x = np.concatenate((np.tile(cols, q_edges.size), np.repeat(kv_edges, 2)))
        y = np.concatenate((np.repeat(q_edges, 2), np.tile(rows, kv_edges.size)))
        self._gaps.setData(x.astype(float), y.astype(float))

    def _place_marks(self) -> None:
        source = self.source
        shown = source is not None and self.cell is not None
        self._row_mark.setVisible(shown)
        self._cell_mark.setVisible(shown and self.cell is not None and self.cell[1] >= 0)
        if source is not None and self.cell is not None:
            row, col = self.cell
            self._row_mark.setRect(QRectF(0, row, source.cols, 1))
            self._cell_mark.setRect(QRectF(col, row, 1, 1))
        tile = self._tile
        inside = (
            source is not None
            and tile is not None
            and (0 <= tile[0] < source.classes.shape[0] and 0 <= tile[1] < source.classes.shape[1])
        )
        self._tile_mark.setVisible(inside)
        if inside and source is not None and tile is not None:
            top, left = tile[0] * source.block_q, tile[1] * source.block_kv
            height, width = min(source.block_q, source.rows - top), min(source.block_kv, source.cols - left)
            self._tile_mark.setRect(QRectF(left, top, width, height))

    def _on_click(self, x: float, y: float) -> None:
        source = self.source
        if source is not None and 0 <= x < source.cols and 0 <= y < source.rows:
            self.cell_picked.emit(int(y), int(x))

    def _build(self) -> None:
        self.chart = Chart()
        show_text(self.chart.setAccessibleName, tr("Mask over queries and keys"))
        self.chart.getPlotItem().setContentsMargins(0, 0, 0, 0)
        for side in ("left", "bottom"):
            self.chart.hideAxis(side)
        self.chart.getViewBox().invertY(True)
        self._overview, self._detail = (pg.ImageItem(axisOrder="row-major") for _ in range(2))
        self._gaps = pg.PlotCurveItem(connect="pairs", antialias=False)
        self._row_mark, self._cell_mark, self._tile_mark = (QGraphicsRectItem() for _ in range(3))
        items = (self._overview, self._detail, self._gaps, self._tile_mark, self._row_mark, self._cell_mark)
        for depth, item in enumerate(items):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self.row_labels, self.col_labels, self.row_counts = QueryLabels(self), KeyLabels(self), RowCounts(self)
        corner = FittedLabel(tr("query ↓ key →"), verbatim("↓  →"))
        corner.setAlignment(Qt.AlignmentFlag.AlignRight)
        heading = FittedLabel(tr("visible keys"), tr("keys"))
        for label in (corner, heading):
            label.setContentsMargins(4, 0, 6, 3)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.setRowStretch(1, 1)
        grid.setColumnStretch(1, 1)
        grid.addWidget(corner, 0, 0, Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(self.col_labels, 0, 1)
        grid.addWidget(heading, 0, 2, Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(self.row_labels, 1, 0)
        grid.addWidget(self.chart, 1, 1)
        grid.addWidget(self.row_counts, 1, 2)
        column.addLayout(grid, 1)
        column.addWidget(self.legend)
        self.chart.clicked.connect(self._on_click)
        self.chart.getViewBox().sigRangeChanged.connect(self._changed_view)
        read_out(self.chart, self, self.describe)
        self.set_content(content)


def _hex(rgb_value: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb_value)


def _cosmetic(line_colour: str, width: float) -> QPen:
    pen = QPen(colour(line_colour), width)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    return pen
