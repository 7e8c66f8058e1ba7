"""What the next start shows of the last one, whether it was closed or crashed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.contracts.text import tr
from core.contracts.topic import Topic
from core.run_files import SavedRun
from gui.page.engine_bridge import EngineBridge
from gui.window.history import HistoryKeeper
from gui.window.main_window import MainWindow
from gui.window.page_memory import file_in
from gui.window.session_keeper import SessionKeeper
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine, ToyParams, ToyResult

TOY = "tests.gui.doubles:ToyPage"


@pytest.fixture
def topics(topic: Topic) -> dict[str, Topic]:
    return {"toy": topic, "second": replace(topic, id="second", title=tr("Second"))}


@pytest.fixture
def open_window(
    topics: dict[str, Topic], keeper: HistoryKeeper, tmp_path: Path, qtbot: Any
) -> Iterator[Callable[[], MainWindow]]:
    """A new window each time, with the same settings file and history."""
    windows: list[MainWindow] = []

    def open_one() -> MainWindow:
        settings = Settings(tmp_path / "settings.ini")
        window = MainWindow(EngineBridge(FakeEngine), settings, topics, dict.fromkeys(topics, TOY), keeper)
        qtbot.addWidget(window)
        window.show()
        windows.append(window)
        return window

    yield open_one
    for window in windows:
        window.close()


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def keep_session(window: MainWindow, folder: Path) -> SessionKeeper:
    session = SessionKeeper(window, window._settings, folder, window)
    session.begin()
    return session


def crash(folder: Path, pages: dict[str, Any], view: str) -> Path:
    """A file of a process that is gone."""
    folder.mkdir()
    file = folder / "4194305.json"
    file.write_text(json.dumps({"started_at": 1.0, "view": view, "pages": pages}))
    return file


def test_that_the_run_and_the_selection_of_the_last_session_are_there_again(
    open_window: Callable[[], MainWindow], keeper: HistoryKeeper, other_result: ToyResult, qtbot: Any
) -> None:
    first = open_window().open_page("toy")
    assert first is not None
    first.page.form.propose(other_result.params)
    with qtbot.waitSignal(keeper.kept):
        keeper.keep(other_result, datetime(2026, 1, 2, tzinfo=UTC).timestamp(), 1.0)
    first.controller.show_result(other_result)
    first.page.selection.update(head=2, tensor="K")
    first.page.window().close()

    again = open_window().open_page("toy")
    assert again is not None
    qtbot.waitUntil(lambda: again.controller.result is not None)
    assert again.page.params == other_result.params
    assert dict(again.page.selection.selection.items) == {"head": 2, "tensor": "K"}


def test_that_the_file_of_an_opened_run_is_remembered_while_it_is_in_view(
    open_window: Callable[[], MainWindow], result: ToyResult
) -> None:
    window = open_window()
    opened = window.open_page("toy")
    assert opened is not None
    run = SavedRun(result, datetime(2026, 1, 2, tzinfo=UTC), 1.0, file="/elsewhere/run")
    opened.controller.show_recorded(run)
    assert file_in(window.stack.states["toy"]) == "/elsewhere/run"
    opened.controller.show_recorded(replace(run, file=""))
    assert file_in(window.stack.states["toy"]) == ""
    opened.controller.show_recorded(run)
    opened.controller.clear()
    assert file_in(window.stack.states["toy"]) == ""


def test_that_what_is_open_is_in_a_file_until_the_window_is_closed(
    open_window: Callable[[], MainWindow], sessions: Path, qtbot: Any
) -> None:
    window = open_window()
    session = keep_session(window, sessions)
    window.open_page("second")
    opened = window.open_page("toy")
    assert opened is not None
    opened.page.form.propose(ToyParams(heads=8))
    qtbot.waitUntil(lambda: any(sessions.glob("*.json")) and "8" in next(sessions.glob("*.json")).read_text())
    [file] = sessions.glob("*.json")
    document = json.loads(file.read_text())
    assert document["view"] == "toy"
    assert list(document["pages"]) == ["second", "toy"]
    assert document["pages"]["toy"]["params"]["heads"] == 8
    session.close()
    assert not file.exists()


def test_that_a_crash_is_offered_and_restored(
    open_window: Callable[[], MainWindow], sessions: Path, keeper: HistoryKeeper, other_result: ToyResult, qtbot: Any
) -> None:
    with qtbot.waitSignal(keeper.kept):
        keeper.keep(other_result, datetime(2026, 1, 2, tzinfo=UTC).timestamp(), 1.0)
    states = {
        "second": {"params": {"heads": 8}},
        "toy": {"params": {"seq_len": 2048}},
        "gone": {"params": {}},
    }
    file = crash(sessions, states, "second")
    window = open_window()
    toy = window.open_page("toy")
    assert toy is not None
    session = keep_session(window, sessions)
    qtbot.waitUntil(window.offer.isVisible)
    assert "ended unexpectedly" in window.offer.sentence.text()
    window.offer.accept.click()
    assert window.offer.isHidden()
    assert window.current is not None
    assert window.current.page.topic.id == "second"
    assert window.current.page.params == ToyParams(heads=8)
    assert toy.page.params == ToyParams(seq_len=2048)
    qtbot.waitUntil(lambda: toy.controller.result is not None)
    assert not file.exists()
    session.close()


@pytest.mark.parametrize("is_dismissed", [True, False])
def test_that_a_crash_is_offered_once(
    open_window: Callable[[], MainWindow], sessions: Path, qtbot: Any, is_dismissed: bool
) -> None:
    file = crash(sessions, {"toy": {"params": {"heads": 8}}}, "toy")
    window = open_window()
    session = keep_session(window, sessions)
    qtbot.waitUntil(window.offer.isVisible)
    assert file.exists(), "another crash before the decision loses nothing"
    if is_dismissed:
        window.offer.dismiss.click()
        assert window.offer.isHidden()
    else:
        session.close()
    assert not file.exists()
    assert window.stack.opened == {}
    session.close()


def test_that_a_session_file_with_nonsense_is_restored_as_far_as_it_goes(
    open_window: Callable[[], MainWindow], sessions: Path, qtbot: Any
) -> None:
    crash(sessions, {"toy": {"params": {"heads": 999}, "selection": {"a b": []}}, "second": {"tab": "x"}}, "nowhere")
    window = open_window()
    session = keep_session(window, sessions)
    qtbot.waitUntil(window.offer.isVisible)
    window.offer.accept.click()
    assert window.offer.isHidden()
    opened = window.open_page("toy")
    assert opened is not None
    assert opened.page.params == ToyParams()
    session.close()


def test_that_f11_fills_the_screen_and_gives_it_back(open_window: Callable[[], MainWindow]) -> None:
    window = open_window()
    window.toggle_full_screen()
    assert window.isFullScreen()
    window.toggle_full_screen()
    assert not window.isFullScreen()
