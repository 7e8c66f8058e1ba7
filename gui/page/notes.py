"""The notes of a topic, in English and Chinese."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent, QTextCursor
from PySide6.QtWidgets import QTextBrowser, QWidget

from core import language
from core.contracts.text import tr
from core.installation import command
from core.notes import FOLDER
from gui import theme, translation
from gui.translation import show_text
from gui.zoom import Px

_LINE_WIDTH_PX, _H1_PX, _H2_PX = Px(860), Px(17), Px(14)
_STYLE = """
body {{ color: {text}; line-height: 150%; }}
h1 {{ font-size: {h1}px; margin-top: 6px; }} h2 {{ font-size: {h2}px; margin-top: 12px; }}
h3 {{ font-size: {h2}px; }}
code, pre {{ font-family: {mono}; background: {sunken}; }} pre {{ margin: 6px; }}
a {{ color: {accent}; }} blockquote {{ color: {muted}; }}
th {{ text-align: left; color: {muted}; padding: 3px 12px 3px 0; }} td {{ padding: 3px 12px 3px 0; }}
"""


class NotesPanel(QTextBrowser):
    """Markdown of resources/notes/LANGUAGE/TOPIC.md; read when it is first shown."""

    def __init__(self, topic_id: str, folder: Path = FOLDER, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._topic_id, self._folder = topic_id, folder
        self._shown: tuple[str, str] | None = None
        show_text(self.setAccessibleName, tr("Notes"))
        self.setOpenExternalLinks(True)
        self.setLineWrapMode(QTextBrowser.LineWrapMode.FixedPixelWidth)
        self.setLineWrapColumnOrWidth(_LINE_WIDTH_PX)
        self.document().setDocumentMargin(12)
        theme.notifier().changed.connect(self._refresh)
        translation.notifier().changed.connect(self._refresh)

    def showEvent(self, event: QShowEvent) -> None:
        self._refresh()
        super().showEvent(event)

    def markdown(self) -> str:
        """The Markdown in the current language, or one sentence if there is none. Commands are those of this place."""
        path = self._folder / language.current() / f"{self._topic_id}.md"
        if not path.exists():
            return str(tr("There are no notes in this language yet."))
        return path.read_text(encoding="utf-8").replace("python main.py", command())

    def reveal(self, heading: int) -> None:
        """Scroll to a heading, counted from 0, and select it."""
        block, number = self.document().begin(), -1
        while block.isValid():
            number += block.blockFormat().headingLevel() > 0
            if number == heading:
                cursor = QTextCursor(block)
                self.setTextCursor(cursor)
                top = self.document().documentLayout().blockBoundingRect(block).top()
                self.verticalScrollBar().setValue(round(top))
                cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
                self.setTextCursor(cursor)
                self.setFocus(Qt.FocusReason.OtherFocusReason)
                return
            block = block.next()

    def _refresh(self) -> None:
        shown = (language.current(), theme.current().name)
        if self._shown == shown or not self.isVisible():
            return
        from markdown_it import MarkdownIt  # takes 40 ms, and is needed only when the notes are opened

        colours = theme.current()
        style = _STYLE.format(
            text=colours.text,
            mono=theme.mono_font().family(),
            sunken=colours.raised,
            accent=colours.accent,
            muted=colours.muted,
            h1=_H1_PX,
            h2=_H2_PX,
        )
        self.document().setDefaultStyleSheet(style)
        self.setHtml(f"<body>{MarkdownIt('commonmark').enable('table').render(self.markdown())}</body>")
        self._shown = shown
