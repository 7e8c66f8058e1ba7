"""Text with marked words, read only, in the colours and the language of the moment."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QTextBrowser, QWidget

from core.contracts.text import Text
from core.outside import TIP_LIMIT, shown_label
from gui import theme as themes
from gui import translation
from gui.theme import Theme
from gui.translation import show_text
from gui.zoom import Px

MARGIN_PX = Px(3)
Build = Callable[[Theme], str]


class HtmlView(QTextBrowser):
    """Shows what `build(theme)` returns, as HTML. It can be scrolled and copied from; links go nowhere."""

    def __init__(self, name: Text, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._build: Build | None = None
        self._drawn: object = None
        self._outdated = False
        self.setProperty("role", "html")
        self.setOpenLinks(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMinimumHeight(0)
        self.document().setDocumentMargin(MARGIN_PX)
        show_text(self.setAccessibleName, name)
        themes.notifier().changed.connect(self._draw_anew)
        translation.notifier().changed.connect(self._draw_anew)

    def show_html(self, about: object, build: Build) -> None:
        """Show another text, unless `about`, which says what it is about, is the same as before."""
        if about != self._drawn:
            self._drawn, self._build = about, build
            self._draw()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._outdated:
            self._draw()

    def _draw_anew(self, _: object) -> None:
        """Other colours, or another language. A bound method: Qt drops the connection with the widget."""
        self._draw()

    def _draw(self) -> None:
        """What is out of view is drawn when it comes into view."""
        self._outdated = not self.isVisible()
        if self._build is None or self._outdated:
            return
        bar = self.verticalScrollBar()
        place = bar.value()
        self.setHtml(self._build(themes.current()))
        bar.setValue(place)


def safe(text: Text | str) -> str:
    """A text in HTML: what came from outside is cut, cleaned and escaped."""
    return escape(shown_label(str(text), TIP_LIMIT)).replace("\n", "<br>")


def coloured(text: str, colour: str, background: str = "") -> str:
    """HTML in a colour."""
    styles = [f"color:{colour}", *([f"background-color:{background}"] if background else [])]
    return f'<span style="{";".join(styles)}">{text}</span>'
