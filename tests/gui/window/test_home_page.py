"""Home in the window: the first page of the first start, its keys, its errors, and what a question opens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtPrintSupport import QPrintDialog
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from core.contracts.place import Place
from core.contracts.topic import Topic
from core.engine.history import History
from gui.window.history import HistoryKeeper
from gui.window.main_window import MainWindow
from gui.window.navigation import HOME
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine
from tests.gui.windows import Windows

_LEAVE_HOME = ("quit", "full-screen", "shortcuts", "play-demo", "record-demo", "demo", "page")
"""How the ids of actions begin that open a dialog or another page, and change nothing at home."""
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def keeper_of_all(tmp_path: Path, qapp: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryKeeper]:
    """A history of every topic, in a folder of its own."""
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path))
    keeper = HistoryKeeper(lambda: History(tmp_path / "history.sqlite3"))
    yield keeper
    keeper.close()


def press(window: MainWindow, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, key, modifier)


def test_that_the_first_start_shows_the_questions_with_the_search_focused(window: MainWindow) -> None:
    window.open_last_page()
    home = window.home.in_view
    assert home is not None
    assert QApplication.focusWidget() is home.browser.search
    assert window.navigation.buttons[HOME].isChecked()
    assert window.current is None


def test_that_the_next_session_begins_where_the_last_one_ended(window: MainWindow, settings: Settings) -> None:
    window.home.open()
    window.open_page("toy")
    assert not window.home.is_last
    press(window, Qt.Key.Key_Home, Qt.KeyboardModifier.AltModifier)
    assert window.home.in_view is not None
    assert window.home.is_last
    assert settings.page == HOME


def test_that_every_action_copes_with_home_in_view(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    window.home.open()
    for name in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: ("", ""))
    monkeypatch.setattr(QPrintDialog, "exec", lambda _: 0)
    for menu in window.menus:
        for action in menu.actions:
            if not action.id.startswith(_LEAVE_HOME) and not str(action.refusal()):
                window.home.open()
                action.work()


def test_that_an_error_at_home_is_said_there(window: MainWindow) -> None:
    home = window.home.open()
    window.show_error("It broke.")
    assert home.banner.sentence == "It broke."
    press(window, Qt.Key.Key_Escape)
    assert not home.banner.sentence


def test_that_a_place_that_home_cannot_open_is_said_at_home(window: MainWindow) -> None:
    home = window.home.open()
    home.visit_requested.emit(Place("nowhere"), "")
    assert "nowhere" in home.banner.sentence


def test_that_escape_clears_the_search_and_f5_runs_the_question_in_view(
    engine: FakeEngine, keeper_of_all: HistoryKeeper, windows: Windows, topic: Topic, qtbot: Any
) -> None:
    window = windows.show({"toy": topic}, keeper=keeper_of_all)
    home = window.home.open()
    with qtbot.waitSignal(home.ready):
        pass
    home.browser.search.setText("lora")
    press(window, Qt.Key.Key_Escape)
    assert home.browser.search.text() == ""
    press(window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: bool(engine.runs))
    assert [run.topic_id for run in engine.runs] == [home.browser.detail.question.page]
    window.close()
    assert engine.runs[0].cancelled


def test_that_home_imports_no_plotting_library_and_no_torch() -> None:
    code = (
        "import sys, gui.home.home, gui.home.review\n"
        "heavy = {'pyqtgraph', 'torch', 'triton', 'distributed', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
