from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.contracts.events import Finished, Progress
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.run_files import SavedRun
from gui import theme, zoom
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine, ToyParams, ToyResult
from tests.gui.windows import Windows

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def window(windows: Windows, topic: Topic) -> MainWindow:
    """On the page toy; there is a second one like it."""
    window = windows.show({"toy": topic, "second": replace(topic, id="second", title=tr("Second"))})
    window.open_page("toy")
    return window


def press(key: Qt.Key) -> None:
    QTest.keyClick(QApplication.focusWidget(), key, CTRL)


def test_that_keys_change_the_size_everywhere_and_it_is_remembered(
    window: MainWindow, settings: Settings, qapp: QApplication
) -> None:
    narrow, body = window.navigation.width(), qapp.font().pixelSize()
    press(Qt.Key.Key_Plus)
    press(Qt.Key.Key_Equal)
    assert zoom.factor() == settings.zoom == 1.25
    assert qapp.font().pixelSize() == round(body * 1.25)
    assert window.navigation.width() > narrow
    assert window.current is not None
    assert window.current.page.side.width() == round(304 * 1.25)
    press(Qt.Key.Key_Minus)
    assert zoom.factor() == 1.1
    press(Qt.Key.Key_0)
    assert zoom.factor() == settings.zoom == 1
    assert window.navigation.width() == narrow


def test_that_the_new_size_is_said(window: MainWindow, qtbot: Any) -> None:
    window.change_text_size(1)
    qtbot.waitUntil(lambda: window.status.currentMessage() == "Text size 110%")
    for _ in range(5):
        QApplication.processEvents()
    assert not window.status.engine.isVisible(), "it is not painted over the message"
    window.status.clearMessage()
    assert window.status.engine.isVisible()


def test_that_pages_keep_what_they_show(window: MainWindow, result: ToyResult) -> None:
    before = window.current
    assert before is not None
    before.page.form.propose(ToyParams(heads=8))
    before.controller.show_result(result)
    before.page.selection.update(head=3)
    before.page.tabs.setCurrentIndex(2)
    before.page.append_log("a line")
    window.change_text_size(1)
    after = window.current
    assert after is not None
    assert after is not before
    assert after.page.params == ToyParams(heads=8)
    assert after.controller.result == result
    assert after.page.selection.selection.get("head") == 3
    assert after.page.tabs.currentIndex() == 2
    assert "a line" in after.page.log.toPlainText()
    assert after.page.isAncestorOf(QApplication.focusWidget()) or after.page.hasFocus()


def test_that_a_recorded_run_stays_recorded_and_a_pinned_one_pinned(window: MainWindow, result: ToyResult) -> None:
    saved = SavedRun(result, datetime(2026, 1, 2, tzinfo=UTC), 1.0)
    assert window.current is not None
    window.current.controller.show_recorded(saved)
    window.current.controller.pin(saved)
    window.change_text_size(1)
    assert window.current.controller.recorded == saved
    assert window.current.controller.pinned == saved


def test_that_pages_out_of_view_are_built_anew_when_they_are_visited_and_remembered_until_then(
    window: MainWindow, settings: Settings
) -> None:
    opened = window.open_page("second")
    assert opened is not None
    opened.page.form.propose(ToyParams(heads=8))
    window.open_page("toy")
    window.change_text_size(1)
    assert list(window.stack.opened) == ["toy"]
    window.stack.remember()
    state = settings.page_state("second")
    assert state is not None
    assert state["params"]["heads"] == 8
    again = window.open_page("second")
    assert again is not None
    assert again.page.params == ToyParams(heads=8)


def test_that_a_page_with_a_run_follows_when_the_run_has_ended(
    window: MainWindow, engine: FakeEngine, result: ToyResult, qtbot: Any
) -> None:
    window.run()
    before = window.current
    engine.runs[0].post(Progress(1, 2, "half"))
    window.change_text_size(1)
    assert window.current is before
    engine.runs[0].post(Finished(result))
    qtbot.waitUntil(lambda: window.current is not None and window.current is not before)
    assert window.current is not None
    assert window.current.controller.result == result


@pytest.mark.parametrize(
    ("stored", "factor"), [("1.25", 1.25), ("huge", 1.0), ("nan", 1.0), ("inf", 1.0), ("-3", -3.0)]
)
def test_that_nonsense_in_the_settings_is_the_usual_size(
    settings: Settings, qapp: QApplication, stored: str, factor: float
) -> None:
    settings._store.setValue("zoom", stored)
    assert settings.zoom == factor
    theme.set_zoom(qapp, settings.zoom)
    assert zoom.factor() in zoom.STEPS


def test_that_a_window_that_large_texts_made_wider_than_the_screen_fits_again(window: MainWindow, qtbot: Any) -> None:
    screen = window.screen().availableGeometry()
    press(Qt.Key.Key_Plus)
    window.resize(screen.width() + 2000, 500)
    press(Qt.Key.Key_0)
    qtbot.waitUntil(lambda: window.width() <= max(screen.width(), window.minimumSizeHint().width()))
