"""A conversation as aligned rows: every token with its role, label, weight, loss, id, position and what it sees.

The tokens are wrapped into lines that fit the width, as a genome browser wraps a sequence. All lines are equally high,
so only those in view are painted, and scrolling costs the same for a hundred tokens as for a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from core.contracts.text import tr
from gui import theme as themes
from gui import translation, zoom
from gui.pages.dialogue import token_read_out
from gui.pages.dialogue.token_lines import TokenLines, wrapped_in_lines
from gui.pages.dialogue.token_painting import (
    GUTTER_PX,
    PADDING_PX,
    WIDEST_PX,
    Picked,
    TokenPainter,
    text_font,
    tiny_font,
)
from gui.pages.dialogue.token_source import TokenSource
from gui.pages.dialogue.tracks import LINE_GAP_PX, Track, TrackLayout
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure, LabelPainter, frame_focus
from gui.widgets.keyboard_nav import STEPS, keeps_arrows
from gui.zoom import Px

_LEAST_PX = Px(9.0)
_TOP_PX = Px(3)
_NO_LINES = wrapped_in_lines(np.empty(0), 1.0)


class TokenRows(Figure):
    """`picked` carries the token that was clicked or walked to, -1 where a click is beside all tokens."""

    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The tokens appear here once the template can be rendered."), parent)
        self.source: TokenSource | None = None
        self.lines: TokenLines = _NO_LINES
        self.tracks = TrackLayout.of(())
        self.by_turn = False
        self.selected = Picked()
        self._shown: frozenset[Track] = frozenset()
        self.area = _Area(self)
        self.set_content(self.area)

    def set_source(self, source: TokenSource | None) -> None:
        """Show other tokens; None, or no tokens, shows the empty state. What was scrolled to stays in view."""
        if source is None or not len(source):
            self.source = None
            self.lines = _NO_LINES
            self.show_empty()
            return
        self.source = source
        self.selected = Picked()
        self._arrange()
        self.show_content()

    def set_tracks(self, tracks: Iterable[Track], *, by_turn: bool = False) -> None:
        """Show these tracks besides those that are always shown; `by_turn` begins a line with each message."""
        shown = frozenset(tracks)
        if (shown, by_turn) != (self._shown, self.by_turn):
            self._shown, self.by_turn = shown, by_turn
            self._arrange()

    def data_table(self) -> DataTable | None:
        """One row per token."""
        source = self.source
        if source is None:
            return None
        rows = source.rows
        return table_of(
            {
                "token": rows.tokens,
                "text": source.texts,
                "id": rows.id,
                "role": [rows.roles[role] if role >= 0 else "" for role in rows.role.tolist()],
                "message": rows.message,
                "position": rows.position,
                "segment": rows.segment,
                "kept": rows.kept,
                "is_target": source.is_target,
                "label": rows.label,
                "weight": rows.weight,
                "loss": [None] * len(rows) if source.loss is None else source.loss,
            }
        )

    def select(self, token: int, marked: NDArray[np.bool_] | None = None) -> None:
        """Select a token, -1 for none, and mark others, bool [n]. Emits no signal, and scrolls to a token that is newly
        selected."""
        source, before = self.source, self.selected.token
        if source is None:
            return
        if not 0 <= token < len(source):
            self.selected = Picked(marked=marked)
        elif token == before and self.selected.sight is not None:
            self.selected = Picked(token, self.selected.sight, self.selected.seen_by, marked)
        else:
            self.selected = Picked(token, source.sees(token), source.seen_by(token), marked)
            self.area.bring_into_view(self.lines.line_of(token))
        self.area.viewport().update()

    def show_token(self, token: int) -> None:
        """Scroll to a token."""
        if self.source is not None and 0 <= token < len(self.source):
            self.area.bring_into_view(self.lines.line_of(token))

    def describe(self, token: int) -> str | None:
        """Everything about a token."""
        if self.source is None or not 0 <= token < len(self.source):
            return None
        return token_read_out.read_out(self.source, token)

    def restyle(self, theme: Theme) -> None:
        self.area.forget_painter()

    def _arrange(self) -> None:
        """Lay out the lines: for 32,768 tokens a few milliseconds."""
        source = self.source
        if source is None:
            return
        shown = self._shown | ({Track.SEGMENT} if source.segments > 1 else set())
        if source.loss is None:
            shown -= {Track.LOSS}
        self.tracks = TrackLayout.of(shown)
        widths = cell_widths(source, self.tracks)
        breaks = np.flatnonzero(np.diff(source.rows.message) != 0) + 1 if self.by_turn else None
        self.lines = wrapped_in_lines(widths, max(60.0, self.area.room), breaks)
        self.area.set_lines(len(self.lines), self.tracks.line_px)


class _Area(QAbstractScrollArea):
    """Scrolls over the lines, and paints those in view."""

    def __init__(self, figure: TokenRows) -> None:
        super().__init__()
        self._figure = figure
        self._painter: TokenPainter | None = None
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        show_text(self.setAccessibleName, tr("Tokens: arrows walk, Home and End go to the ends of a line"))
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        translation.notifier().changed.connect(self.forget_painter)

    @property
    def room(self) -> float:
        """The width for tokens."""
        return float(self.viewport().width() - GUTTER_PX - 2)

    @property
    def lines_in_view(self) -> int:
        return max(1, self.viewport().height() // max(1, self._figure.tracks.line_px))

    def set_lines(self, lines: int, line_px: int) -> None:
        """So many lines of that height; the first one in view stays, though the height of all may have changed."""
        bar, view = self.verticalScrollBar(), self.viewport().height()
        first = bar.value() / bar.singleStep()
        height = _TOP_PX + lines * line_px - LINE_GAP_PX + 2
        bar.setSingleStep(line_px)
        bar.setPageStep(view)
        bar.setRange(0, max(0, height - view))
        bar.setValue(round(first * line_px))
        self.forget_painter()

    def forget_painter(self) -> None:
        """What is shown, the theme or the language changed."""
        self._painter = None
        self.viewport().update()

    def bring_into_view(self, line: int) -> None:
        """Scroll as little as is needed to see all of a line, to where a line begins."""
        line_px, bar = self._figure.tracks.line_px, self.verticalScrollBar()
        top = line * line_px
        if top < bar.value():
            bar.setValue(top)
        elif top + line_px + _TOP_PX > bar.value() + self.viewport().height():
            bar.setValue((line + 1 - self.lines_in_view) * line_px)

    def token_at(self, point: QPointF) -> int:
        """The token under a point of the viewport; -1 beside all."""
        y = point.y() - _TOP_PX + self.verticalScrollBar().value()
        return self._figure.lines.at(int(y // self._figure.tracks.line_px), point.x() - GUTTER_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        figure = self._figure
        if figure.source is None or figure.lines is _NO_LINES:
            return
        if self._painter is None:
            self._painter = TokenPainter(themes.current(), figure.source, figure.lines, figure.tracks)
        self._painter.picked = figure.selected
        line_px, offset = figure.tracks.line_px, _TOP_PX - self.verticalScrollBar().value()
        area = event.rect()
        first = max(0, (area.top() - offset) // line_px)
        last = min(len(figure.lines) - 1, (area.bottom() - offset) // line_px)
        with LabelPainter(self.viewport()) as painter:
            for line in range(first, last + 1):
                self._painter.paint_line(painter, line, offset + line * line_px)
            if self.hasFocus():
                frame_focus(painter, self.viewport())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._figure._arrange()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        token = self.token_at(event.position())
        where = self.viewport().mapTo(self._figure, event.position().toPoint())
        self._figure.tip.show_at(where, self._figure.describe(token))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._figure.picked.emit(self.token_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self._figure.tip.hide()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._figure.tip.hide()
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows, Home, End and the page keys walk; with Ctrl, Home and End go to the ends of the conversation."""
        token = self._walked(event)
        if token < 0:
            super().keyPressEvent(event)
        else:
            self._figure.picked.emit(token)

    def _walked(self, event: QKeyEvent) -> int:
        figure, key = self._figure, Qt.Key(event.key())
        count = 0 if figure.source is None else len(figure.source)
        if not count:
            return -1
        here, lines = figure.selected.token, figure.lines
        far = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            cells = range(count) if far or here < 0 else lines.cells_of(lines.line_of(here))
            return cells.start if key == Qt.Key.Key_Home else cells.stop - 1
        pages = {Qt.Key.Key_PageUp: -self.lines_in_view, Qt.Key.Key_PageDown: self.lines_in_view}
        if key not in STEPS and key not in pages:
            return -1
        if here < 0:
            return 0
        if key in pages:
            line = min(len(lines) - 1, max(0, lines.line_of(here) + pages[key]))
            return lines.above_or_below(here, line - lines.line_of(here))
        down, right = STEPS[key]
        return min(count - 1, max(0, here + right)) if right else lines.above_or_below(here, down)

    def _scrolled(self) -> None:
        self._figure.tip.hide()
        self.viewport().update()


def cell_widths(source: TokenSource, tracks: TrackLayout) -> NDArray[np.float64]:
    """The width that each token needs for its text and its numbers, in pixels."""
    widths = np.fromiter((_text_px(text) for text in source.shown), np.float64, len(source))
    for track, values in ((Track.ID, source.rows.id), (Track.POSITION, source.rows.position)):
        if track in tracks:
            digits = np.floor(np.log10(np.maximum(values, 1))) + 1
            widths = np.maximum(widths, digits * _digit_px())
    return np.clip(widths + 2 * PADDING_PX, _LEAST_PX, WIDEST_PX)


@zoom.cached(1 << 17)
def _text_px(text: str) -> float:
    return _metrics().horizontalAdvance(text)


@zoom.cached(1)
def _metrics() -> QFontMetricsF:
    return QFontMetricsF(text_font())


@zoom.cached(1)
def _digit_px() -> float:
    return QFontMetricsF(tiny_font()).horizontalAdvance("0")
