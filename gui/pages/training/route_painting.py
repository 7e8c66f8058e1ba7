"""Paints the map of routes: lines from stage to stage, and a box per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPainterPath, QPen

from core.topics.training.stage_ids import ROUTES
from gui import theme as themes
from gui.pages.training.route_layout import OWN_LOG, RouteLayout, tracks
from gui.pages.training.stage_nodes import StageNode
from gui.theme import Theme, mix
from gui.zoom import Px

ROUTE_INKS: Mapping[str, int] = {"chatglm": 3, "chatgpt": 0, "dpo": 1, "grpo": 2}
"""Series colours of the routes: those of PPO, DPO and GRPO are the same in all pictures of the page."""

_LANE_PX, _LINE_PX, _DOT_PX = Px(4.0), Px(2.6), Px(8.0)
_INSET_PX = Px(5)
_SIGN_PX = Px(13.0)
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def paint_routes(painter: QPainter, theme: Theme, layout: RouteLayout, nodes: Mapping[str, StageNode]) -> None:
    """A line per route, side by side where they go together. It is bright up to the last stage that was run."""
    for (start, end), routes in tracks().items():
        a, b = layout.boxes[start], layout.boxes[end]
        for index, route in enumerate(routes):
            lane = (index - (len(routes) - 1) / 2) * _LANE_PX
            left = QPointF(a.right(), a.center().y() + lane)
            right = QPointF(b.left(), b.center().y() + lane)
            middle = (left.x() + right.x()) / 2
            path = QPainterPath(left)
            path.cubicTo(QPointF(middle, left.y()), QPointF(middle, right.y()), right)
            ink, lit = theme.series[ROUTE_INKS[route]], nodes[end].is_lit
            pen = QPen(QColor(ink if lit else mix(theme.surface, ink, 0.45)), _LINE_PX)
            if nodes[end].state == "left out":
                pen.setStyle(Qt.PenStyle.DotLine)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(path)
    _label_ends(painter, theme, layout, nodes)


def _label_ends(painter: QPainter, theme: Theme, layout: RouteLayout, nodes: Mapping[str, StageNode]) -> None:
    """The name of a route below its last stage, if it is not the name of that stage."""
    painter.setFont(themes.ui_font("small", bold=True))
    for route in ROUTES:
        end = route.stages[-1]
        if str(route.label) != nodes[end].title:
            painter.setPen(QColor(theme.series[ROUTE_INKS[route.id]]))
            box = layout.label(end)
            words = painter.fontMetrics().elidedText(str(route.label), Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, words)


def paint_node(painter: QPainter, theme: Theme, box: QRectF, node: StageNode, *, chosen: bool, focused: bool) -> None:
    """A box with its name, two facts, its models in memory, and how far it is."""
    lit = node.is_lit
    fill = theme.raised if lit else theme.sunken
    edge = theme.accent if chosen else theme.bad if node.state == "stopped" else theme.border_strong
    pen = QPen(QColor(edge), 2 if chosen else 1)
    if not lit and not chosen:
        pen.setStyle(Qt.PenStyle.DashLine)
    painter.setPen(pen)
    painter.setBrush(QColor(mix(fill, theme.accent, 0.10) if chosen else fill))
    painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 5, 5)
    if focused and chosen:
        painter.setPen(QPen(QColor(theme.accent), 1, Qt.PenStyle.DotLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box.adjusted(3.5, 3.5, -3.5, -3.5), 4, 4)
    right = _SIGN_PX + _INSET_PX if node.troubled else 2
    _paint_words(painter, theme, box.adjusted(_INSET_PX, 3, -right, -_bottom_px(node)), node)
    if node.troubled:
        _paint_sign(painter, theme, QRectF(box.right() - _SIGN_PX - _INSET_PX, box.top() + 5, _SIGN_PX, _SIGN_PX))
    _paint_models(painter, theme, box, node)
    if node.share > 0 and node.key != OWN_LOG:
        _paint_share(painter, theme, box, node)


def _paint_sign(painter: QPainter, theme: Theme, square: QRectF) -> None:
    """An exclamation mark in a disc: not a colour alone."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(theme.warn))
    painter.drawEllipse(square)
    painter.setFont(themes.ui_font("small", bold=True))
    painter.setPen(QColor(theme.surface))
    painter.drawText(square, Qt.AlignmentFlag.AlignCenter, "!")


def _bottom_px(node: StageNode) -> float:
    return _DOT_PX + 9 if node.models else 4


def _paint_words(painter: QPainter, theme: Theme, room: QRectF, node: StageNode) -> None:
    lines: list[tuple[Sequence[str], bool]] = [((node.title, node.short or node.title), True)]
    lines += [(wordings, False) for wordings in node.facts if wordings]
    height = min(17.0, room.height() / max(1, len(lines)))
    top = room.top() + (room.height() - height * len(lines)) / 2
    ink = theme.bad if node.state == "stopped" else theme.text if node.state != "left out" else theme.faint
    for index, (wordings, title) in enumerate(lines):
        painter.setFont(themes.ui_font("body" if title else "small", bold=title))
        painter.setPen(QColor(ink if title else theme.muted))
        line = QRectF(room.left(), top + index * height, room.width(), height)
        painter.drawText(line, _LEFT, fitted(painter.fontMetrics(), wordings, line.width()))


def fitted(metrics: QFontMetrics, wordings: Sequence[str], width: float) -> str:
    """The longest wording that fits, else the last one with an ellipsis."""
    fitting = (text for text in wordings if metrics.horizontalAdvance(text) <= width)
    return next(fitting, metrics.elidedText(wordings[-1], Qt.TextElideMode.ElideRight, int(width)))


def _paint_models(painter: QPainter, theme: Theme, box: QRectF, node: StageNode) -> None:
    """A square per model in memory: filled if it trains, an outline if it is frozen."""
    for index, model in enumerate(node.models):
        square = QRectF(box.left() + _INSET_PX + index * (_DOT_PX + 4), box.bottom() - _DOT_PX - 8, _DOT_PX, _DOT_PX)
        painter.setPen(QPen(QColor(theme.text if node.state != "left out" else theme.faint), 1.2))
        painter.setBrush(QColor(theme.text) if model.trained else Qt.BrushStyle.NoBrush)
        painter.drawRect(square)


def _paint_share(painter: QPainter, theme: Theme, box: QRectF, node: StageNode) -> None:
    whole = QRectF(box.left() + 5, box.bottom() - 5, box.width() - 10, 2)
    inks = {"stopped": theme.bad, "running": theme.busy, "recorded": theme.idle}
    ink = inks.get(node.state, theme.warn if node.troubled else theme.good)
    painter.fillRect(whole, QColor(theme.border))
    done = QRectF(whole.topLeft(), whole.size())
    done.setWidth(whole.width() * min(1.0, node.share))
    painter.fillRect(done, QColor(ink))
