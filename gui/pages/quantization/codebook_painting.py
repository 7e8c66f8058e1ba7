"""How the codebook view is painted: histogram with bins, what each code wins, a row of levels per format, the axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF, QRegion

from core.topics.quantization.codebooks import Histogram
from gui import theme as themes
from gui.charts.palette import rgb
from gui.pages.quantization.codebook_rows import Geometry, LevelRow
from gui.theme import Theme, mix

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_FEW_CODES = 40
"""Up to so many, boundaries are drawn and every code is drawn apart; of more only the density is seen."""
_NAMED_FROM_PX = 52
_TICKS = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Scene:
    """Everything that is painted. `under` is the (row, code) below the pointer, `code` the one picked."""

    rows: tuple[LevelRow, ...]
    weights: Histogram
    chosen: int
    code: int | None
    under: tuple[int, int] | None
    parts: Geometry
    focused: bool

    @property
    def row(self) -> LevelRow:
        return self.rows[self.chosen]

    def span(self, row: LevelRow, code: int) -> tuple[float, float]:
        """The pixels that a code wins."""
        first, last = row.edges[code : code + 2]
        return self.parts.x_of(float(first)), self.parts.x_of(float(last))


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
    if scene.focused:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(theme.accent), 1))
        painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))


def ink_of(theme: Theme, row: LevelRow) -> str:
    return theme.series[row.ink % len(theme.series)]


def _paint_histogram(painter: QPainter, theme: Theme, scene: Scene) -> None:
    """The weights, tinted in turn by the code that wins them, with the levels as stems."""
    box, row, parts = scene.parts.histogram, scene.row, scene.parts
    shares = scene.weights.shares(affine=row.affine)
    top = float(shares.max(initial=0))
    room = box.height() - 14
    x = parts.rows.left() + (scene.weights.edges + 1) / 2 * parts.rows.width()
    y = box.bottom() - (shares / top * room if top else shares)
    outline = QPolygonF([QPointF(x[0], box.bottom())])
    for left, right, height in zip(x[:-1].tolist(), x[1:].tolist(), y.tolist(), strict=True):
        outline.append(QPointF(left, height))
        outline.append(QPointF(right, height))
    outline.append(QPointF(x[-1], box.bottom()))
    ink = ink_of(theme, row)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(mix(theme.sunken, ink, 0.72)))
    painter.drawPolygon(outline)
    painter.save()
    painter.setClipRegion(_every_other(scene, row, box))
    painter.setBrush(QColor(mix(theme.sunken, ink, 0.45)))
    painter.drawPolygon(outline)
    painter.restore()
    if row.codes <= _FEW_CODES:
        painter.setPen(QPen(themes.colour(theme.border_strong, 0.9), 1))
        for boundary in row.edges[1:-1].tolist():
            painter.drawLine(QPointF(parts.x_of(boundary), box.top() + 14), QPointF(parts.x_of(boundary), box.bottom()))
    painter.setPen(QPen(QColor(theme.border_strong), 1))
    painter.drawLine(box.bottomLeft(), box.bottomRight())
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_heading(painter, theme, scene, top)


def _paint_heading(painter: QPainter, theme: Theme, scene: Scene, top: float) -> None:
    """What the histogram shows, and the scale of its height."""
    box = scene.parts.histogram
    painter.setPen(QColor(theme.muted))
    painter.drawText(QRectF(0, box.top() + 5, box.left() - 6, 16), _RIGHT, f"{top:.2%}")
    painter.drawText(QRectF(0, box.bottom() - 14, box.left() - 6, 14), _RIGHT, "0")
    if box.height() >= _NAMED_FROM_PX:
        painter.drawText(QRectF(0, box.center().y() - 4, box.left() - 6, 16), _RIGHT, "weights")
    painter.setPen(QPen(themes.colour(theme.grid, 0.9), 1, Qt.PenStyle.DotLine))
    painter.drawLine(QPointF(box.left(), box.top() + 14), QPointF(box.right(), box.top() + 14))


def _every_other(scene: Scene, row: LevelRow, box: QRectF) -> QRegion:
    """The pixels of every second code."""
    region = QRegion()
    for code in range(0, row.codes, 2):
        first, last = (round(x) for x in scene.span(row, code))
        if last > first:
            region += QRect(first, int(box.top()), last - first, int(box.height()) + 1)
    return region


def _paint_shares(painter: QPainter, theme: Theme, scene: Scene) -> None:
    """What share of the weights each code of the chosen format wins, where there is room to write it."""
    box, row = scene.parts.shares, scene.row
    painter.setPen(QColor(theme.muted))
    painter.drawText(QRectF(0, box.top(), box.left() - 6, box.height()), _RIGHT, "won, %")
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
    painter.drawText(values, _LEFT, "SNR · bits")


def _paint_row(painter: QPainter, theme: Theme, area: QRectF, scene: Scene, index: int) -> None:
    """One format: its bins as dark as what they win, its levels as ticks, its name and its value."""
    row, box, chosen = scene.rows[index], scene.parts.row_rect(index), index == scene.chosen
    ink = ink_of(theme, row)
    hovered = scene.under is not None and scene.under[0] == index
    if chosen or hovered:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.accent_soft if chosen else theme.hover))
        painter.drawRoundedRect(QRectF(2, box.top() + 0.5, area.width() - 4, box.height() - 1), 3, 3)
    strip = box.adjusted(0, 2, 0, -2)
    _paint_bins(painter, scene, row, strip, ink)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, row.codes <= _FEW_CODES)
    strong = row.codes <= _FEW_CODES
    painter.setPen(QPen(themes.colour(ink, 1.0 if strong else 0.55), 2 if strong else 1))
    inset = strip.height() * (0.0 if strong else 0.28)
    places = scene.parts.rows.left() + (row.levels + 1) / 2 * scene.parts.rows.width()
    painter.drawLines([QLineF(x, strip.top() + inset, x, strip.bottom() - inset) for x in places.tolist()])
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(themes.ui_font("small", bold=chosen))
    painter.setPen(QColor(theme.text if chosen else theme.muted))
    painter.drawText(QRectF(0, box.top(), box.left() - 8, box.height()), _RIGHT, row.label)
    painter.drawText(QRectF(box.right() + 8, box.top(), 200, box.height()), _LEFT, row.value)
    painter.setFont(themes.ui_font("small"))


def _paint_bins(painter: QPainter, scene: Scene, row: LevelRow, strip: QRectF, ink: str) -> None:
    """The bins as one image, a pixel high: INT8 has 255 of them."""
    shares = row.shares
    alphas = 255 * (0.04 + 0.44 * shares / (float(shares.max(initial=0)) or 1.0))
    places = np.linspace(-1, 1, 2 * max(1, int(strip.width())) + 1)[1::2]
    pixels = np.empty((1, places.size, 4), dtype=np.uint8)
    pixels[..., :3] = rgb(ink)
    pixels[..., 3] = alphas[np.searchsorted(row.boundaries, places)]
    painter.drawImage(strip, QImage(pixels.data, places.size, 1, QImage.Format.Format_RGBA8888))


def _paint_axis(painter: QPainter, theme: Theme, scene: Scene) -> None:
    box, row = scene.parts.axis, scene.row
    painter.setPen(QPen(QColor(theme.border_strong), 1))
    painter.drawLine(box.topLeft(), box.topRight())
    for tick in _TICKS:
        x = scene.parts.x_of(tick)
        painter.setPen(QPen(QColor(theme.border_strong), 1))
        painter.drawLine(QPointF(x, box.top()), QPointF(x, box.top() + 3))
        painter.setPen(QColor(theme.muted))
        painter.drawText(QRectF(x - 24, box.top() + 3, 48, 13), Qt.AlignmentFlag.AlignCenter, f"{tick:g}")
    name = "place between its block's minimum (-1) and maximum (1)" if row.affine else "weight / absmax of its block"
    painter.drawText(QRectF(box.left(), box.top() + 16, box.width(), 14), Qt.AlignmentFlag.AlignCenter, name)


def _paint_picked(painter: QPainter, theme: Theme, scene: Scene) -> None:
    """The code that is picked, and the one under the pointer, from the histogram to their level."""
    under = scene.under[1] if scene.under is not None and scene.under[0] == scene.chosen else None
    current = theme.tiles["current"]
    for code, alpha in ((scene.code, 0.24), (under, 0.12)):
        if code is None or code >= scene.row.codes:
            continue
        first, last = scene.span(scene.row, code)
        box = QRectF(first, scene.parts.histogram.top() + 2, max(2.0, last - first), 0)
        box.setBottom(scene.parts.shares.bottom())
        painter.setBrush(themes.colour(current, alpha))
        painter.setPen(QPen(themes.colour(current, min(1.0, 3.5 * alpha)), 1.2))
        painter.drawRect(box)
        level = scene.parts.row_rect(scene.chosen)
        x = scene.parts.x_of(float(np.clip(scene.row.levels[code], -1, 1)))
        painter.setPen(QPen(QColor(current), 2.4))
        painter.drawLine(QPointF(x, level.top() + 1), QPointF(x, level.bottom() - 1))
