"""The column at the left: one button per topic, and below them the theme and the language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from core import language
from core.contracts.text import Text, tr
from gui import theme, translation
from gui.icons import icon
from gui.translation import show_text
from gui.widgets.scroll import VerticalScroll
from gui.zoom import Px

if TYPE_CHECKING:
    from core.contracts.headings import Heading
    from core.contracts.topic import Topic

HOME = "home"
"""Stands for the home page where topics have their ids."""

_LEAST_WIDTH_PX = Px(104)
_AROUND_TEXT_PX = Px(20)


class Navigation(QFrame):
    """Shows the current page and emits requests for another; the window opens it."""

    topic_chosen = Signal(str)
    home_chosen = Signal()
    theme_toggled = Signal()
    language_toggled = Signal()

    def __init__(self, topics: Sequence[Heading | Topic], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "navigation")
        self.setFixedWidth(_width_px(topics))
        self._topics = topics
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QToolButton] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(2)
        pages = _Pages()
        of_pages = QVBoxLayout(pages)
        of_pages.setContentsMargins(0, 0, 0, 0)
        of_pages.setSpacing(0)
        home = self._page_button(HOME, tr("Home"))
        show_text(home.setToolTip, tr("Questions about language models, and what this machine answers (Alt+Home)"))
        home.clicked.connect(self.home_chosen)
        of_pages.addWidget(home)
        for number, topic in enumerate(topics, start=1):
            button = self._page_button(topic.id, topic.title)
            keys = tr("{question} (Ctrl+{number})", question=topic.question, number=number)
            show_text(button.setToolTip, keys if number <= 9 else topic.question)
            button.clicked.connect(lambda _=False, topic_id=topic.id: self.topic_chosen.emit(topic_id))
            of_pages.addWidget(button)
        of_pages.addStretch(1)
        self._scroll = VerticalScroll(pages)  # a low window keeps its height
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # the wheel scrolls it
        layout.addWidget(self._scroll, 1)
        self._theme = self._button("theme", 18)
        self._theme.clicked.connect(self.theme_toggled)
        self.language_button = self._button("language", 18)
        self.language_button.clicked.connect(self.language_toggled)
        beside = QHBoxLayout()  # one below the other, they would hide the last page in a window of 720 px
        beside.setSpacing(2)
        beside.addWidget(self.language_button)
        beside.addWidget(self._theme)
        layout.addLayout(beside)
        self._recolour()
        self._offer_language()
        translation.notifier().changed.connect(self._offer_language)
        theme.notifier().changed.connect(self._recolour)

    def show_topic(self, topic_id: str) -> None:
        """Mark the page in view: a topic, or HOME."""
        self.buttons[topic_id].setChecked(True)
        self._scroll.ensureWidgetVisible(self.buttons[topic_id])

    def _offer_language(self) -> None:
        """The language button names the language that it switches to."""
        name = language.LANGUAGES[language.following()]
        self.language_button.setText(name)
        show_text(self.language_button.setToolTip, tr("Show everything in {language} (Ctrl+L)", language=name))

    def _page_button(self, page: str, title: Text) -> QToolButton:
        button = self._button(page, 20)
        button.setCheckable(True)
        show_text(button.setText, title)
        self._group.addButton(button)
        self.buttons[page] = button
        return button

    def _button(self, name: str, icon_px: int) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setProperty("role", "navigation")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(icon_px, icon_px))
        button.setSizePolicy(button.sizePolicy().Policy.Ignored, button.sizePolicy().Policy.Fixed)
        return button

    def _recolour(self) -> None:
        colours = theme.current()
        self.setFixedWidth(_width_px(self._topics))  # texts may have another size
        for button in (*self.buttons.values(), self._theme, self.language_button):
            button.setIcon(icon(button.objectName(), colours.muted, checked=colours.accent))
        show_text(self._theme.setText, tr("Light") if colours.is_dark else tr("Dark"))
        offer = tr("Switch to the light theme (Ctrl+T)") if colours.is_dark else tr("Switch to the dark theme (Ctrl+T)")
        show_text(self._theme.setToolTip, offer)


class _Pages(QWidget):
    """The buttons of the topics."""


def _width_px(topics: Sequence[Heading | Topic]) -> int:
    """Room for the longest title in any language: the pages beside it keep their place when the language changes."""
    metrics = QFontMetrics(theme.ui_font("small"))
    titles = (topic.title.in_language(code) for topic in topics for code in language.LANGUAGES)
    return max(_LEAST_WIDTH_PX, *(metrics.horizontalAdvance(title) + _AROUND_TEXT_PX for title in titles))
