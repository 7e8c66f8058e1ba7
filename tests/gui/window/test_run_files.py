"""Files that the user gives the window, by drag and drop, the menu or the command line."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QMimeData, QObject, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QWidget

from core.contracts.result import Environment, Result
from core.recordings import document
from core.run_files import SUFFIX, SavedRun, read_run_file, write_run_file
from core.run_files.kinds import FileKind, kind_of
from gui.window.history import HistoryKeeper
from gui.window.main_window import MainWindow
from tests.gui.doubles import TOPIC, TOPICS, ToyPage, ToyResult
from tests.gui.windows import Windows
from tests.recordings.runs import usual

STARTED = datetime(2026, 11, 28, 10, 12, tzinfo=UTC)
COPY, LEFT, NO_KEY = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class TakingPage(ToyPage):
    """Takes files that are named so, and remembers them."""

    def open_dropped(self, path: str) -> bool:
        self.calls.append(("dropped", path))
        return path.endswith(".mine")


class Taker(QWidget):
    """A field that takes any file."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.taken: list[str] = []
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.taken.append(event.mimeData().urls()[0].toLocalFile())
        event.acceptProposedAction()


@pytest.fixture
def window(keeper: HistoryKeeper, windows: Windows) -> MainWindow:
    topics = {"toy": TOPIC, "compare": replace(TOPIC, id="compare")}
    window = windows.show(topics, {"compare": "tests.gui.window.test_run_files:TakingPage"}, keeper=keeper)
    window.run_files._topics = TOPICS
    return window


@pytest.fixture
def saved(result: ToyResult) -> SavedRun:
    there = Environment("cuda (NVIDIA H200)", "CUDA", {"tilescope": "1.2.0"})
    return SavedRun(replace(result, params=result.params.changed(seq_len=2048), environment=there), STARTED, 2.5)


@pytest.fixture
def file(saved: SavedRun, tmp_path: Path) -> Path:
    path = tmp_path / f"from a friend{SUFFIX}"
    write_run_file(path, saved)
    return path


def drop(target: QObject, path: Path) -> tuple[bool, bool]:
    """Drag a file over a widget or the window's handle and drop it; whether each was accepted."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    enter = QDragEnterEvent(QPoint(5, 5), COPY, data, LEFT, NO_KEY)
    dropped = QDropEvent(QPoint(5, 5), COPY, data, LEFT, NO_KEY)
    for event in (enter, dropped):
        event.ignore()
        QCoreApplication.sendEvent(target, event)
    return enter.isAccepted(), dropped.isAccepted()


def settle(window: MainWindow, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not window.run_files.busy)


def test_that_a_run_that_is_dropped_opens_as_recorded_with_its_parameters(
    window: MainWindow, file: Path, saved: SavedRun, qtbot: Any
) -> None:
    with qtbot.waitSignal(window.run_files.opened) as opened:
        assert drop(window.windowHandle(), file) == (True, True)
    assert opened.args == [str(file)]
    assert window.current.page.params == saved.result.params
    assert window.current.page.recorded.isVisible()
    assert window.current.controller.recorded.started_at == STARTED
    assert window.footer.startswith("Tilescope  ·  toy  ·  Recorded on cuda (NVIDIA H200) at 2026-11-28 10:12 UTC")
    assert "  ·  recorded  ·  " in window.footer


def test_that_a_run_opens_whatever_is_under_the_mouse_and_other_files_are_left_to_it(
    window: MainWindow, file: Path, tmp_path: Path, qtbot: Any
) -> None:
    taker = Taker(window)
    taker.resize(50, 50)
    taker.show()
    other = tmp_path / "weights.safetensors"
    drop(window.windowHandle(), other)
    assert taker.taken == [str(other)]
    assert not window.run_files.busy
    with qtbot.waitSignal(window.run_files.opened):
        drop(window.windowHandle(), file)
    assert taker.taken == [str(other)]


def test_that_a_recording_opens_on_the_compare_page_from_any_other(
    window: MainWindow, tmp_path: Path, qtbot: Any
) -> None:
    path = tmp_path / "h200.mine"
    document.write(path, [usual()])
    window.open_page("toy")
    drop(window, path)
    settle(window, qtbot)
    assert window.current.page.topic.id == "compare"
    assert ("dropped", str(path)) in window.current.page.calls


def test_that_any_other_file_is_for_the_page_in_view_or_one_sentence(
    window: MainWindow, tmp_path: Path, qtbot: Any
) -> None:
    for name, sentence in (("a.mine", ""), ("b.txt", "b.txt is no saved run, and nothing in view opens it")):
        path = tmp_path / name
        path.write_text("text")
        page = window.open_page("compare").page
        drop(window, path)
        settle(window, qtbot)
        assert ("dropped", str(path)) in page.calls
        assert page.banner.sentence.startswith(sentence)
        assert bool(page.banner.sentence) == bool(sentence)


def test_that_a_damaged_run_is_one_sentence_and_what_is_in_view_stays(
    window: MainWindow, file: Path, result: Result, qtbot: Any
) -> None:
    opened = window.open_page("toy")
    opened.controller.show_result(result)
    file.write_bytes(file.read_bytes()[:-30])
    window.run_files.open(file)
    settle(window, qtbot)
    assert opened.page.banner.sentence == f"{file} is damaged and cannot be opened: copy or save it again."
    assert opened.controller.result is result
    assert opened.page.recorded.isHidden()


def test_that_values_of_no_run_are_one_sentence_and_nothing_of_them_stays(
    window: MainWindow, file: Path, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    opened = window.open_page("toy")

    def fails(result: Result | None) -> None:
        assert result is None, "drawn"

    monkeypatch.setattr(opened.page, "draw_result", fails)
    window.run_files.open(file)
    settle(window, qtbot)
    assert opened.page.banner.sentence == f"{file} is damaged and cannot be opened: copy or save it again."
    assert (opened.controller.result, opened.controller.recorded) == (None, None)
    assert opened.page.recorded.isHidden()


def test_that_without_a_page_in_view_a_bad_file_is_said_in_the_status_bar(
    window: MainWindow, tmp_path: Path, qtbot: Any
) -> None:
    window.run_files.open(tmp_path / f"none{SUFFIX}")
    settle(window, qtbot)
    assert "cannot be read (it does not exist)" in window.status.currentMessage()


def test_that_a_recorded_run_does_not_enter_the_history(
    window: MainWindow, keeper: HistoryKeeper, file: Path, qtbot: Any
) -> None:
    with qtbot.waitSignal(window.run_files.opened):
        window.run_files.open(file)
    with qtbot.waitSignal(keeper.listed) as listed:
        keeper.refresh("toy")
    assert listed.args[1].entries == ()


def test_that_the_shown_run_is_saved_and_opens_again(
    window: MainWindow, saved: SavedRun, tmp_path: Path, monkeypatch: Any, qtbot: Any
) -> None:
    window.open_page("toy").controller.show_saved(saved)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    window.run_files.save_shown()
    settle(window, qtbot)
    assert window.status.currentMessage() == f"Saved mine{SUFFIX}."
    again = read_run_file(tmp_path / f"mine{SUFFIX}", topics=TOPICS)
    assert (again.result.metrics, again.started_at, again.wall_s) == (saved.result.metrics, STARTED, 2.5)


def test_that_a_file_that_the_dialog_did_not_ask_about_is_not_replaced(
    window: MainWindow, saved: SavedRun, tmp_path: Path, qtbot: Any
) -> None:
    kept = tmp_path / f"mine{SUFFIX}"
    kept.write_text("kept")
    window.open_page("toy")
    window.run_files.saver.save(saved, tmp_path / "mine")
    settle(window, qtbot)
    assert window.current.page.banner.sentence == f"mine{SUFFIX} exists already: choose another name."
    assert kept.read_text() == "kept"


def test_that_a_page_without_a_run_says_what_is_missing(window: MainWindow) -> None:
    page = window.open_page("toy").page
    window.run_files.save_shown()
    assert page.banner.sentence == "There is no run to save on this page: run it first (F5)."


def test_that_a_run_is_saved_from_the_history(
    window: MainWindow, result: Result, tmp_path: Path, monkeypatch: Any, qtbot: Any
) -> None:
    opened = window.open_page("toy")
    opened.controller.finished.emit(result, STARTED.timestamp(), 2.5, None)
    panel, path = opened.page.history, tmp_path / f"old{SUFFIX}"
    qtbot.waitUntil(lambda: len(panel.table.rows) == 1)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    panel.table.view.selectRow(0)
    panel.save.click()
    qtbot.waitUntil(path.exists)
    qtbot.waitUntil(lambda: window.status.currentMessage() == f"Saved old{SUFFIX}.")
    assert read_run_file(path, topics=TOPICS).started_at == STARTED


def test_that_the_menu_opens_a_run(window: MainWindow, file: Path, monkeypatch: Any, qtbot: Any) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    with qtbot.waitSignal(window.run_files.opened):
        next(action for menu in window.menus for action in menu.actions if action.id == "open-run").work()
    assert window.current.page.recorded.isVisible()


def test_that_content_decides_what_a_file_is(file: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "renamed.zip"
    renamed.write_bytes(file.read_bytes())
    recording = tmp_path / "recording.txt"
    document.write(recording, [usual()])
    damaged = tmp_path / f"damaged{SUFFIX}"
    damaged.write_bytes(b"")
    other = tmp_path / "other.json"
    other.write_text("{}")
    demo = tmp_path / "demo.toml"
    demo.write_text("")
    kinds = [kind_of(path) for path in (renamed, recording, damaged, demo, other, tmp_path, tmp_path / "none")]
    assert kinds == [FileKind.RUN, FileKind.RECORDING, FileKind.RUN, FileKind.DEMO, *[FileKind.OTHER] * 3]
