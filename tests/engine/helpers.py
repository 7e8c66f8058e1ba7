"""Helpers of the engine's tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psutil

from core.contracts.events import Event
from core.contracts.result import Result
from core.engine import Engine, EngineState, Run

TOPICS = {"trouble": "tests.engine.trouble"}
TIMEOUT_S = 100.0
"""Longer than anything takes, even on a busy machine: it ends a test that hangs."""
GRACE_S = 0.5

Submit = Callable[..., Run]


def result_of(run: Run) -> Result:
    return run.result(TIMEOUT_S)


def events_of(run: Run) -> list[Event]:
    """All events of the run, to the terminal one."""
    return list(run.stream(TIMEOUT_S))


def wait_for_event(run: Run, kind: type[Event]) -> Any:
    """The first event of that kind."""
    return next(event for event in run.stream(TIMEOUT_S) if isinstance(event, kind))


def worker_pids() -> set[int]:
    """The live worker processes of this process: started by the local cluster."""
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "worker_process" in " ".join(child.cmdline())
    }


class StateLog:
    """Records the states of an engine, and waits for one."""

    def __init__(self, engine: Engine) -> None:
        self.states: list[EngineState] = [engine.state]
        self._changed = threading.Condition()
        engine.on_state(self._add)

    def _add(self, state: EngineState) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[EngineState], bool]) -> EngineState:
        """The newest state, once it meets the condition."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.states[-1]), TIMEOUT_S), self.states
            return self.states[-1]

    def wait_for(self, phase: str) -> EngineState:
        return self.wait_until(lambda state: state.phase == phase)
