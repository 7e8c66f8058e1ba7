"""Paints the codebook view: the histogram with its bins, the share per code, one row of levels per format, the axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF, QRegion

from core.contracts.text import tr
from core.topics.quantization.codebooks import Histogram
from gui import theme as themes
from gui.charts.palette import rgb
from gui.pages.quantization.codebook_rows import Geometry, LevelRow
from gui.theme import Theme, mix
from gui.zoom import Px

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_FEW_CODES = 40
"""Up to this many codes, boundaries and codes are drawn one by one; with more, only their density is visible."""
_NAMED_FROM_PX = Px(52)
_NAME_EDGE_PX = Px(60)
"""The name of the axis may reach beyond it: labels and values stand beside it, but not on its line."""
_TICKS = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Scene:
    """Everything that is painted. `hovered` is the (row, code) under the pointer, `code` the selected code."""

    rows: tuple[LevelRow, ...]
    weights: Histogram
    chosen: int
    code: int | None
    hovered: tuple[int, int] | None
    geometry: Geometry

    @property
    def row(self) -> LevelRow:
        return self.rows[self.chosen]

    def span(self, row: LevelRow, code: int) -> tuple[float, float]:
        """The left and right pixel of a code's bin."""
        first, last = row.edges[code : code + 2]
        return self.geometry.x_of(float(first)), self.geometry.x_of(float(last))


def paint(painter: QPainter, theme: Theme, area: QRectF, scene: Scene) -> None:
    """Draw the whole view into `area`."""
    painter.fillRect(area, QColor(theme.sunken))
    painter.setFont(themes.ui_font("small"))
    _paint_histogram(painter, theme, scene)
    _paint_shares(painter, theme, scene)
    for index in range(len(scene.rows)):
        _paint_row(painter, theme, area, scene, index)
    _paint_axis(painter, theme, scene)
    _paint_picked(painter, theme, scene)


def colour_of(theme: Theme, row: LevelRow) -> str:
    return theme.series[row.colour % len(theme.series)]


def _paint_histogram(painter: QPainter, theme: Theme, scene: Scene) -> None:
    """The histogram of the weights; the bins of the codes alternate in brightness."""
    box, row, geometry = scene.geometry.histogram, scene.row, scene.geometry
    shares = scene.weights.shares(affine=row.affine)
    top = float(shares.max(initial=0))
    room = box.height() - 14
    x = geometry.rows.left() + (scene.weights.edges + 1) / 2 * geometry.rows.width()
    y = box.bottom() - (shares / top * room if top else shares)
    outline = QPolygonF([QPointF(x[0], box.bottom())])
    for left, right, height in zip(x[:-1].tolist(), x[1:].tolist(), y.tolist(), strict=True):
        outline.append(QPointF(left, height))
        outline.append(QPointF(right, height))
    outline.append(QPointF(x[-1], box.bottom()))
    colour = colour_of(theme, row)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(mix(theme.sunken, colour, 0.72)))
    painter.drawPolygon(outline)
    painter.save()
    painter.setClipRegion(_every_other(scene, row, box))
    painter.setBrush(QColor(mix(theme.sunken, colour, 0.45)))
    painter.drawPolygon(outline)
    painter.restore()
    if row.codes <= _FEW_CODES:
        painter.setPen(QPen(themes.colour(theme.border_strong, 0.9), 1))
        for boundary in row.edges[1:-1].tolist():
            painter.drawLine(
                QPointF(geometry.x_of(boundary), box.top() + 14), QPointF(geometry.x_of(boundary), box.bottom())
            )
    painter.setPen(QPen(QColor(theme.border_strong), 1))
    painter.drawLine(box.bottomLeft(), box.bottomRight())
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_heading(painter, theme, scene, top)


def _paint_heading(painter: QPainter, theme: Theme, scene: Scene, top: float) -> None:
    """The name of the histogram and the scale of its height."""
    box = scene.geometry.histogram
    painter.setPen(QColor(theme.muted))
    painter.drawText(QRectF(0, box.top() + 5, box.left() - 6, 16), _RIGHT, f"{top:.2%}")
    painter.drawText(QRectF(0, box.bottom() - 14, box.left() - 6, 14), _RIGHT, "0")
    if box.height() >= _NAMED_FROM_PX:
        painter.drawText(QRectF(0, box.center().y() - 4, box.left() - 6, 16), _RIGHT, str(tr("weights")))
    painter.setPen(QPen(themes.colour(theme.grid, 0.9), 1, Qt.PenStyle.DotLine))
    painter.drawLine(QPointF(box.left(), box.top() + 14), QPointF(box.right(), box.top() + 14))


def _every_other(scene: Scene, row: LevelRow, box: QRectF) -> QRegion:
    """The area of every second code."""
    region = QRegion()
    for code in range(0, row.codes, 2):
        first, last = (round(x) for x in scene.span(row, code))
        if last > first:
            region += QRect(first, int(box.top()), last - first, int(box.height()) + 1)
    return region


def _paint_shares(painter: QPainter, theme: Theme, scene: Scene) -> None:
    """The share of the weights per code of the chosen format, where there is room for the number."""
    box, row = scene.geometry.shares, scene.row
    painter.setPen(QColor(theme.muted))
    painter.drawText(QRectF(0, box.top(), box.left() - 6, box.height()), _RIGHT, str(tr("share, %")))
    metrics = painter.fontMetrics()
    shares = row.shares
    for code in range(row.codes if row.codes <= _FEW_CODES else 0):
        first, last = scene.span(row, code)
        text = f"{100 * shares[code]:.0f}"
        if metrics.horizontalAdvance(text) > last - first:
            continue
        painter.drawText(
            QRectF(first - 10, box.top(), last - first + 20, box.height()), Qt.AlignmentFlag.AlignCenter, text
        )
    values = QRectF(box.right() + 8, box.top(), 200, box.height())
    painter.drawText(values, _LEFT, str(tr("SNR · bits")))


def _paint_row(painter: QPainter, theme: Theme, area: QRectF, scene: Scene, index: int) -> None:
    """One format: its bins (the more weights, the darker), its levels as ticks, its name and its value."""
    row, box, chosen = scene.rows[index], scene.geometry.row_rect(index), index == scene.chosen
    colour = colour_of(theme, row)
    hovered = scene.hovered is not None and scene.hovered[0] == index
    if chosen or hovered:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.accent_soft if chosen else theme.hover))
        painter.drawRoundedRect(QRectF(2, box.top() + 0.5, area.width() - 4, box.height() - 1), 3, 3)
    strip = box.adjusted(0, 2, 0, -2)
    _paint_bins(painter, row, strip, colour)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, row.codes <= _FEW_CODES)
    strong = row.codes <= _FEW_CODES
    painter.setPen(QPen(themes.colour(colour, 1.0 if strong else 0.55), 2 if strong else 1))
    inset = strip.height() * (0.0 if strong else 0.28)
    places = scene.geometry.rows.left() + (row.levels + 1) / 2 * scene.geometry.rows.width()
    painter.drawLines([QLineF(x, strip.top() + inset, x, strip.bottom() - inset) for x in places.tolist()])
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(themes.ui_font("small", bold=chosen))
    painter.setPen(QColor(theme.text if chosen else theme.muted))
    painter.drawText(QRectF(0, box.top(), box.left() - 8, box.height()), _RIGHT, row.label)
    painter.drawText(QRectF(box.right() + 8, box.top(), 200, box.height()), _LEFT, row.value)
    painter.setFont(themes.ui_font("small"))


def _paint_bins(painter: QPainter, row: LevelRow, strip: QRectF, colour: str) -> None:
    """The bins as one image of one pixel height: INT8 has 255 bins."""
    shares = row.shares
    alphas = 255 * (0.04 + 0.44 * shares / (float(shares.max(initial=0)) or 1.0))
    places = np.linspace(-1, 1, 2 * max(1, int(strip.width())) + 1)[1::2]
    pixels = np.empty((1, places.size, 4), dtype=np.uint8)
    pixels[..., :3] = rgb(colour)
    pixels[..., 3] = alphas[np.searchsorted(row.boundaries, places)]
    painter.drawImage(strip, QImage(pixels.data, places.size, 1, QImage.Format.Format_RGBA8888))


def _paint_axis(painter: QPainter, theme: Theme, scene: Scene) -> None:
    box, row = scene.geometry.axis, scene.row
    painter.setPen(QPen(QColor(theme.border_strong), 1))
    painter.drawLine(box.topLeft(), box.topRight())
    for tick in _TICKS:
        x = scene.geometry.x_of(tick)
        painter.setPen(QPen(QColor(theme.border_strong), 1))
        painter.drawLine(QPointF(x, box.top()), QPointF(x, box.top() + 3))
        painter.setPen(QColor(theme.muted))
        painter.drawText(QRectF(x - 24, box.top() + 3, 48, 13), Qt.AlignmentFlag.AlignCenter, f"{tick:g}")
    if row.affine:
        name = tr("position between the block's minimum (-1) and maximum (1)")
    else:
        name = tr("weight / absmax of its block")
    line = QRectF(box.left() - _NAME_EDGE_PX, box.top() + 16, box.width() + 2 * _NAME_EDGE_PX, 14)
    painter.drawText(line, Qt.AlignmentFlag.AlignCenter, str(name))


def _paint_picked(painter: QPainter, theme: Theme, scene: Scene) -> None:
    """The selected code and the one under the pointer, from the histogram down to their level."""
    hovered = scene.hovered[1] if scene.hovered is not None and scene.hovered[0] == scene.chosen else None
    current = theme.tiles["current"]
    for code, alpha in ((scene.code, 0.24), (hovered, 0.12)):
        if code is None or code >= scene.row.codes:
            continue
        first, last = scene.span(scene.row, code)
        box = QRectF(first, scene.geometry.histogram.top() + 2, max(2.0, last - first), 0)
        box.setBottom(scene.geometry.shares.bottom())
        painter.setBrush(themes.colour(current, alpha))
        painter.setPen(QPen(themes.colour(current, min(1.0, 3.5 * alpha)), 1.2))
        painter.drawRect(box)
        level = scene.geometry.row_rect(scene.chosen)
        x = scene.geometry.x_of(float(np.clip(scene.row.levels[code], -1, 1)))
        painter.setPen(QPen(QColor(current), 2.4))
        painter.drawLine(QPointF(x, level.top() + 1), QPointF(x, level.bottom() - 1))
