"""The column of pages in every language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from core import language
from core.contracts import registry
from gui import translation
from gui.window.navigation import Navigation

LEAST_HEIGHT_PX = 636
"""What a screen of 720 px leaves, less the frame of the window, the menu bar and the status bar."""


@pytest.fixture
def navigation(qtbot: Any) -> Iterator[Navigation]:
    navigation = Navigation([registry.topic(name) for name in registry.TOPICS])
    qtbot.addWidget(navigation)
    navigation.show()
    yield navigation
    translation.use("en")


@pytest.mark.parametrize("code", list(language.LANGUAGES))
def test_that_no_title_is_cut(navigation: Navigation, code: str) -> None:
    translation.use(code)
    for button in navigation.buttons.values():
        assert button.fontMetrics().horizontalAdvance(button.text()) <= button.width()


def test_that_a_switch_between_the_languages_does_not_move_the_page(navigation: Navigation) -> None:
    widths = set()
    for code in language.LANGUAGES:
        translation.use(code)
        widths.add(navigation.width())
    assert len(widths) == 1


def test_that_the_theme_and_the_language_that_a_click_gives_are_offered(navigation: Navigation) -> None:
    assert navigation.language_button.text() == "中文"
    translation.use("zh")
    assert navigation.language_button.text() == "English"
    assert navigation._theme.text() in ("浅色", "深色")


@pytest.mark.parametrize("code", list(language.LANGUAGES))
def test_that_every_page_is_in_sight_on_a_low_screen(navigation: Navigation, code: str) -> None:
    translation.use(code)
    navigation.resize(navigation.width(), LEAST_HEIGHT_PX)
    QApplication.processEvents()
    bar = navigation._scroll.verticalScrollBar()
    assert bar.maximum() == 0
