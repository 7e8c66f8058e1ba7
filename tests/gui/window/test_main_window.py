from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from core import language
from core.contracts.events import Finished
from core.contracts.result import Result
from core.contracts.text import tr
from core.contracts.topic import Topic
from gui import theme
from gui.page.engine_bridge import EngineBridge
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from gui.window.shortcuts import ShortcutsDialog
from gui.window.status_bar import StatusBar, memory_of_children_bytes
from tests.gui.doubles import FakeEngine, ToyPage, ToyParams
from tests.gui.windows import TOY, Windows

BROKEN = {"broken": "tests.gui.doubles:NoSuchPage"}


@pytest.fixture
def topics(topic: Topic) -> dict[str, Topic]:
    return {
        "toy": topic,
        "second": replace(topic, id="second", title=tr("Second")),
        "broken": replace(topic, id="broken"),
    }


@pytest.fixture
def window(windows: Windows, topics: dict[str, Topic]) -> MainWindow:
    return windows.show(topics, BROKEN)


@pytest.fixture
def page(window: MainWindow) -> ToyPage:
    return window.open_page("toy").page


def press(window: MainWindow, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, key, modifier)


CTRL = Qt.KeyboardModifier.ControlModifier


def test_that_pages_are_built_on_the_first_visit_only(window: MainWindow) -> None:
    assert window.current is None
    first = window.open_page("toy")
    window.open_page("second")
    assert window.open_page("toy") is first
    assert window.current is first
    assert ("plan", ("plan of", 1024)) in first.page.calls


def test_that_the_first_paint_is_announced_once_and_before_any_page(
    bridge: EngineBridge, settings: Settings, topics: dict[str, Topic], qtbot: Any
) -> None:
    window = MainWindow(bridge, settings, topics, dict.fromkeys(topics, TOY) | BROKEN)
    qtbot.addWidget(window)
    heard: list[Any] = []
    window.first_painted.connect(lambda: heard.append(window.current))
    with qtbot.waitSignal(window.first_painted):
        window.show()
    window.repaint()
    qtbot.wait(10)
    assert heard == [None]
    window.close()


def test_that_a_page_that_cannot_be_built_says_so_and_the_others_work(window: MainWindow, capsys: Any) -> None:
    assert window.open_page("broken") is None
    shown = window.stack.currentWidget()
    assert isinstance(shown, QLabel)
    assert "The page broken could not be opened" in shown.text()
    assert "AttributeError" in capsys.readouterr().err
    assert window.open_page("toy") is not None


def test_that_digits_change_the_page(window: MainWindow, page: ToyPage) -> None:
    press(window, Qt.Key.Key_2, CTRL)
    assert window.current.page.topic.id == "second"
    assert window.navigation.buttons["second"].isChecked()
    press(window, Qt.Key.Key_1, CTRL)
    assert window.current.page is page


@pytest.mark.parametrize(("key", "modifier"), [(Qt.Key.Key_F5, Qt.KeyboardModifier.NoModifier), (Qt.Key.Key_R, CTRL)])
def test_that_keys_run(
    window: MainWindow, page: ToyPage, engine: FakeEngine, key: Qt.Key, modifier: Qt.KeyboardModifier
) -> None:
    press(window, key, modifier)
    assert len(engine.runs) == 1
    assert page.run_bar.running


def test_that_escape_cancels(window: MainWindow, page: ToyPage, engine: FakeEngine) -> None:
    window.run()
    press(window, Qt.Key.Key_Escape)
    assert engine.runs[0].cancelled


def test_that_space_and_arrows_play_and_step(window: MainWindow, page: ToyPage) -> None:
    page.calls.clear()
    press(window, Qt.Key.Key_Space)
    press(window, Qt.Key.Key_Right)
    press(window, Qt.Key.Key_Left)
    assert page.calls == [("play", None), ("step", 1), ("step", -1)]


def test_that_a_focused_control_keeps_its_own_keys(window: MainWindow, page: ToyPage) -> None:
    page.calls.clear()
    slider = page.form.fields["seq_len"].slider
    slider.setFocus()
    press(window, Qt.Key.Key_Right)
    assert slider.value() == 11
    check = page.form.fields["causal"].check
    check.setFocus()
    press(window, Qt.Key.Key_Space)
    assert not check.isChecked()
    assert not [call for call in page.calls if call[0] in ("play", "step")]


def test_that_ctrl_z_undoes_a_parameter_even_inside_its_box(window: MainWindow, page: ToyPage) -> None:
    spin = page.form.fields["heads"].spin
    spin.setFocus()
    spin.setValue(8)
    press(window, Qt.Key.Key_Z, CTRL)
    assert page.params == ToyParams()
    press(window, Qt.Key.Key_Z, CTRL | Qt.KeyboardModifier.ShiftModifier)
    assert page.params == ToyParams(heads=8)


def test_that_theme_and_language_change_everywhere_and_are_remembered(
    window: MainWindow, page: ToyPage, settings: Settings
) -> None:
    window.open_page("second")
    press(window, Qt.Key.Key_T, CTRL)
    assert theme.current().name == settings.theme == "light"
    press(window, Qt.Key.Key_L, CTRL)
    assert settings.language == "zh"
    assert language.current() == "zh"
    assert window.navigation.language_button.text() == "English"
    assert page._drawn_in == "", "a page out of view is drawn in the new language when it is shown"


def test_that_ctrl_b_hides_the_parameters(window: MainWindow, page: ToyPage) -> None:
    press(window, Qt.Key.Key_B, CTRL)
    assert page.side.isHidden()
    press(window, Qt.Key.Key_B, CTRL)
    assert page.side.isVisible()


def test_that_ctrl_j_collapses_the_tabs_and_opens_them(window: MainWindow, page: ToyPage) -> None:
    window.resize(798, 1000)
    assert page.lower.is_open
    press(window, Qt.Key.Key_J, CTRL)
    assert not page.lower.is_open
    press(window, Qt.Key.Key_J, CTRL)
    assert page.lower.is_open


def test_that_f1_lists_the_keys(window: MainWindow, page: ToyPage, qtbot: Any) -> None:
    press(window, Qt.Key.Key_F1)
    dialog = window.findChild(ShortcutsDialog)
    assert "Play or pause" in [label.text() for label in dialog.findChildren(QLabel)]
    assert dialog.height() < 720
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_that_the_status_bar_tells_the_engines_state(
    window: MainWindow, bridge: EngineBridge, engine: FakeEngine, qapp: Any
) -> None:
    bridge.start()
    assert window.status.engine.text() == "Worker starting"
    engine.tell("busy", "flash-attention", "cuda (NVIDIA H200)")
    qapp.processEvents()
    assert window.status.engine.text() == "Worker busy: flash-attention"
    assert "NVIDIA H200" in window.status.device.text()


def test_that_an_error_without_a_page_is_shown_in_the_status_bar(window: MainWindow) -> None:
    window.show_error("It broke.")
    assert window.status.currentMessage() == "It broke."


def test_that_the_next_session_finds_everything_as_it_was(
    window: MainWindow, page: ToyPage, settings: Settings, topics: dict[str, Topic], bridge: EngineBridge, qtbot: Any
) -> None:
    window.open_page("second")
    page.form.fields["heads"].spin.setValue(8)
    page.tabs.setCurrentIndex(2)
    page.side.hide()
    window.resize(798, 700)
    window.open_page("toy")
    window.close()

    again = MainWindow(bridge, settings, topics, dict.fromkeys(topics, TOY) | BROKEN)
    qtbot.addWidget(again)
    again.open_last_page()
    reopened = again.current.page
    assert reopened.topic.id == "toy"
    assert reopened.params == ToyParams(heads=8)
    assert reopened.tabs.currentIndex() == 2
    assert reopened.side.isHidden()
    assert (again.width(), again.height()) == (798, 700)
    again.close()


def test_that_remembered_parameters_that_no_longer_fit_give_the_defaults(
    window: MainWindow, settings: Settings
) -> None:
    settings.set_page_state("toy", {"params": {"heads": 999, "gone": 1}})
    assert window.open_page("toy").page.params == ToyParams()


def test_that_a_settings_file_with_nonsense_is_no_error(settings: Settings) -> None:
    settings._store.setValue("pages/toy", "{not json")
    settings._store.setValue("theme", "sepia")
    settings._store.setValue("language", 7)
    assert (settings.page_state("toy"), settings.theme, settings.language) == (None, "dark", "en")


def test_that_closing_during_a_run_is_graceful(
    window: MainWindow, page: ToyPage, bridge: EngineBridge, engine: FakeEngine, result: Result, qapp: Any
) -> None:
    window.run()
    window.close()
    bridge.close()
    engine.runs[0].post(Finished(result))
    qapp.processEvents()
    assert engine.closed
    assert ("result", result) not in page.calls
    page.run_bar.show_ended("", completed=False)


def test_that_the_worker_can_be_restarted(window: MainWindow, bridge: EngineBridge, qtbot: Any) -> None:
    engines = [FakeEngine(), FakeEngine()]
    waiting = iter(engines)
    bridge._make_engine = lambda: next(waiting)
    bridge.start()
    action = next(a for a in window.findChildren(type(window.menuBar().actions()[0])) if a.text() == "Restart worker")
    action.trigger()
    qtbot.waitUntil(lambda: engines[0].closed)
    assert engines[1].started


def test_that_the_status_bar_tells_the_workers_memory_only_while_visible(qtbot: Any) -> None:
    bar = StatusBar(lambda: 412_000_000)
    qtbot.addWidget(bar)
    assert not bar._timer.isActive()
    bar.show()
    assert bar._timer.isActive()
    bar._timer.timeout.emit()
    assert bar.memory.text().startswith("Worker 412 MB")
    bar.hide()
    assert not bar._timer.isActive()
    assert memory_of_children_bytes() >= 0


def test_that_a_window_that_large_texts_made_wider_gets_its_size_back(
    window: MainWindow, page: ToyPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.window.geometry._screens", lambda: [QRect(0, 0, 1600, 1000)])
    window.resize(1000, 700)
    QApplication.processEvents()
    chosen = window.size()
    window.centralWidget().setMinimumWidth(chosen.width() + 200)
    window.change_text_size(1)
    QApplication.processEvents()
    assert window.width() > chosen.width()
    window.centralWidget().setMinimumWidth(0)
    window.change_text_size(0)
    QApplication.processEvents()
    assert window.size() == chosen
