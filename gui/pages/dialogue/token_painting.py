"""Paints the lines of the aligned rows that are in view: a cell per token, a track per fact."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from core.contracts.text import tr
from gui import theme as themes
from gui.pages.dialogue.token_lines import TokenLines
from gui.pages.dialogue.token_source import Sight, TokenSource
from gui.pages.dialogue.tracks import HEIGHT_PX, NAMES, Track, TrackLayout
from gui.theme import Theme, mix
from gui.zoom import Px

GUTTER_PX = Px(52)
"""Left of the tokens: the number of the first token of the line, and the names of the tracks."""
PADDING_PX = Px(4.0)
WIDEST_PX = Px(260.0)
"""Of a token: a longer text is cut."""
_TINY_PX = Px(10)
ROLE_SERIES = {"system": 3, "developer": 3, "user": 1, "assistant": 0, "tool": 5}
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def text_font() -> QFont:
    return themes.mono_font()


def tiny_font(*, bold: bool = False) -> QFont:
    """That of ids, positions and names."""
    font = themes.ui_font("small", bold=bold)
    font.setPixelSize(_TINY_PX)
    return font


def role_colour(theme: Theme, role: str) -> str:
    """'#rrggbb'; a role that no template knows is grey."""
    series = ROLE_SERIES.get(role)
    return theme.muted if series is None else theme.series[series]


@dataclass(frozen=True, eq=False)
class Picked:
    """What is selected: a token with what it sees and what sees it, and tokens that are marked."""

    token: int = -1
    sight: NDArray[np.uint8] | None = None
    seen_by: NDArray[np.bool_] | None = None
    marked: NDArray[np.bool_] | None = None


@dataclass
class TokenPainter:
    """Paints lines of `source`. Colours and fonts are made once per theme and not once per token."""

    theme: Theme
    source: TokenSource
    lines: TokenLines
    tracks: TrackLayout
    picked: Picked = field(default_factory=Picked)

    def __post_init__(self) -> None:
        theme, source = self.theme, self.source
        self._text_font, self._tiny, self._bold = text_font(), tiny_font(), tiny_font(bold=True)
        self._text_metrics, self._tiny_metrics = QFontMetricsF(self._text_font), QFontMetricsF(self._tiny)
        self._roles = [QColor(role_colour(theme, role)) for role in source.rows.roles]
        self._bands = [QColor(mix(theme.sunken, role_colour(theme, role), 0.30)) for role in source.rows.roles]
        self._no_band = QColor(mix(theme.sunken, theme.border, 0.7))
        self._text, self._muted, self._faint = (QColor(c) for c in (theme.text, theme.muted, theme.faint))
        self._target, self._target_fill = QColor(theme.good), QColor(mix(theme.sunken, theme.good, 0.30))
        self._track, self._edge = QColor(mix(theme.sunken, theme.border, 0.8)), QColor(theme.border_strong)
        self._typed, self._seen = QColor(theme.bad), QColor(theme.tiles["full"])
        self._leaks, self._accent = QColor(theme.bad), QColor(theme.accent)
        self._column, self._mark = QColor(theme.accent_soft), QColor(theme.warn)
        self._documents = [QColor(mix(theme.sunken, theme.series[k], 0.24)) for k in (2, 4)]
        loss = source.loss
        finite = loss[np.isfinite(loss)] if loss is not None else np.empty(0)
        self._highest = float(finite.max()) if finite.size else 1.0
        weights = source.rows.weight
        self._heaviest = float(weights.max(initial=0.0)) or 1.0

    def paint_line(self, painter: QPainter, line: int, top: float) -> None:
        """One line whose upper edge is at `top`."""
        cells = self.lines.cells_of(line)
        lefts = (self.lines.left[cells.start : cells.stop] + GUTTER_PX).tolist()
        widths = self.lines.width[cells.start : cells.stop].tolist()
        self._paint_gutter(painter, cells.start, top)
        if cells.start <= self.picked.token < cells.stop:
            place = self.picked.token - cells.start
            height = self.tracks.line_px - 6
            painter.fillRect(QRectF(lefts[place], top - 1, widths[place], height), self._column)
        self._paint_roles(painter, cells, lefts, widths, top)
        if Track.SEGMENT in self.tracks:
            self._paint_documents(painter, cells, lefts, widths, top + self.tracks.top[Track.SEGMENT])
        self._paint_texts(painter, cells, lefts, widths, top + self.tracks.top[Track.TEXT])
        self._paint_targets(painter, cells, lefts, widths, top + self.tracks.top[Track.TARGET])
        if Track.SEES in self.tracks:
            self._paint_attention(painter, cells, lefts, widths, top)
        if Track.LOSS in self.tracks:
            self._paint_loss(painter, cells, lefts, widths, top + self.tracks.top[Track.LOSS])
        for track, values in ((Track.ID, self.source.rows.id), (Track.POSITION, self.source.rows.position)):
            if track in self.tracks:
                self._paint_numbers(painter, values[cells.start : cells.stop], lefts, top + self.tracks.top[track])

    def _paint_gutter(self, painter: QPainter, first: int, top: float) -> None:
        painter.setFont(self._tiny)
        painter.setPen(self._muted)
        room = GUTTER_PX - 8
        box = QRectF(0, top + self.tracks.top[Track.TEXT], room, HEIGHT_PX[Track.TEXT])
        painter.drawText(box, _RIGHT, f"{first:,}")
        painter.setPen(self._faint)
        for track, name in NAMES.items():
            if track in self.tracks and HEIGHT_PX[track] >= _TINY_PX:
                box = QRectF(0, top + self.tracks.top[track], room, HEIGHT_PX[track])
                painter.drawText(
                    box, _RIGHT, self._tiny_metrics.elidedText(str(name), Qt.TextElideMode.ElideRight, room)
                )

    def _paint_roles(
        self, painter: QPainter, cells: range, lefts: list[float], widths: list[float], top: float
    ) -> None:
        """A band per message, with the name of its role where it begins or goes on, as far as there is room."""
        rows = self.source.rows
        message, role = rows.message[cells.start : cells.stop], rows.role[cells.start : cells.stop]
        segment = rows.segment[cells.start : cells.stop]
        changes = (np.diff(message) != 0) | (np.diff(role) != 0) | (np.diff(segment) != 0)
        edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(message)]
        painter.setFont(self._bold)
        metrics = QFontMetricsF(self._bold)
        for begin, end in itertools.pairwise(edges):
            index = int(role[begin])
            left, right = lefts[begin], lefts[end - 1] + widths[end - 1] - 1
            box = QRectF(left, top, right - left, HEIGHT_PX[Track.ROLE] - 1)
            painter.fillRect(box, self._bands[index] if index >= 0 else self._no_band)
            name = rows.roles[index] if index >= 0 else ""
            if name and metrics.horizontalAdvance(name) + 6 <= box.width():
                painter.setPen(self._roles[index])
                painter.drawText(box.adjusted(4, 0, 0, 0), _LEFT, name)

    def _paint_documents(
        self, painter: QPainter, cells: range, lefts: list[float], widths: list[float], top: float
    ) -> None:
        """A band per document of a packed row, and a line across all tracks where one begins."""
        segment = self.source.rows.segment[cells.start : cells.stop]
        edges = [0, *(np.flatnonzero(np.diff(segment) != 0) + 1).tolist(), len(segment)]
        painter.setFont(self._tiny)
        for begin, end in itertools.pairwise(edges):
            number = int(segment[begin])
            box = QRectF(
                lefts[begin], top, lefts[end - 1] + widths[end - 1] - 1 - lefts[begin], HEIGHT_PX[Track.SEGMENT] - 1
            )
            painter.fillRect(box, self._no_band if number < 0 else self._documents[number % 2])
            if begin:
                line_top = top - self.tracks.top[Track.SEGMENT]
                painter.fillRect(QRectF(lefts[begin] - 1, line_top, 1.5, self.tracks.line_px - 6), self._edge)
            name = str(tr("padding")) if number < 0 else f"{number}"
            if self._tiny_metrics.horizontalAdvance(name) + 6 <= box.width():
                painter.setPen(self._muted)
                painter.drawText(box.adjusted(4, 0, 0, 0), _LEFT, name)

    def _paint_texts(
        self, painter: QPainter, cells: range, lefts: list[float], widths: list[float], top: float
    ) -> None:
        source, rows, picked = self.source, self.source.rows, self.picked
        shown, metrics = source.shown, self._text_metrics
        height = HEIGHT_PX[Track.TEXT] - 1
        baseline = top + (height + metrics.ascent() - metrics.descent()) / 2
        painter.setFont(self._text_font)
        for token, left, width in zip(cells, lefts, widths, strict=True):
            is_target = bool(source.is_target[token])
            box = QRectF(left, top, width - 1, height)
            if is_target:
                painter.fillRect(box, self._target_fill)
            if picked.marked is not None and picked.marked[token]:
                painter.setPen(QPen(self._mark, 1.5))
                painter.drawRect(box.adjusted(0.75, 0.75, -0.75, -0.75))
            elif rows.special[token]:
                painter.setPen(QPen(self._typed if rows.typed[token] else self._edge, 1))
                painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
            text = shown[token]
            if width >= WIDEST_PX:
                text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width - 2 * PADDING_PX)
            painter.setPen(self._ink(token, is_target))
            painter.drawText(QPointF(left + PADDING_PX - 0.5, baseline), text)
            if not rows.kept[token]:
                painter.drawLine(QPointF(left + 1, top + height / 2), QPointF(left + width - 2, top + height / 2))
            if token == picked.token:
                painter.setPen(QPen(self._accent, 2))
                painter.drawRect(box.adjusted(0, 0, 0, 0))

    def _ink(self, token: int, is_target: bool) -> QColor:
        rows = self.source.rows
        if not rows.kept[token]:
            return self._faint
        if rows.typed[token]:
            return self._typed
        return self._text if is_target or rows.from_content[token] else self._muted

    def _paint_targets(
        self, painter: QPainter, cells: range, lefts: list[float], widths: list[float], top: float
    ) -> None:
        """A bar under each target, as high as its weight; a thin line under the others."""
        height = HEIGHT_PX[Track.TARGET] - 2
        weights = self.source.rows.weight[cells.start : cells.stop].tolist()
        targets = self.source.is_target[cells.start : cells.stop].tolist()
        for left, width, weight, is_target in zip(lefts, widths, weights, targets, strict=True):
            if is_target:
                high = max(1.5, height * weight / self._heaviest)
                painter.fillRect(QRectF(left, top + height - high, width - 1, high), self._target)
            else:
                painter.fillRect(QRectF(left, top + height - 1, width - 1, 1), self._track)

    def _paint_attention(
        self, painter: QPainter, cells: range, lefts: list[float], widths: list[float], top: float
    ) -> None:
        sight, seen_by, rows = self.picked.sight, self.picked.seen_by, self.source.rows
        sees, seen = (top + self.tracks.top[track] for track in (Track.SEES, Track.SEEN_BY))
        height = HEIGHT_PX[Track.SEES] - 1
        home = int(rows.segment[self.picked.token]) if self.picked.token >= 0 else -1
        for token, left, width in zip(cells, lefts, widths, strict=True):
            foreign = int(rows.segment[token]) != home
            for y, on in (
                (sees, sight is not None and sight[token] == Sight.SEEN),
                (seen, seen_by is not None and bool(seen_by[token])),
            ):
                colour = (self._leaks if foreign else self._seen) if on else self._track
                painter.fillRect(QRectF(left, y, width - 1, height), colour)

    def _paint_loss(self, painter: QPainter, cells: range, lefts: list[float], widths: list[float], top: float) -> None:
        loss = self.source.loss
        height = HEIGHT_PX[Track.LOSS] - 2
        if loss is None:
            return
        for token, left, width in zip(cells, lefts, widths, strict=True):
            value = float(loss[token])
            if np.isfinite(value):
                high = max(1.0, height * value / self._highest)
                box = QRectF(left, top + height - high, width - 1, high)
                painter.fillRect(box, self._target if self.source.is_target[token] else self._faint)

    def _paint_numbers(self, painter: QPainter, values: NDArray[np.int32], lefts: list[float], top: float) -> None:
        painter.setFont(self._tiny)
        painter.setPen(self._muted)
        baseline = top + self._tiny_metrics.ascent()
        for value, left in zip(values.tolist(), lefts, strict=True):
            painter.drawText(QPointF(left + PADDING_PX - 0.5, baseline), str(value) if value >= 0 else "–")
