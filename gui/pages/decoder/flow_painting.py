"""Paints the boxes, arrows and frames of a flow at zoom 1; the painter's transform applies the zoom."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QPolygonF, QTextOption

from gui import theme as themes
from gui.pages.decoder.flow_graph import Box, FlowEdge, FlowGroup, FlowNode, Highlight
from gui.theme import Theme, mix

_CORNER_PX, _HEAD_PX, _TURN_PX = 5.0, 6.0, 6.0
_CELLS_PX, _INSET_PX = 5.0, 4.0
_CENTRED = Qt.AlignmentFlag.AlignCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True)
class Emphasis:
    """Whether a node or an arrow is selected, under the pointer, or focused by the keyboard."""

    picked: bool = False
    hovered: bool = False
    focused: bool = False


def _font(size: str, *, bold: bool = False) -> QFont:
    """In the units of the diagram, which grows as a whole."""
    return themes.ui_font(size, bold=bold, zoomed=False)


def highlight_colour(theme: Theme) -> str:
    """The colour of every highlight."""
    return theme.tiles["current"]


def rect(box: Box) -> QRectF:
    return QRectF(box.x, box.y, box.width, box.height)


def paint_group(painter: QPainter, theme: Theme, group: FlowGroup) -> None:
    """A frame with its name."""
    ink = theme.tensor(group.ink) if group.ink else theme.border_strong
    painter.setPen(QPen(QColor(mix(theme.sunken, ink, 0.45)), 1))
    painter.setBrush(QColor(mix(theme.sunken, ink, 0.06)))
    painter.drawRoundedRect(rect(group.box), 7, 7)
    painter.setFont(_font("small", bold=True))
    painter.setPen(QColor(mix(theme.text, ink, 0.25)))
    painter.drawText(rect(group.label_box), int(_CENTRED | Qt.TextFlag.TextWordWrap), group.label)


def paint_edge(
    painter: QPainter, theme: Theme, edge: FlowEdge, highlight: Highlight | None, emphasis: Emphasis
) -> None:
    """Paint an arrow: muted without a highlight, brighter with its amount, dark where the amount is 0."""
    colour, width = _edge_ink(theme, edge, highlight)
    if emphasis.picked or emphasis.hovered:
        colour = theme.accent if emphasis.picked else mix(colour, theme.text, 0.4)
        width = max(width, 2.0)
    path = _rounded_path(edge.points)
    if highlight is not None and highlight.amount > 0:
        painter.setPen(QPen(themes.colour(highlight_colour(theme), 0.10 + 0.16 * highlight.amount), width + 5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(path)
    painter.setPen(QPen(QColor(colour), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    _paint_head(painter, colour, edge.points)


def paint_edge_label(
    painter: QPainter, theme: Theme, edge: FlowEdge, highlight: Highlight | None, emphasis: Emphasis
) -> None:
    """Paint the value and the label of an arrow, on a patch of background so that no line crosses the text.

    Called after all arrows are painted.
    """
    value = highlight.text if highlight is not None else ""
    lines = [text for text in (value, edge.label) if text]
    if not lines:
        return
    painter.save()
    painter.setFont(_font("small", bold=bool(value)))
    box = _label_box(painter, edge, lines)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(themes.colour(theme.sunken, 1.0 if edge.label_side == "along" else 0.8))
    painter.drawRoundedRect(box.adjusted(0, 1, 0, -1), 3, 3)
    if emphasis.picked:
        ink = theme.accent
    elif highlight is None:
        ink = theme.muted
    else:
        ink = mix(theme.text, highlight_colour(theme), 0.6) if highlight.amount > 0 else theme.faint
    painter.setPen(QColor(ink))
    painter.drawText(box, _CENTRED, "\n".join(lines))
    painter.restore()


def _label_box(painter: QPainter, edge: FlowEdge, lines: list[str]) -> QRectF:
    """The rectangle of the label's lines. Rotates the painter for a label along its arrow."""
    metrics = painter.fontMetrics()
    width = max(metrics.horizontalAdvance(line) for line in lines) + 6
    height = metrics.height() * len(lines)
    (x, y), upright = edge.label_anchor
    if edge.label_side == "along":
        painter.translate(x, y)
        painter.rotate(-90 if upright else 0)
        return QRectF(-width / 2, -height / 2, width, height)
    if upright:
        return QRectF(x + 4, y - height / 2, width, height)
    return QRectF(x - width / 2, y + 2 if edge.label_side == "below" else y - height - 1, width, height)


def paint_note(painter: QPainter, theme: Theme, box: Box, headline: str, body: str) -> None:
    """Paint a note: a bold headline, and muted text below it."""
    wrap = QTextOption(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    wrap.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    room = rect(box)
    painter.setFont(_font("title", bold=True))
    painter.setPen(QColor(theme.text))
    used = painter.boundingRect(room, headline, wrap)
    painter.drawText(room, headline, wrap)
    painter.setFont(_font("body"))
    painter.setPen(QColor(theme.muted))
    painter.drawText(room.adjusted(0, used.height() + 6, 0, 0), body, wrap)


def paint_node(
    painter: QPainter, theme: Theme, node: FlowNode, highlight: Highlight | None, emphasis: Emphasis
) -> None:
    """Paint a box with its name, its value if it fits, and one cell per position."""
    base = theme.tensor(node.ink) if node.ink else theme.border_strong
    lit = highlight_colour(theme)
    fill, edge = mix(theme.surface, base, 0.14 if node.ink else 0.10), mix(theme.surface, base, 0.75)
    text = mix(theme.text, base, 0.65) if node.ink else theme.text
    if highlight is not None and highlight.amount > 0:
        fill, edge = mix(theme.surface, lit, 0.10 + 0.20 * highlight.amount), mix(base, lit, 0.85)
    elif highlight is not None:
        fill, edge = mix(theme.sunken, theme.surface, 0.6), mix(theme.sunken, base, 0.5)
        text = mix(theme.muted, base, 0.5) if node.ink else theme.muted
    box = rect(node.box)
    if emphasis.hovered:
        fill = mix(fill, theme.text, 0.08)
    painter.setPen(QPen(QColor(edge), 1.6 if highlight is not None and highlight.amount > 0 else 1.2))
    painter.setBrush(QColor(fill))
    painter.drawRoundedRect(box, _CORNER_PX, _CORNER_PX)
    cells = highlight.cells if highlight is not None else ()
    inside = box.adjusted(_INSET_PX + 1, 1, -_INSET_PX - 1, -_CELLS_PX - 3 if cells else -1)
    _paint_words(painter, theme, node.label, highlight, inside, text)
    if highlight is not None and cells:
        _paint_cells(painter, theme, highlight, box)
    _paint_rings(painter, theme, box, emphasis)


def _paint_words(
    painter: QPainter, theme: Theme, label: str, highlight: Highlight | None, box: QRectF, ink: str
) -> None:
    painter.setFont(_font("body"))
    metrics = painter.fontMetrics()
    room = box.width() - metrics.horizontalAdvance(label) - 10
    fitting = (highlight.text, highlight.short) if highlight is not None else ()
    value = next((text for text in fitting if text and metrics.horizontalAdvance(text) <= room), "")
    if value:
        painter.setPen(QColor(ink))
        painter.drawText(box, _LEFT, label)
        bright = highlight is not None and highlight.amount > 0
        painter.setPen(QColor(mix(theme.text, highlight_colour(theme), 0.6) if bright else theme.faint))
        painter.setFont(_font("small", bold=bright))
        painter.drawText(box, _RIGHT, value)
        return
    painter.setPen(QColor(ink))
    shown = metrics.elidedText(label, Qt.TextElideMode.ElideRight, int(box.width()) + 2)
    painter.drawText(box, _CENTRED, shown)


def _paint_cells(painter: QPainter, theme: Theme, highlight: Highlight, box: QRectF) -> None:
    """Paint one cell per position: dark for exactly zero, brighter for more, outlined for a possible change."""
    inside = QRectF(box.left() + _INSET_PX, box.bottom() - _CELLS_PX - 3, box.width() - 2 * _INSET_PX, _CELLS_PX)
    count = len(highlight.cells)
    pitch = inside.width() / count
    gap = 1.0 if pitch >= 4 else 0.0
    lit, dark = highlight_colour(theme), mix(theme.sunken, theme.border, 0.9)
    for index, amount in enumerate(highlight.cells):
        cell = QRectF(inside.left() + index * pitch, inside.top(), pitch - gap, inside.height())
        if amount > 0 and not highlight.sure:
            painter.setPen(QPen(QColor(lit), 0.9))
            painter.setBrush(themes.colour(lit, 0.15))
            painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5))
            continue
        painter.fillRect(cell, QColor(mix(dark, lit, 0.25 + 0.75 * amount) if amount > 0 else dark))


def _paint_rings(painter: QPainter, theme: Theme, box: QRectF, emphasis: Emphasis) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if emphasis.picked:
        painter.setPen(QPen(QColor(theme.accent), 2.2))
        painter.drawRoundedRect(box.adjusted(-2, -2, 2, 2), _CORNER_PX + 2, _CORNER_PX + 2)
    elif emphasis.focused:
        painter.setPen(QPen(QColor(theme.accent), 1.2, Qt.PenStyle.DotLine))
        painter.drawRoundedRect(box.adjusted(-3, -3, 3, 3), _CORNER_PX + 3, _CORNER_PX + 3)


def _edge_ink(theme: Theme, edge: FlowEdge, highlight: Highlight | None) -> tuple[str, float]:
    base = mix(theme.sunken, theme.tensor(edge.ink), 0.8) if edge.ink else theme.border_strong
    if highlight is None:
        return base, 1.4
    if highlight.amount <= 0:
        return mix(theme.sunken, base, 0.7), 1.0
    return mix(base, highlight_colour(theme), 0.75 + 0.25 * highlight.amount), 1.4 + 1.6 * highlight.amount


def _rounded_path(points: tuple[tuple[float, float], ...]) -> QPainterPath:
    """The path with rounded corners, ending where the arrowhead begins."""
    *before, last = (QPointF(x, y) for x, y in points)
    last = _towards(last, before[-1], _HEAD_PX - 1)
    path = QPainterPath(before[0])
    corners = [*before, last]
    for (_, corner), (_, after) in zip(pairwise(corners), list(pairwise(corners))[1:], strict=False):
        radius = min(_TURN_PX, _length(path.currentPosition(), corner) / 2, _length(corner, after) / 2)
        path.lineTo(_towards(corner, path.currentPosition(), radius))
        path.quadTo(corner, _towards(corner, after, radius))
    path.lineTo(last)
    return path


def _paint_head(painter: QPainter, colour: str, points: tuple[tuple[float, float], ...]) -> None:
    tip, before = QPointF(*points[-1]), QPointF(*points[-2])
    angle = math.atan2(tip.y() - before.y(), tip.x() - before.x())
    wings = [
        tip - _HEAD_PX * QPointF(math.cos(angle + turn), math.sin(angle + turn)) for turn in (-math.pi / 7, math.pi / 7)
    ]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawPolygon(QPolygonF([tip, *wings]))


def _length(a: QPointF, b: QPointF) -> float:
    return math.hypot(b.x() - a.x(), b.y() - a.y())


def _towards(start: QPointF, end: QPointF, distance: float) -> QPointF:
    length = _length(start, end)
    return start if length == 0 else start + (end - start) * min(1.0, distance / length)
