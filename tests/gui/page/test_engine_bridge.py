from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from core.contracts.events import Finished, Progress
from core.contracts.result import Result
from gui.page.engine_bridge import EngineBridge
from tests.gui.doubles import FakeEngine, ToyParams

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def bridge(engine: FakeEngine, qapp: Any) -> EngineBridge:
    return EngineBridge(lambda: engine)


def test_that_the_timer_runs_only_while_there_is_a_run(
    bridge: EngineBridge, engine: FakeEngine, result: Result, qtbot: Any
) -> None:
    heard: list[Any] = []
    bridge.run_event.connect(lambda run, event: heard.append((run, event)))
    assert not bridge._timer.isActive()
    run = bridge.submit("toy", ToyParams(), "cpu")
    assert bridge._timer.isActive()
    run.post(Progress(1, 2, "half"), Finished(result))
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert heard == [(run, Progress(1, 2, "half")), (run, Finished(result))]
    assert not bridge.watching
    assert not bridge._timer.isActive()


def test_that_states_sent_from_a_thread_arrive_on_the_gui_thread_newest_only(
    bridge: EngineBridge, engine: FakeEngine, qtbot: Any
) -> None:
    heard: list[tuple[str, Any]] = []
    bridge.start()

    class Listener:
        def hear(self, state: Any) -> None:
            heard.append((state.phase, threading.current_thread()))

    listener = Listener()
    bridge.state_changed.connect(listener.hear)
    thread = threading.Thread(target=lambda: [engine.tell("ready"), engine.tell("busy", device="cpu")])
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: bool(heard))
    assert heard == [("busy", threading.main_thread())]


def test_that_starting_twice_makes_one_engine(qapp: Any) -> None:
    made: list[FakeEngine] = []

    def make() -> FakeEngine:
        made.append(FakeEngine())
        return made[-1]

    bridge = EngineBridge(make)
    bridge.start()
    bridge.start()
    assert len(made) == 1


def test_that_restarting_replaces_the_engine_and_still_delivers_the_old_runs_end(qtbot: Any, result: Result) -> None:
    engines = [FakeEngine(), FakeEngine()]
    waiting = iter(engines)
    bridge = EngineBridge(lambda: next(waiting))
    heard: list[Any] = []
    bridge.run_event.connect(lambda run, event: heard.append(event))
    run = bridge.submit("toy", ToyParams(), "cpu")
    bridge.restart()
    qtbot.waitUntil(lambda: engines[0].closed)
    assert engines[1].started
    run.post(Finished(result))
    bridge.drain()
    assert heard == [Finished(result)]


def test_that_nothing_is_delivered_after_closing(
    bridge: EngineBridge, engine: FakeEngine, qapp: Any, result: Result
) -> None:
    heard: list[Any] = []
    bridge.run_event.connect(lambda run, event: heard.append(event))
    run = bridge.submit("toy", ToyParams(), "cpu")
    bridge.close()
    assert engine.closed
    run.post(Finished(result))
    engine.tell("closed")
    bridge.drain()
    qapp.processEvents()
    assert not heard


def test_that_a_signal_can_be_emitted_five_thousand_times() -> None:
    """PySide6 6.12.0 drops a reference to True at each emit and aborts on CPython 3.11 after about 570."""
    script = (
        "from PySide6.QtCore import QObject, Signal\n"
        "class Source(QObject):\n"
        "    changed = Signal(object)\n"
        "    flagged = Signal(bool)\n"
        "source, heard = Source(), []\n"
        "source.changed.connect(heard.append)\n"
        "source.flagged.connect(heard.append)\n"
        "for number in range(5000):\n"
        "    source.changed.emit(number)\n"
        "    source.flagged.emit(True)\n"
        "print(len(heard))\n"
    )
    outcome = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert outcome.stdout.strip() == "10000", outcome.stderr
