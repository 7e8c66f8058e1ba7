"""Source code with line numbers, colours, annotations beside lines, and lines that can be picked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QSyntaxHighlighter,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from core.contracts.text import tr
from core.outside import cleaned
from gui import theme
from gui.translation import show_text
from gui.widgets.keyboard_nav import PICKS
from gui.zoom import Px

if TYPE_CHECKING:
    from pygments.lexer import Lexer

_PADDING_PX = Px(8)


class CodeView(QPlainTextEdit):
    """Read-only code whose first line is number `first_line` of its file. `line_picked` carries that number.

    Code that hides what it is behind control characters is shown with them spelled out, unless `is_cleaned` is False:
    what a user edits is saved as it is shown.
    """

    line_picked = Signal(int)

    def __init__(
        self,
        text: str,
        first_line: int = 1,
        language: str = "python",
        parent: QWidget | None = None,
        *,
        is_cleaned: bool = True,
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "code")
        self.setReadOnly(True)
        show_text(self.setAccessibleName, tr("Source code: Return selects the line of the cursor"))
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setFont(theme.mono_font())
        self._first_line = first_line
        self._annotations: Mapping[int, str] = {}
        self._line: int | None = None
        self._gutter = _Gutter(self)
        self._colours = _Colours(self.document(), language)
        self.setTextInteractionFlags(
            self.textInteractionFlags() | Qt.TextInteractionFlag.TextSelectableByKeyboard  # a movable cursor
        )
        self.setPlainText(cleaned(text) if is_cleaned else text)
        self.blockCountChanged.connect(self._fit_gutter)
        self.updateRequest.connect(self._scroll_gutter)
        theme.notifier().changed.connect(self._recolour)
        self._fit_gutter()

    @property
    def picked_line(self) -> int | None:
        return self._line

    def set_annotations(self, annotations: Mapping[int, str]) -> None:
        """Short texts beside lines, by line number of the file, such as the bytes moved."""
        self._annotations = annotations
        self._fit_gutter()
        self._gutter.update()

    def pick(self, line: int | None) -> None:
        """Highlight a line of the file and bring it into view; None removes the highlight. Emits no signal."""
        self._line = line
        self._highlight()
        if line is not None and self._has(line):
            cursor = QTextCursor(self.document().findBlockByNumber(line - self._first_line))
            self.setTextCursor(cursor)
            self.centerCursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() is Qt.MouseButton.LeftButton and not self.textCursor().hasSelection():
            self._pick_at(event.position().toPoint().y())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return selects the line of the cursor, as a click does; with Ctrl where the text can be edited."""
        if event.key() in PICKS and (self.isReadOnly() or event.modifiers() & Qt.KeyboardModifier.ControlModifier):
            self._pick_at(self.cursorRect().center().y())
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._colours.begin()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        area = self.contentsRect()
        self._gutter.setGeometry(QRect(area.left(), area.top(), self._gutter.width_px(), area.height()))

    def _pick_at(self, y: int) -> None:
        line = self._first_line + self.cursorForPosition(QPoint(0, y)).blockNumber()
        self._line = line
        self._highlight()
        self.line_picked.emit(line)

    def _has(self, line: int) -> bool:
        return 0 <= line - self._first_line < self.blockCount()

    def _line_colours(self) -> list[tuple[int, str]]:
        """Background colours by line of the file; a later one is painted over an earlier one."""
        return [] if self._line is None else [(self._line, theme.current().accent_soft)]

    def _highlight(self) -> None:
        self.setExtraSelections(
            [self._painted(line, colour) for line, colour in self._line_colours() if self._has(line)]
        )
        self._gutter.update()

    def _painted(self, line: int, colour: str) -> QTextEdit.ExtraSelection:
        selection = QTextEdit.ExtraSelection()
        selection.format.setBackground(QColor(colour))
        selection.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        selection.cursor = QTextCursor(self.document().findBlockByNumber(line - self._first_line))
        return selection

    def _fit_gutter(self) -> None:
        self.setViewportMargins(self._gutter.width_px(), 0, 0, 0)

    def _scroll_gutter(self, area: QRect, dy: int) -> None:
        if dy:
            self._gutter.scroll(0, dy)
        else:
            self._gutter.update(0, area.y(), self._gutter.width(), area.height())

    def _recolour(self) -> None:
        self._colours.recolour()
        self._highlight()


class _Gutter(QWidget):
    """Annotations and line numbers, left of the code."""

    def __init__(self, view: CodeView) -> None:
        super().__init__(view)
        self._view = view

    def width_px(self) -> int:
        return self._annotation_px() + self._number_px()

    def sizeHint(self) -> QSize:
        return QSize(self.width_px(), 0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._view._pick_at(event.position().toPoint().y())

    def paintEvent(self, event: QPaintEvent) -> None:
        colours, view = theme.current(), self._view
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(colours.surface))
        painter.setFont(view.font())
        block = view.firstVisibleBlock()
        while block.isValid() and (top := self._top(block)) <= event.rect().bottom():
            line = view._first_line + block.blockNumber()
            height = round(view.blockBoundingRect(block).height())
            right = self._annotation_px()
            painter.setPen(QColor(colours.accent))
            note = QRect(_PADDING_PX, top, right - _PADDING_PX, height)
            painter.drawText(note, Qt.AlignmentFlag.AlignRight, view._annotations.get(line, ""))
            painter.setPen(QColor(colours.text if line == view._line else colours.faint))
            number = QRect(right, top, self._number_px() - _PADDING_PX, height)
            painter.drawText(number, Qt.AlignmentFlag.AlignRight, str(line))
            block = block.next()
        painter.end()

    def _top(self, block: QTextBlock) -> int:
        return round(self._view.blockBoundingGeometry(block).translated(self._view.contentOffset()).top())

    def _number_px(self) -> int:
        last = self._view._first_line + self._view.blockCount()
        return self._view.fontMetrics().horizontalAdvance("9" * max(3, len(str(last)))) + 2 * _PADDING_PX

    def _annotation_px(self) -> int:
        texts = self._view._annotations.values()
        widest = max((self._view.fontMetrics().horizontalAdvance(text) for text in texts), default=0)
        return widest + _PADDING_PX if widest else 0


@cache
def _lexer(language: str) -> Lexer:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(language, stripnl=False, ensurenl=False)


class _Colours(QSyntaxHighlighter):
    """Colours from pygments. A document is lexed as a whole, once for each revision of its text.

    The first lexer of a language takes 100 ms to make, so nothing is coloured before somebody sees it.
    """

    def __init__(self, document: QTextDocument, language: str) -> None:
        super().__init__(document)
        self._language = language
        self._is_seen = False
        self._formats: dict[str, QTextCharFormat] = {}
        self._spans: list[list[tuple[int, int, str]]] = []
        self._continues: set[int] = set()
        self._revision = -1
        self.recolour()

    def begin(self) -> None:
        """The document is seen from now on."""
        if not self._is_seen:
            self._is_seen = True
            self.rehighlight()

    def recolour(self) -> None:
        self._formats = {kind: _format(colour) for kind, colour in theme.current().code.items()}
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        if not self._is_seen or self.document().isEmpty():
            return
        if self._revision != self.document().revision() or len(self._spans) != self.document().blockCount():
            self._revision, self._spans = self.document().revision(), self._lex()
        number = self.currentBlock().blockNumber()
        for start, length, kind in self._spans[number]:
            self.setFormat(start, length, self._formats[kind])
        # A changed state makes Qt colour the next line again, for example because a string now continues there.
        self.setCurrentBlockState(int(number in self._continues))

    def _lex(self) -> list[list[tuple[int, int, str]]]:
        spans: list[list[tuple[int, int, str]]] = [[]]
        column = 0
        self._continues = set()
        for token, text in _lexer(self._language).get_tokens(self.document().toPlainText()):
            kind = _kind(str(token))
            for index, part in enumerate(text.split("\n")):
                if index:
                    if kind:
                        self._continues.add(len(spans) - 1)
                    spans.append([])
                    column = 0
                if kind and part:
                    spans[-1].append((column, len(part), kind))
                column += len(part)
        return spans + [[] for _ in range(self.document().blockCount() - len(spans))]


def _kind(token: str) -> str:
    """The colour of a pygments token, '' for plain text."""
    prefixes = {
        "Token.Comment": "comment",
        "Token.Literal.String": "string",
        "Token.Literal.Number": "number",
        "Token.Keyword": "keyword",
        "Token.Operator": "operator",
        "Token.Name.Function": "function",
        "Token.Name.Class": "function",
        "Token.Name.Decorator": "builtin",
        "Token.Name.Builtin": "builtin",
    }
    return next((kind for prefix, kind in prefixes.items() if token.startswith(prefix)), "")


def _format(colour: str) -> QTextCharFormat:
    text_format = QTextCharFormat()
    text_format.setForeground(QColor(colour))
    return text_format
