"""A square matrix against its transpose: cells that differ from their mirror image are coloured."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.text import Text, tr, verbatim
from core.masks.symmetry import Symmetry
from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.palette import rgb
from gui.theme import Theme, colour, mix
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.legend import Entry, Legend

_DATA_SIDE = 128
"""Squares of cells along each side that data have at most."""


class SymmetryMap(Figure):
    """Equal cells are muted; cells visible only in M or only in its transpose have two strong colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The mask and its transpose appear here once the parameters are valid."), parent)
        self.symmetry: Symmetry | None = None
        self.length = 0
        self._verdict, self._detail = QLabel(), FittedLabel("")
        self._verdict.setProperty("role", "title")
        self.chart = Chart(Axis(verbatim("key"), steps="whole"), Axis(verbatim("query"), steps="whole"))
        self.chart.getViewBox().invertY(True)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._diagonal = pg.PlotCurveItem()
        for item in (self._image, self._diagonal):
            self.chart.addItem(item, ignoreBounds=True)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        heading = QHBoxLayout()
        heading.setSpacing(8)
        heading.addWidget(self._verdict)
        heading.addWidget(self._detail, 1)
        column.addLayout(heading)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        read_out(self.chart, self, self.describe)
        self.set_content(content)

    @property
    def verdict(self) -> str:
        return f"{self._verdict.text()}: {self._detail.text()}"

    def set_symmetry(self, symmetry: Symmetry, length: int) -> None:
        """Show a comparison of `length` x `length` cells."""
        if length != self.length:
            self.length = length
            self.chart.set_home((0, length), (0, length))
            self._diagonal.setData([0.0, float(length)], [0.0, float(length)])
        self.symmetry = symmetry
        share = symmetry.differing / max(1, symmetry.cells)
        if symmetry.is_symmetric:
            self._verdict.setText("M = Mᵀ")
            self._detail.set_wordings(tr("all {cells:,} cells equal their mirror image", cells=symmetry.cells))
        else:
            self._verdict.setText("M ≠ Mᵀ")
            self._detail.set_wordings(
                tr(
                    "{differing:,} of {cells:,} cells ({share:.0%}) differ from their mirror image",
                    differing=symmetry.differing,
                    cells=symmetry.cells,
                    share=share,
                ),
                tr("{differing:,} of {cells:,} cells differ", differing=symmetry.differing, cells=symmetry.cells),
            )
        self._draw(themes.current())
        self.show_content()

    def describe(self, x: float, y: float) -> str | None:
        """A cell and its mirror image."""
        symmetry = self.symmetry
        if symmetry is None or not (0 <= x < self.length and 0 <= y < self.length):
            return None
        scale = symmetry.seen.shape[0] / self.length if self.length > symmetry.seen.shape[0] else 1.0
        row, col = int(y * scale), int(x * scale)
        if scale < 1:
            lines = (
                tr("around query {row:,}, key {col:,}", row=int(y), col=int(x)),
                tr("{share:.0%} of the cells differ", share=float(symmetry.differs[row, col])),
            )
        else:
            lines = (
                _cell(row, col, bool(symmetry.seen[row, col])),
                _cell(col, row, bool(symmetry.seen[col, row])),
            )
        return "\n".join(map(str, lines))

    def data_table(self) -> DataTable | None:
        """The cells, or of a long mask the squares of cells, that differ from their mirror image, by share."""
        symmetry = self.symmetry
        if symmetry is None or self.is_empty:
            return None
        stride = max(1, -(-self.length // max(1, symmetry.seen.shape[0])))
        pooled = -(-symmetry.seen.shape[0] // _DATA_SIDE)
        starts = np.arange(0, symmetry.seen.shape[0], pooled)
        seen, differs = (
            np.add.reduceat(np.add.reduceat(each, starts, 0), starts, 1) / pooled**2
            for each in (symmetry.seen, symmetry.differs)
        )
        rows, columns = np.indices(seen.shape)
        return table_of(
            {
                "query": (rows * stride * pooled).ravel(),
                "key": (columns * stride * pooled).ravel(),
                "cells": [stride * pooled] * rows.size,
                "visible": seen.ravel(),
                "differs_from_mirror": differs.ravel(),
            }
        )

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._diagonal.setPen(pg.mkPen(colour(theme.muted, 0.8), width=1, style=Qt.PenStyle.DashLine))
        self._draw(theme)

    def _draw(self, theme: Theme) -> None:
        only_m, only_t = theme.warn, mix(theme.sunken, theme.warn, 0.38)
        self.legend.set_entries(
            (
                Entry(tr("visible in both"), theme.tiles["full"]),
                Entry(tr("only in M"), only_m),
                Entry(tr("only in Mᵀ"), only_t),
                Entry(tr("in neither"), theme.sunken),
            )
        )
        symmetry = self.symmetry
        if symmetry is None:
            return
        none, both, only_mask, only_transpose = (
            np.array(rgb(cell_colour), np.float32)
            for cell_colour in (theme.sunken, theme.tiles["full"], only_m, only_t)
        )
        seen, differs = symmetry.seen[..., None], symmetry.differs[..., None]
        alike = none + seen * (both - none)
        unlike = only_transpose + seen * (only_mask - only_transpose)
        image = np.rint(alike + differs * (unlike - alike)).astype(np.uint8)
        self._image.setImage(image, autoLevels=False, levels=None)
        stride = -(-self.length // symmetry.seen.shape[0]) if self.length else 1
        side = stride * symmetry.seen.shape[0]
        self._image.setRect(QRectF(0, 0, side, side))


def _cell(row: int, col: int, is_visible: bool) -> Text:
    if is_visible:
        return tr("query {row:,} → key {col:,}: visible", row=row, col=col)
    return tr("query {row:,} → key {col:,}: hidden", row=row, col=col)
