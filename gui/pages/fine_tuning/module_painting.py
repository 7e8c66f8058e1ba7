"""Paints the places of a transformer: bright if a method trains them, dark if not."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from core.format import format_quantity
from core.topics.fine_tuning.trained_modules import Place
from gui import theme as themes
from gui.charts.palette import colour_table
from gui.charts.ticks import short_quantity
from gui.pages.fine_tuning.transformer_grid import GridLayout, TrainedModules, TransformerGrid, part_name, strength
from gui.theme import Theme, mix
from gui.zoom import Px

_CENTRED, _RIGHT = Qt.AlignmentFlag.AlignCenter, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_ADAPTER_SHARE, _MIN_ADAPTER_PX = 0.42, Px(3.0)
_DARKEST = 0.16
"""The first used share of the colour map, so that the smallest gradient still differs from frozen places."""


@dataclass(frozen=True)
class Marks:
    """The places marked by selection, pointer and keyboard, by index."""

    selected: int | None = None
    hovered: int | None = None
    focused: int | None = None


def colour_of(theme: Theme, norm: float, limits: tuple[float, float]) -> str:
    """The colour of a gradient norm. NaN, for a trained place without a measurement, gives a plain colour."""
    if math.isnan(norm):
        return mix(theme.surface, theme.accent, 0.55)
    share = strength(norm, limits)
    shade = round(255 * (_DARKEST + (1 - _DARKEST) * share))
    red, green, blue = (int(value) for value in colour_table(theme, "inferno")[shade])
    return f"#{red:02x}{green:02x}{blue:02x}"


def frozen_colour(theme: Theme) -> str:
    return mix(theme.sunken, theme.border, 0.75)


def paint_modules(
    painter: QPainter,
    theme: Theme,
    grid: TransformerGrid,
    placed: GridLayout,
    method: TrainedModules,
    limits: tuple[float, float],
) -> None:  # fmt: skip
    """Paint all cells without text, as in the small pictures."""
    painter.setPen(Qt.PenStyle.NoPen)
    dark = QColor(frozen_colour(theme))
    for index, (place, box) in enumerate(zip(grid.places, placed.cells, strict=True)):
        state = method.state(index, place)
        corner = min(3.0, box.height() / 4)
        if state in ("absent", "empty"):
            continue
        painter.setBrush(dark)
        if state != "whole":
            painter.drawRoundedRect(box, corner, corner)
        if state in ("whole", "part"):
            painter.setBrush(QColor(colour_of(theme, method.norm(index), limits)))
            painter.drawRoundedRect(lit_box(box, state), corner, corner)


def lit_box(box: QRectF, state: str) -> QRectF:
    """The bright part of a cell: the whole cell, or the adapter next to a frozen matrix."""
    if state == "whole":
        return box
    wide = max(_MIN_ADAPTER_PX, _ADAPTER_SHARE * box.width())
    return QRectF(box.right() - wide, box.top(), wide, box.height())


def paint_absent(
    painter: QPainter, theme: Theme, grid: TransformerGrid, placed: GridLayout, method: TrainedModules
) -> None:
    """Paint a dotted outline for vectors of other methods, and a solid one for places without own parameters."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    styles = {"absent": Qt.PenStyle.DotLine, "empty": Qt.PenStyle.SolidLine}
    for index, (place, box) in enumerate(zip(grid.places, placed.cells, strict=True)):
        style = styles.get(method.state(index, place))
        if style is not None:
            painter.setPen(QPen(QColor(mix(theme.sunken, theme.border_strong, 0.7)), 1, style))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)


def paint_words(
    painter: QPainter,
    theme: Theme,
    grid: TransformerGrid,
    placed: GridLayout,
    method: TrainedModules,
    limits: tuple[float, float],
) -> None:  # fmt: skip
    """Write the names of rows, layers and parts, and the number of each bright cell if it fits."""
    painter.setFont(themes.ui_font("small"))
    painter.setPen(QColor(theme.muted))
    edge = min((box.left() for box in placed.cells), default=0.0)
    for name, box in placed.layers:
        painter.drawText(box, _CENTRED, _elided(painter, name, box.width()))
    for name, y in placed.rows:
        painter.drawText(QRectF(edge - placed.names_px, y - 8, placed.names_px - 6, 16), _RIGHT, name)
    for name, top, bottom in placed.groups:
        _paint_group(painter, theme, name, QRectF(edge - placed.names_px, top, 16, bottom - top))
    for index, (place, box) in enumerate(zip(grid.places, placed.cells, strict=True)):
        state = method.state(index, place)
        painter.setFont(themes.ui_font("small"))
        _paint_cell_words(painter, theme, place, box, state, cell_text(method, index), method.norm(index), limits)


def cell_text(method: TrainedModules, index: int) -> str:
    """The gradient norm if measured, else the number of trained parameters."""
    norm = method.norm(index)
    if method.trainable[index] == 0:
        return ""
    return short_quantity(float(method.trainable[index])) if math.isnan(norm) else format_quantity(norm, "", 2)


def _paint_cell_words(
    painter: QPainter, theme: Theme, place: Place, box: QRectF, state: str, text: str, norm: float,
    limits: tuple[float, float],
) -> None:  # fmt: skip
    metrics = painter.fontMetrics()
    if place.layer < 0 and place.kind != "prefix_encoder" and state != "absent":
        _paint_outside(painter, theme, place, box, state, text, norm, limits)
        return
    lit = lit_box(box, state)
    if not text or lit.height() < metrics.height() - 3 or metrics.horizontalAdvance(text) + 4 > lit.width():
        return
    painter.setPen(QColor(_on(theme, colour_of(theme, norm, limits))))
    painter.drawText(lit, _CENTRED, text)


def _paint_outside(
    painter: QPainter, theme: Theme, place: Place, box: QRectF, state: str, text: str, norm: float,
    limits: tuple[float, float],
) -> None:  # fmt: skip
    """Embedding, norm and head show their names and numbers, rotated if the cell is narrow."""
    lit = state in ("whole", "part")
    painter.setPen(QColor(_on(theme, colour_of(theme, norm, limits)) if lit else theme.muted))
    wide, name = painter.fontMetrics().horizontalAdvance, part_name(place.kind)
    names = (name, name.split()[-1])
    lines = [line for line in (next((word for word in names if wide(word) + 4 <= box.width()), ""), text) if line]
    lines = [line for line in lines if wide(line) + 4 <= box.width()]
    upright = [word for word in names if max(wide(word), wide(text)) + 6 <= box.height()][:1]
    fits = max(wide(name), wide(text)) + 6 <= box.width()
    if fits or not upright or (upright[0] != name and lines):
        fitting = lines if box.height() >= len(lines) * painter.fontMetrics().height() else lines[-1:]
        painter.drawText(box, _CENTRED, "\n".join(fitting))
        return
    painter.save()
    painter.translate(box.center())
    painter.rotate(-90)
    turned = QRectF(-box.height() / 2, -box.width() / 2, box.height(), box.width())
    painter.drawText(turned, _CENTRED, "\n".join(line for line in (*upright, text) if line))
    painter.restore()


def paint_flow(painter: QPainter, theme: Theme, grid: TransformerGrid, placed: GridLayout) -> None:
    """Paint short arrows between columns: the residual stream."""
    inner = [box for place, box in zip(grid.places, placed.cells, strict=True) if place.kind in grid.inside[:1]]
    ends = [
        box for place, box in zip(grid.places, placed.cells, strict=True) if place.kind in ("embedding", "final_norm")
    ]
    columns = sorted((*inner, *ends), key=lambda box: box.left())
    ink = QColor(theme.muted)
    for before, after in itertools.pairwise(columns):
        y, tip = inner[0].center().y(), after.left() - 1
        if tip - before.right() < 5:
            continue
        painter.setPen(QPen(ink, 1.3))
        painter.drawLine(QPointF(before.right() + 1, y), QPointF(tip, y))
        painter.drawLine(QPointF(tip - 3, y - 3), QPointF(tip, y))
        painter.drawLine(QPointF(tip - 3, y + 3), QPointF(tip, y))


def paint_marks(painter: QPainter, theme: Theme, placed: GridLayout, marks: Marks) -> None:
    """Paint rings around the selected, the focused and the hovered place."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for index, pen in (
        (marks.hovered, QPen(QColor(theme.text), 1)),
        (marks.focused, QPen(QColor(theme.accent), 1.2, Qt.PenStyle.DotLine)),
        (marks.selected, QPen(QColor(theme.accent), 2.2)),
    ):
        if index is not None and index < len(placed.cells):
            painter.setPen(pen)
            painter.drawRoundedRect(placed.cells[index].adjusted(-1.5, -1.5, 1.5, 1.5), 4, 4)


def _paint_group(painter: QPainter, theme: Theme, name: str, box: QRectF) -> None:
    """Paint a bracket with a rotated name."""
    painter.save()
    painter.setPen(QPen(QColor(theme.border_strong), 1))
    painter.drawLine(QPointF(box.right(), box.top()), QPointF(box.right(), box.bottom()))
    painter.setPen(QColor(theme.faint))
    painter.translate(box.center())
    painter.rotate(-90)
    painter.drawText(QRectF(-box.height() / 2, -8, box.height(), 16), _CENTRED, _elided(painter, name, box.height()))
    painter.restore()


def _elided(painter: QPainter, name: str, room: float) -> str:
    return painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(room))


def _on(theme: Theme, ground: str) -> str:
    """A readable text colour on a background colour."""
    colour = QColor(ground)
    light = 0.299 * colour.red() + 0.587 * colour.green() + 0.114 * colour.blue() > 128
    return "#101318" if light else "#ffffff"
