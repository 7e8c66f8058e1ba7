"""Sentences about the curves in a box of whole lines: no line is ever cut in the middle."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent, QTextBlockFormat, QTextCursor
from PySide6.QtWidgets import QWidget

from core.contracts.text import Text
from gui import theme as themes
from gui.widgets.html_view import MARGIN_PX, HtmlView

LEAST_LINES, MOST_LINES = 2, 4
_BORDER_PX = 1
"""The style sheet draws it where the focus is, and keeps its room elsewhere."""

_SHOWN_AT_ONCE = 2
"""Sentences of several lines that are shown without scrolling if MOST_LINES are enough."""


class RemarksView(HtmlView):
    """Each paragraph is a remark. As high as the first two need, and scrolled by whole lines."""

    def __init__(self, name: Text, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._before = 0
        self.document().setDocumentMargin(0)
        inside_px = MARGIN_PX - _BORDER_PX
        self.setViewportMargins(inside_px, inside_px, inside_px, inside_px)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().valueChanged.connect(self._stay_on_a_line)
        self._fit()

    @property
    def line_px(self) -> int:
        """The same for all lines, with Latin and Chinese characters."""
        return QFontMetrics(themes.ui_font("small")).lineSpacing() + 1

    @property
    def shown_lines(self) -> int:
        return (self.height() - 2 * MARGIN_PX) // self.line_px

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _draw(self) -> None:
        super()._draw()
        self.document().setDocumentMargin(0)
        even = QTextBlockFormat()
        even.setLineHeight(self.line_px, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.mergeBlockFormat(even)
        self._fit()

    def _fit(self) -> None:
        lines = sum(self._lines_of_paragraphs()[:_SHOWN_AT_ONCE])
        self.setFixedHeight(min(MOST_LINES, max(LEAST_LINES, lines)) * self.line_px + 2 * MARGIN_PX)
        self.verticalScrollBar().setSingleStep(self.line_px)

    def _lines_of_paragraphs(self) -> Sequence[int]:
        """Measured beside a scroll bar, in a copy: otherwise the height would depend on the bar and the bar on it."""
        copy = self.document().clone()
        copy.setTextWidth(max(1, self.width() - 2 * MARGIN_PX - self.verticalScrollBar().sizeHint().width()))
        copy.size()  # lays it out
        found, block = [], copy.begin()
        while block.isValid():
            found.append(block.layout().lineCount())
            block = block.next()
        copy.deleteLater()
        return found

    def _stay_on_a_line(self, value: int) -> None:
        """A touchpad and a dragged bar stop anywhere: go on to the next line."""
        on_line = (math.ceil if value > self._before else math.floor)(value / self.line_px) * self.line_px
        self._before = on_line
        if value not in (on_line, self.verticalScrollBar().maximum()):
            self.verticalScrollBar().setValue(on_line)
