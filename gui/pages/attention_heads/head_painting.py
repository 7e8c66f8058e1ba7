"""Paints the picture of the heads: boxes, wires and matrices in the colours of their groups."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from core.contracts.text import tr, tr_plural
from gui import theme as themes
from gui.charts.ticks import short_quantity
from gui.pages.attention_heads.head_layout import LABELS_PX, TITLE_PX, HeadLayout
from gui.pages.attention_heads.head_picture import HeadPicture, Matrix
from gui.theme import Theme, mix
from gui.zoom import Px

_GROUP_SERIES = (0, 1, 2, 3, 4, 7)
"""Of the theme's series, those that differ most beside each other."""
_DIMMED, _SLICE_GAP_PX = 0.22, Px(4.0)
_INDEX_FONT_PX, _INDEX_DROP_PX, _INDEX_GAP_PX = Px(9), Px(3.0), Px(7.0)
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_CENTRE = Qt.AlignmentFlag.AlignCenter


def query_name(picture: HeadPicture) -> str:
    return str(tr_plural("{count} query head", "{count} query heads", count=picture.heads))


def cache_name(picture: HeadPicture) -> str:
    if picture.latent is not None:
        return str(tr("1 latent vector"))
    return str(tr_plural("{count} KV head", "{count} KV heads", count=picture.groups))


def gutter_px(picture: HeadPicture) -> float:
    """The width of the names beside the heads."""
    metrics = QFontMetricsF(themes.ui_font("small"))
    return max(metrics.horizontalAdvance(text) for text in (query_name(picture), cache_name(picture)))


def label_px(matrix: Matrix, *, short: bool = False) -> float:
    """The width of a matrix's label."""
    shape_px = QFontMetricsF(themes.ui_font("small")).horizontalAdvance(_shape(matrix, short))
    return max(shape_px, sum(_name_px(matrix, short))) + 2


def _shape(matrix: Matrix, short: bool) -> str:
    return f"{matrix.inputs}×{matrix.outputs}" if short else matrix.shape


def _name_px(matrix: Matrix, short: bool) -> tuple[float, float, float]:
    """The widths of the W, of its index with a gap, and of the number of parameters."""
    bold, small = QFontMetricsF(themes.ui_font("small", bold=True)), QFontMetricsF(themes.ui_font("small"))
    index = QFontMetricsF(_index_font()).horizontalAdvance(matrix.symbol)
    return (
        bold.horizontalAdvance("W") + 0.5,
        index + _INDEX_GAP_PX,
        0.0 if short else small.horizontalAdvance(short_quantity(matrix.parameters)) + 0.5,
    )


def _index_font() -> QFont:
    font = themes.ui_font("small", bold=True)
    font.setPixelSize(_INDEX_FONT_PX)
    return font


@cache
def _mixed(ground: str, ink: str, share: float) -> QColor:
    """Cached: a picture needs it for each part of each matrix, and there are few."""
    return QColor(mix(ground, ink, share))


class HeadPainter:
    """Paints one layout. `lit` is the group that is emphasized, `head` the selected query head, None for neither."""

    def __init__(self, painter: QPainter, theme: Theme, layout: HeadLayout, lit: int | None, head: int | None) -> None:
        self._painter, self._theme, self._layout = painter, theme, layout
        self._lit, self._head = lit, head
        self._picture = layout.picture

    def paint(self) -> None:
        self._paint_title()
        self._paint_names()
        self._paint_wires()
        self._paint_heads()
        self._paint_cache()
        for index in range(len(self._picture.matrices)):
            self._paint_matrix(index)

    def _ink(self, group: int, strength: float = 1.0) -> QColor:
        """The colour of a group; pale if another one is emphasized."""
        theme = self._theme
        series = _GROUP_SERIES[group % len(_GROUP_SERIES)]
        share = strength if self._lit is None or self._lit == group else strength * _DIMMED
        return _mixed(theme.sunken, theme.series[series], share)

    def _write(self, box: QRectF, text: str, ink: str, align: Qt.AlignmentFlag = _LEFT, *, bold: bool = False) -> None:
        font = themes.ui_font("small", bold=bold)
        self._painter.setFont(font)
        self._painter.setPen(QColor(ink))
        shown = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, box.width() + 1)
        self._painter.drawText(box, align, shown)

    def _paint_title(self) -> None:
        area, theme, painter = self._layout.area, self._theme, self._painter
        font = themes.ui_font("title", bold=True)
        wide = QFontMetricsF(font).horizontalAdvance(self._picture.title)
        painter.setFont(font)
        painter.setPen(QColor(theme.text))
        painter.drawText(QRectF(area.left() + 8, area.top() + 1, wide + 2, TITLE_PX - 6), _LEFT, self._picture.title)
        left = area.left() + 8 + wide + 10
        rest = QRectF(left, area.top() + 1, area.right() - 8 - left, TITLE_PX - 6)
        self._write(rest, str(self._picture.relation), theme.muted)

    def _paint_names(self) -> None:
        layout, theme = self._layout, self._theme
        left = layout.area.left() + 8
        kv = layout.kv_rows[0].united(layout.kv_rows[-1])
        for row, name in ((layout.query_row, query_name(self._picture)), (kv, cache_name(self._picture))):
            box = QRectF(left, row.top(), layout.gutter + 2, row.height())
            self._write(box, name, theme.text if row is layout.query_row or row is kv else theme.muted)
        self._write(layout.formula, str(self._picture.cache_formula), theme.muted, _CENTRE)

    def _paint_wires(self) -> None:
        layout, painter = self._layout, self._painter
        thin = layout.pitch < 5
        painter.setBrush(Qt.BrushStyle.NoBrush)
        order = sorted(
            range(self._picture.heads), key=lambda head: (self._picture.group_of(head) == self._lit, head == self._head)
        )
        for head in order:
            start, end = layout.wire(head)
            bend = 0.5 * (end.y() - start.y())
            path = QPainterPath(start)
            path.cubicTo(QPointF(start.x(), start.y() + bend), QPointF(end.x(), end.y() - bend), end)
            emphasized = self._picture.group_of(head) == self._lit
            wide = (2.4 if head == self._head else 1.6 if emphasized else 1.1) * (0.75 if thin else 1.0)
            painter.setPen(QPen(self._ink(self._picture.group_of(head), 0.8), wide))
            painter.drawPath(path)

    def _paint_heads(self) -> None:
        layout, painter, theme = self._layout, self._painter, self._theme
        for head in range(self._picture.heads):
            box = layout.head(head)
            self._fill(box, self._ink(self._picture.group_of(head)), radius=2.0 if box.width() > 5 else 0.0)
            if box.width() > 17 and box.height() > 12:
                self._write(
                    box, str(head + 1), theme.on_accent if self._is_lit(head) else theme.faint, _CENTRE, bold=True
                )
        if self._head is not None:
            painter.setPen(QPen(QColor(theme.tiles["current"]), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(layout.head(self._head).adjusted(-1.5, -1.5, 1.5, 1.5))

    def _is_lit(self, head: int) -> bool:
        return self._lit is None or self._lit == self._picture.group_of(head)

    def _paint_cache(self) -> None:
        layout, theme = self._layout, self._theme
        names = ("", "") if self._picture.latent is None else (str(tr("latent")), str(tr("rotary")))
        letters = ("K", "V") if self._picture.latent is None else names
        for group in range(self._picture.groups):
            for index, box in enumerate(layout.kv_boxes(group)):
                ink = self._ink(group, 1.0 if index == 0 else 0.7)
                self._fill(box, ink, radius=2.0 if box.width() > 5 else 0.0)
                font = QFontMetricsF(themes.ui_font("small", bold=True))
                if font.horizontalAdvance(letters[index]) + 4 <= box.width() and box.height() > 10:
                    lit = self._lit is None or self._lit == group
                    self._write(box, letters[index], theme.on_accent if lit else theme.faint, _CENTRE, bold=True)
            if group == self._lit and self._head is not None:
                self._painter.setPen(QPen(QColor(theme.tiles["current"]), 1.6))
                self._painter.setBrush(Qt.BrushStyle.NoBrush)
                self._painter.drawRect(layout.kv_box(group).adjusted(-1.5, -1.5, 1.5, 1.5))

    def _paint_matrix(self, index: int) -> None:
        layout, theme, painter = self._layout, self._theme, self._painter
        matrix, box = self._picture.matrices[index], layout.matrix(index)
        step = box.height() / matrix.parts if matrix.by_rows else box.width() / matrix.parts
        gap = 0.8 if step >= _SLICE_GAP_PX else 0.0
        for part in range(matrix.parts):
            piece = layout.part(index, part)
            piece = piece.adjusted(0, 0, 0, -gap) if matrix.by_rows else piece.adjusted(0, 0, -gap, 0)
            shared = matrix.parts == 1 and self._picture.groups > 1
            fill = (
                QColor(mix(theme.sunken, theme.muted, 0.6))
                if shared
                else self._ink(layout.group_of_part(matrix, part), 0.8)
            )
            self._fill(piece, fill)
        painter.setPen(QPen(QColor(theme.border_strong), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(box)
        if self._head is not None and matrix.parts > 1:
            painter.setPen(QPen(QColor(theme.tiles["current"]), 1.6))
            painter.drawRect(layout.part(index, layout.part_of_head(index, self._head)))
        label = layout.label(index)
        half = LABELS_PX / 2 - 1
        self._write_name(QRectF(label.left(), label.top() + 2, label.width(), half), matrix)
        shape = QRectF(label.left(), label.top() + 1 + half, label.width(), half)
        self._write(shape, _shape(matrix, layout.short_labels), theme.muted, _CENTRE)

    def _write_name(self, box: QRectF, matrix: Matrix) -> None:
        """W with its index, and the number of parameters where there is room."""
        short = self._layout.short_labels
        widths = _name_px(matrix, short)
        left = box.center().x() - sum(widths) / 2
        fonts = (themes.ui_font("small", bold=True), _index_font(), themes.ui_font("small"))
        texts = ("W", matrix.symbol, "" if short else short_quantity(matrix.parameters))
        inks = (self._theme.text, self._theme.text, self._theme.muted)
        drops = (0.0, _INDEX_DROP_PX, 0.0)
        for font, text, ink, drop, wide in zip(fonts, texts, inks, drops, widths, strict=True):
            self._painter.setFont(font)
            self._painter.setPen(QColor(ink))
            self._painter.drawText(QRectF(left, box.top() + drop, wide, box.height()), _LEFT, text)
            left += wide

    def _fill(self, box: QRectF, ink: QColor, radius: float = 0.0) -> None:
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(ink)
        if radius:
            self._painter.drawRoundedRect(box, radius, radius)
        else:
            self._painter.fillRect(box, ink)
