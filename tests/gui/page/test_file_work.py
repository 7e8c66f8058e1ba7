"""Files are opened beside the GUI thread, and one that never answers holds nothing up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QTimer

from core.contracts.errors import InvalidParams
from core.contracts.params import text
from core.contracts.text import tr
from gui.page import file_work
from gui.page.controller import Controller
from gui.page.engine_bridge import EngineBridge
from gui.page.file_work import FileWork
from tests.gui.doubles import TOPIC, FakeEngine, ToyParams
from tests.gui.latest_work import join_latest_work
from tests.gui.page.test_controller import MockView


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What work waits for; open at the end of the test, so that no thread is left."""
    gate = threading.Event()
    yield gate
    gate.set()
    join_latest_work()


class FileParams(ToyParams):
    file: str = text("", label=tr("File"), help=tr("A file."), file_filter="*")


@pytest.fixture
def view(qapp: Any) -> MockView:
    view = MockView()
    view.params = FileParams()
    return view


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def controller(view: MockView, bridge: EngineBridge, **parts: Callable[[Any], Any]) -> Controller:
    topic = replace(TOPIC, params=FileParams, path_params=("file",), **parts)
    return Controller(topic, view, bridge)


def test_that_the_newest_answer_arrives_and_the_window_goes_on_meanwhile(qtbot: Any, gate: threading.Event) -> None:
    answers: list[str] = []
    beats: list[float] = []
    beat = QTimer(interval=1)
    beat.timeout.connect(lambda: beats.append(time.monotonic()))
    work = FileWork(lambda error: None)
    beat.start()
    work.read(lambda: gate.wait() and "old", answers.append)
    qtbot.waitUntil(lambda: len(beats) > 5)
    work.read(lambda: "new", answers.append)
    gate.set()
    qtbot.waitUntil(lambda: answers == ["new"])
    assert not work.busy
    beat.stop()


def test_that_a_file_that_never_answers_is_given_up_and_the_next_one_is_read(
    qtbot: Any, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_work, "DEADLINE_MS", 30)
    errors: list[Exception] = []
    answers: list[str] = []
    work = FileWork(errors.append)
    work.read(lambda: gate.wait() and "late", answers.append)
    qtbot.waitUntil(lambda: len(errors) == 1)
    assert "has not answered" in str(errors[0])
    assert not work.busy
    work.read(lambda: "next", answers.append)
    qtbot.waitUntil(lambda: answers == ["next"])
    gate.set()
    join_latest_work()
    assert answers == ["next"]


def test_that_work_that_goes_on_is_not_given_up_however_long_it_takes(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_work, "DEADLINE_MS", 30)
    errors: list[Exception] = []
    answers: list[str] = []
    looks: list[object] = []
    enough = threading.Event()

    def slowly() -> str:
        steps = 0
        while not enough.is_set():  # no instruction takes long
            steps += 1
        return "done"

    work = FileWork(errors.append)
    work._deadline._timer.timeout.connect(lambda: looks.append(None))
    work.read(slowly, answers.append)
    qtbot.waitUntil(lambda: len(looks) > 30)  # three times as many as one waits for a thread that stands still
    enough.set()
    qtbot.waitUntil(lambda: answers == ["done"])
    assert errors == []


def test_that_a_file_that_waited_for_one_that_never_answers_is_read_and_not_blamed(
    qtbot: Any, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_work, "DEADLINE_MS", 30)
    errors: list[Exception] = []
    answers: list[str] = []
    work = FileWork(errors.append)
    work.read(lambda: gate.wait() and "never", answers.append)
    work.forget()
    work.read(lambda: "good", answers.append)
    qtbot.waitUntil(lambda: answers == ["good"])
    assert errors == []
    assert not work.busy
    gate.set()
    join_latest_work()
    assert answers == ["good"]


def test_that_a_cancel_while_the_files_are_checked_keeps_the_run_from_starting(
    view: MockView, engine: FakeEngine, qtbot: Any, gate: threading.Event
) -> None:
    page = controller(view, EngineBridge(lambda: engine), check=lambda params: gate.wait() and None)
    view.params = FileParams(file="slow")
    page.run()
    page.cancel()
    gate.set()
    qtbot.waitUntil(lambda: not page.running)
    assert engine.runs == []


def test_that_a_plan_with_a_file_is_made_in_another_thread_and_a_blank_one_is_shown_first(
    view: MockView, engine: FakeEngine, qtbot: Any, gate: threading.Event
) -> None:
    threads: list[str] = []

    def plan(params: FileParams) -> tuple[str, str]:
        threads.append(threading.current_thread().name)
        if params.file:
            gate.wait()
        return ("plan of", params.file)

    page = controller(view, EngineBridge(lambda: engine), plan=plan)
    view.params = FileParams(file="slow")
    page.show_plan()
    assert view.called("show_plan") == [(("plan of", ""), FileParams())]
    assert view.called("keep_plan") == [(view.params,)]
    assert page.planning
    gate.set()
    qtbot.waitUntil(lambda: len(view.called("show_plan")) == 2)
    assert view.called("show_plan")[-1] == (("plan of", "slow"), view.params)
    assert threads[0] == threading.main_thread().name != threads[1]


def test_that_a_run_starts_once_its_files_are_checked_and_not_if_they_are_refused(
    view: MockView, engine: FakeEngine, qtbot: Any, gate: threading.Event
) -> None:
    def check(params: FileParams) -> None:
        gate.wait()
        if params.file == "bad":
            raise InvalidParams(tr("It cannot be read."), "file")

    bridge = EngineBridge(lambda: engine)
    page = controller(view, bridge, check=check, plan=lambda params: "plan")
    for file in ("good", "bad"):
        view.params = FileParams(file=file)
        page.run("cpu")
        assert page.running
        gate.set()
        qtbot.waitUntil(lambda file=file: bool(engine.runs) if file == "good" else bool(view.called("show_error")))
        gate.clear() if file == "good" else None
        page._run = None
    assert [run.params.file for run in engine.runs] == ["good"]
    assert view.called("show_error") == [("It cannot be read.", "", "file")]
    bridge.close()
