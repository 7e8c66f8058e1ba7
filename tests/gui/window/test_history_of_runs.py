from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from core.contracts.errors import TilescopeError
from core.contracts.events import Finished
from core.contracts.result import Result
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.engine.history import Export, History
from gui.page import file_writing
from gui.page.controller import Controller
from gui.page.engine_bridge import EngineBridge
from gui.page.file_writing import THREAD_NAME, finish_writing
from gui.window.history import HistoryKeeper, PageHistory
from tests.gui.doubles import TOPICS, FakeEngine, ToyPage, ToyParams, ToyResult

DAY_S = 1_700_000_000.0


@pytest.fixture
def controller(topic: Topic, page: ToyPage, engine: FakeEngine, keeper: HistoryKeeper) -> Controller:
    controller = Controller(topic, page, EngineBridge(lambda: engine, page), page)
    PageHistory(page, controller, keeper)
    return controller


def rows(page: ToyPage) -> list[str]:
    table = page.history.table
    return [table.model.index(row, 3).data() for row in range(len(table.rows))]


@pytest.fixture
def two_runs(controller: Controller, page: ToyPage, result: Result, other_result: Result, qtbot: Any) -> None:
    page.tabs.setCurrentWidget(page.history)
    with qtbot.waitActive(page):
        page.activateWindow()
    controller.finished.emit(result, DAY_S, 1.5, None)
    controller.finished.emit(other_result, DAY_S + 60, 2.5, None)
    qtbot.waitUntil(lambda: len(rows(page)) == 2)


@pytest.mark.usefixtures("two_runs")
def test_that_finished_runs_are_listed_newest_first_with_what_differs(page: ToyPage) -> None:
    assert rows(page) == ["seq_len=2048", "defaults"]
    assert page.history.table.model.index(1, 2).data() == "1.50 s"
    assert not page.history.reopen.isEnabled()


@pytest.mark.usefixtures("two_runs")
def test_that_a_run_is_reopened_with_its_parameters(
    page: ToyPage, controller: Controller, other_result: Result, qtbot: Any
) -> None:
    page.history.table.view.selectRow(0)
    page.history.reopen.click()
    qtbot.waitUntil(lambda: controller.result is not None)
    assert controller.result.params == other_result.params
    assert page.params == ToyParams(seq_len=2048)
    page.form.undo_stack.undo()
    assert page.params == ToyParams()


@pytest.mark.usefixtures("two_runs")
def test_that_a_run_is_pinned_from_the_history_while_another_is_shown(
    page: ToyPage, controller: Controller, result: Result, other_result: Result, qtbot: Any
) -> None:
    controller.show_result(result)
    page.history.table.view.selectRow(0)
    page.history.pin.click()
    qtbot.waitUntil(lambda: controller.pinned is not None)
    assert page.of_a.params == other_result.params
    assert controller.result is result


@pytest.mark.usefixtures("two_runs")
def test_that_the_selected_run_stays_selected_when_another_finishes(
    page: ToyPage, controller: Controller, result: Result, qtbot: Any
) -> None:
    page.history.table.view.selectRow(0)
    before = page.history.selected
    controller.finished.emit(result, DAY_S + 120, 1.0, None)
    qtbot.waitUntil(lambda: len(rows(page)) == 3)
    assert page.history.selected == before
    assert page.history.table.rows[1].id == before


@pytest.mark.usefixtures("two_runs")
def test_that_a_deleted_run_comes_back_with_undo(page: ToyPage, qtbot: Any) -> None:
    page.history.table.view.selectRow(0)
    page.history.table.view.setFocus()
    QTest.keyClick(page.history.table.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: rows(page) == ["defaults"])
    assert not page.history.undo.isHidden()
    page.history.undo.click()
    qtbot.waitUntil(lambda: rows(page) == ["seq_len=2048", "defaults"])
    assert page.history.undo.isHidden()


@pytest.mark.usefixtures("two_runs")
def test_that_a_run_is_exported_into_a_folder(
    page: ToyPage, keeper: HistoryKeeper, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "out"))
    page.history.table.view.selectRow(1)
    with qtbot.waitSignal(keeper.notice) as notice:
        page.history.export.click()
    assert str(notice.args[0]).startswith("Exported toy-")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".json", ".npz"}


@pytest.mark.usefixtures("two_runs")
def test_that_an_export_to_a_folder_that_never_answers_holds_up_neither_the_history_nor_quitting(
    page: ToyPage, keeper: HistoryKeeper, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(Export, "write", lambda *_: gate.wait() and ())
    monkeypatch.setattr(file_writing, "DEADLINE_MS", 30)
    page.history.table.view.selectRow(1)
    with qtbot.waitSignal(keeper.notice) as notice:
        keeper.export(page.history.selected, tmp_path)
    assert "could not be written within" in str(notice.args[0])
    assert notice.args[1]
    with qtbot.waitSignal(keeper.listed):
        keeper.refresh("toy")
    keeper.export(page.history.selected, tmp_path)
    keeper.close()
    assert any(thread.name == THREAD_NAME for thread in threading.enumerate())
    gate.set()
    finish_writing(5.0)


def test_that_runs_of_other_topics_are_not_listed(
    page: ToyPage, controller: Controller, keeper: HistoryKeeper, qtbot: Any
) -> None:
    with qtbot.waitSignal(keeper.listed):
        keeper.keep(ToyResult(topic="other", params=ToyParams()), DAY_S, 1.0)
    assert rows(page) == []


def test_that_a_history_that_cannot_be_read_is_one_sentence(qtbot: Any) -> None:
    def broken() -> Any:
        raise TilescopeError("The history cannot be read.")

    keeper = HistoryKeeper(broken)
    with qtbot.waitSignal(keeper.notice) as notice:
        keeper.refresh("toy")
    assert [str(notice.args[0]), notice.args[1]] == ["The history cannot be read.", True]
    keeper.close()


def test_that_what_became_of_a_damaged_history_is_told(qtbot: Any, tmp_path: Path) -> None:
    (tmp_path / "history.sqlite3").write_bytes(b"no database " * 400)
    keeper = HistoryKeeper(lambda: History(tmp_path / "history.sqlite3", topics=TOPICS))
    with qtbot.waitSignal(keeper.notice) as notice:
        keeper.refresh("toy")
    assert "was moved to" in str(notice.args[0])
    assert notice.args[1]
    keeper.close()


def test_that_a_run_is_done_once_it_is_on_disk(
    page: ToyPage,
    controller: Controller,
    engine: FakeEngine,
    keeper: HistoryKeeper,
    result: Result,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phases: list[str] = []
    monkeypatch.setattr(page, "show_ended", lambda phase, completed: phases.append(str(phase)))
    page.run_bar.request_run()
    with qtbot.waitSignal(keeper.kept):
        engine.runs[-1].post(Finished(result))
    qtbot.waitUntil(lambda: len(phases) == 2)
    assert phases == ["Saving the run in the history", f"Done on {result.environment.device}"]
    assert controller.result is result


def test_that_rows_that_cannot_be_read_are_told(page: ToyPage) -> None:
    page.history.set_entries([], 1)
    assert page.history._hint.text() == "0 runs, 0 B. 1 run of 1 could not be read."


def test_that_pending_requests_are_done_before_closing(tmp_path: Path, qapp: Any, result: Result) -> None:
    keeper = HistoryKeeper(lambda: History(tmp_path / "history.sqlite3", topics=TOPICS))
    keeper.keep(result, DAY_S, 1.0)
    keeper.close()
    (entry,) = History(tmp_path / "history.sqlite3", topics=TOPICS).list("toy")
    assert entry.started_at == datetime.fromtimestamp(DAY_S, UTC)


@pytest.mark.parametrize("error", [TilescopeError(tr("It cannot be opened.")), PermissionError("no")])
def test_that_a_run_that_no_history_keeps_is_still_done(result: Result, qtbot: Any, error: Exception) -> None:
    """The page waits for the word that it is kept; and no error is lost in the thread."""

    def unusable() -> History:
        raise error

    keeper = HistoryKeeper(unusable)
    kept: list[Result] = []
    notices: list[str] = []
    keeper.kept.connect(kept.append)
    keeper.notice.connect(lambda sentence, is_error: notices.append(str(sentence)))
    keeper.keep(result, DAY_S, 1.0)
    qtbot.waitUntil(lambda: kept == [result])
    qtbot.waitUntil(lambda: len(notices) == 1)
    keeper.close()
