"""The words of a row chart: heads, names, and values beside bars. If a wording does not fit, a shorter one is used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from core.outside import shown_label
from gui import theme as themes
from gui.charts.row_chart_spec import Cell, Row, RowSpec
from gui.charts.row_layout import EDGE_PX, GAP_PX, HEADLINE_PX, NAME_PX, TEXT_GAP_PX, TICKS_PX, Axis, Strip, text_px
from gui.charts.row_panel import is_lit
from gui.theme import Theme

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter


@dataclass(frozen=True)
class Word:
    """A text in a box. If it does not fit, it is left out if `whole`, else it ends with an ellipsis.

    A `patch` of the surface behind it keeps lines from running through a number.
    """

    box: QRectF
    text: str
    ink: str
    bold: bool = False
    size: str = "small"
    align: Qt.AlignmentFlag = LEFT
    whole: bool = False
    patch: bool = False


def paint_words(painter: QPainter, words: Sequence[Word], theme: Theme) -> None:
    """Paint the words."""
    fonts = {kind: themes.ui_font(kind[0], bold=kind[1]) for kind in {(word.size, word.bold) for word in words}}
    for word in words:
        font = fonts[word.size, word.bold]
        text = shown_label(word.text)
        wide, metrics = text_px(text, bold=word.bold, size=word.size), QFontMetricsF(font)
        if word.whole and wide > word.box.width() + 1:
            continue
        painter.setFont(font)
        if word.patch:
            middle = word.box.center().y()
            behind = QRectF(word.box.left() - 2, middle - metrics.height() / 2, wide + 4, metrics.height())
            painter.fillRect(behind, QColor(theme.surface))
        painter.setPen(QColor(word.ink))
        painter.drawText(word.box, word.align, _cut(metrics, text, word.box.width()))


def words_of(spec: RowSpec, strips: Sequence[Strip], theme: Theme, chosen: str | None) -> list[Word]:
    """Every word of a chart with this layout."""
    words = [*_headline(spec, strips, theme)]
    for strip in strips:
        words += [*_heads(strip, theme), *_names(strip, theme, chosen)]
        for index, axis in enumerate(strip.axes):
            words += _labels(strip, index, theme, chosen)
            for row, box in zip(strip.band.rows, strip.boxes, strict=True):
                if row.cells:
                    words += _values(row.cells[index], axis, box, theme, bold=_is_chosen(row, chosen))
    return [*words, *_axis_names(strips, theme)]


def _headline(spec: RowSpec, strips: Sequence[Strip], theme: Theme) -> Iterator[Word]:
    if spec.headline is None:
        return
    text, width = spec.headline.text, strips[0].head.width()
    yield Word(QRectF(2, 2, width, HEADLINE_PX - 6), text, spec.headline.ink.colour(theme), bold=True, size="heading")
    left = 2 + text_px(text, size="heading") + GAP_PX
    rest = QRectF(left, 4, width - left, HEADLINE_PX - 6)
    size = "body" if text_px(spec.headline.rest, bold=False, size="body") <= rest.width() else "small"
    yield Word(rest, spec.headline.rest, theme.muted, size=size, whole=True)


def _heads(strip: Strip, theme: Theme) -> Iterator[Word]:
    """The band's title with its numbers, the titles of its columns, and the names of their lines."""
    band, head = strip.band, strip.head
    if band.title:
        yield Word(head, band.title, theme.text, bold=True)
    rest = head.adjusted(text_px(band.title) + 8 if band.title else 0, 0, 0, 0)
    if band.heads:
        yield Word(rest, _fitting(band.heads, rest.width(), bold=False), theme.muted)
    for axis in strip.axes:
        room = axis.right - axis.area.left()
        is_covered = bool(band.title) and axis.area.left() < rest.left()
        if axis.column.titles and not is_covered:
            title = _fitting(axis.column.titles, room, bold=False)
            yield Word(QRectF(axis.area.left(), head.top(), room, head.height()), title, theme.muted)
        lines = axis.lines()
        if lines:
            yield Word(QRectF(EDGE_PX, head.top(), axis.area.left(), head.height()), axis.column.lines_name, theme.warn)
        for line, x in lines:
            yield Word(QRectF(x - 40, head.top(), 80, head.height()), line.name, theme.warn, align=CENTRE)


def _names(strip: Strip, theme: Theme, chosen: str | None) -> Iterator[Word]:
    """At the left: groups, rows, and across the columns the notes of rows without values."""
    left, right = strip.names_left, strip.axes[0].area.left() - TEXT_GAP_PX
    for group, box in strip.groups:
        yield Word(box, group, theme.text, bold=True, size="body")
    for row, box in zip(strip.band.rows, strip.boxes, strict=True):
        name = QRectF(left, box.top(), right - left, box.height())
        bold = _is_chosen(row, chosen)
        text_colour = theme.accent if bold else theme.muted if row.group else row.ink.colour(theme)
        yield Word(name, row.name, text_colour, bold=bold, align=RIGHT if row.group else LEFT)
        if row.suffix:
            after = name.adjusted(text_px(f"{row.name}  ", bold=bold), 0, 0, 0)
            yield Word(after, row.suffix, theme.muted, whole=True)
        if row.note:
            across = QRectF(
                strip.axes[0].area.left(), box.top(), strip.axes[-1].right - strip.axes[0].area.left(), box.height()
            )
            yield Word(across, row.note, row.ink.colour(theme))


def _labels(strip: Strip, index: int, theme: Theme, chosen: str | None) -> Iterator[Word]:
    """In the segments of bars, where they fit."""
    for part in strip.parts(index):
        fitting = [text for text in part.segment.labels if text_px(text) + 6 <= part.box.width()]
        if fitting and part.box.height() >= 11:
            text_colour = theme.on_accent if is_lit(part.segment, chosen) else theme.muted
            yield Word(part.box, fitting[0], text_colour, bold=True, align=CENTRE)


def _values(cell: Cell, axis: Axis, box: QRectF, theme: Theme, *, bold: bool) -> Iterator[Word]:
    """Behind the values of a cell, or in the column of texts."""
    if not cell.texts:
        return
    ends = list(cell.ends)
    left = axis.area.left()
    if axis.column.texts_apart:
        left = axis.area.right() + TEXT_GAP_PX + 2
    elif ends and axis.limits:
        left = max(axis.x(end) for end in ends) + TEXT_GAP_PX + (2 if math.isfinite(cell.mark) else 0)
    room = QRectF(left, box.top(), axis.right - left + 2, box.height())
    bold = bold or cell.bold
    text = _fitting(cell.texts, room.width(), bold=bold)
    has_lines = bool(axis.column.lines)
    yield Word(room, text, cell.text_ink.colour(theme), bold=bold, patch=has_lines)
    if cell.extra:
        after = room.adjusted(text_px(text, bold=bold) + 2 * GAP_PX, 0, 0, 0)
        yield Word(after, cell.extra, theme.good, bold=True, whole=True)


def _axis_names(strips: Sequence[Strip], theme: Theme) -> Iterator[Word]:
    """Under the last band."""
    for axis in strips[-1].axes:
        box = QRectF(axis.area.left(), axis.area.bottom() + TICKS_PX - 2, axis.area.width(), NAME_PX)
        yield Word(box, axis.column.name, theme.muted, align=CENTRE)


def _is_chosen(row: Row, chosen: str | None) -> bool:
    return chosen is not None and row.key == chosen


def _fitting(wordings: Sequence[str], room: float, *, bold: bool) -> str:
    """The longest wording that fits, else the shortest."""
    return next((text for text in wordings if text_px(text, bold=bold) <= room), wordings[-1])


def _cut(metrics: QFontMetricsF, text: str, room: float) -> str:
    if metrics.horizontalAdvance(text) <= room + 1:
        return text
    return metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
