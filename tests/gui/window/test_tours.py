"""The tour of the window at the first start, and what to look at on a page."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.contracts.text import verbatim
from core.marks import Mark
from gui.tour.spotlight import Spotlight
from gui.tour.stop import Stop
from gui.window import tours
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.doubles import TOPIC
from tests.gui.windows import Windows


@pytest.fixture
def window(windows: Windows) -> MainWindow:
    return windows.show({TOPIC.id: TOPIC}, size_px=(1280, 720))


def press(key: Qt.Key) -> None:
    QTest.keyClick(QApplication.focusWidget(), key)


def test_that_the_tour_has_five_stops_on_real_widgets_and_is_shown_once(window: MainWindow, settings: Settings) -> None:
    window.tours.begin_once()
    shown = window.tours.shown
    assert shown is not None
    titles = []
    for _ in range(5):
        QApplication.processEvents()
        assert window.rect().contains(shown.lit)
        assert not shown.lit.isEmpty()
        assert window.rect().contains(shown.bubble.geometry())
        titles.append(shown.bubble.title.text())
        press(Qt.Key.Key_Right)
    assert titles == ["Questions", "Parameters", "Run", "Pictures", "Claims"]
    assert window.tours.shown is None
    assert settings.toured
    window.tours.begin_once()
    assert window.tours.shown is None


def test_that_escape_skips_the_tour_for_good_and_help_repeats_it(window: MainWindow, settings: Settings) -> None:
    window.tours.begin_once()
    press(Qt.Key.Key_Escape)
    assert window.tours.shown is None
    assert settings.toured
    next(action for menu in window.menus for action in menu.actions if action.id == "tour").work()
    assert window.tours.shown is not None


def test_that_the_tour_ends_at_home_where_it_began(window: MainWindow) -> None:
    home = window.home.open()
    window.tours.begin()
    for _ in range(5):
        press(Qt.Key.Key_Right)
    assert window.stack.currentWidget() is home


def test_that_the_keys_of_the_window_rest_during_the_tour(window: MainWindow) -> None:
    page = window.open_page(TOPIC.id)
    assert page is not None
    window.tours.begin()
    press(Qt.Key.Key_F5)
    assert not page.controller.running
    press(Qt.Key.Key_Left)
    assert window.tours.shown is not None
    assert window.tours.shown.index == 0


def test_that_marks_light_the_cards_and_give_the_focus_back(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = window.open_page(TOPIC.id)
    assert opened is not None
    key, card = next(iter(opened.page.cards.items()))
    monkeypatch.setattr(tours, "marks_of", lambda _: (Mark(key, verbatim("read this"), verbatim("try that")),))
    opened.page.run_bar.run_button.setFocus()
    window.tours.show_marks()
    shown = window.tours.shown
    assert shown is not None
    QApplication.processEvents()
    assert shown.bubble.text.text() == "read this"
    assert "try that" in shown.bubble.advice.text()
    assert shown.lit.contains(QRect(card.mapTo(window, QPoint()), card.size()).center())
    press(Qt.Key.Key_Return)
    assert window.tours.shown is None
    assert QApplication.focusWidget() is opened.page.run_bar.run_button


def test_that_a_stop_without_a_widget_has_words_in_the_middle(window: MainWindow) -> None:
    light = Spotlight(window, [Stop(verbatim("a"), verbatim("b"), lambda: None)])
    assert light.lit.isEmpty()
    assert (light.bubble.geometry().center() - window.rect().center()).manhattanLength() < 4
    light.end()


def test_that_the_language_can_be_changed_during_the_tour(window: MainWindow) -> None:
    window.tours.begin()
    shown, button = window.tours.shown, window.navigation.language_button
    assert shown is not None
    before = shown.bubble.title.text()
    QTest.mouseClick(shown, Qt.MouseButton.LeftButton, pos=button.mapTo(window, button.rect().center()))
    assert shown.index == 0
    assert shown.bubble.title.text() != before
    window.toggle_language()
    assert shown.bubble.title.text() == before
    shown.end()
