"""Makes the runs that are missing, one after another, while the user does something else. No widgets."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from core.contracts.text import EMPTY, Text, tr
from gui.home.reader import Keeper, Reader, Wanted

if TYPE_CHECKING:
    from core.contracts.events import Event
    from core.questions.check_all import PlannedRun
    from core.questions.question import Question
    from gui.page.engine_bridge import EngineBridge

QUIET_MS = 1500
"""How long after the user's last run the next missing one begins: one run of the user is often followed by another."""

_MOST_ATTEMPTS = 3
"""A run that the worker ended this often without the user asking for it is given up."""


class Phase(Enum):
    """`PAUSED` while runs of the user go on."""

    IDLE = "idle"
    LOOKING = "looking"
    RUNNING = "running"
    PAUSED = "paused"


@dataclass(frozen=True)
class Failure:
    """A run that has no result, and why."""

    run: PlannedRun
    sentence: Text


@dataclass
class Round:
    """What one press of 'Check all' has to do, and how far it is."""

    wanted: Wanted
    urgent: frozenset[str] = frozenset()
    """Questions that the user wants answered before the others."""

    waiting: tuple[PlannedRun, ...] = ()
    done: int = 0
    failures: list[Failure] = field(default_factory=list)
    attempts: dict[tuple[str, Any], int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.done + len(self.failures) + len(self.waiting)

    def attempted(self, run: PlannedRun) -> None:
        """It will not be made again."""
        self.attempts[run.page, run.params] = _MOST_ATTEMPTS

    def was_attempted(self, run: PlannedRun) -> bool:
        return self.attempts.get((run.page, run.params), 0) >= _MOST_ATTEMPTS


class CheckAll(QObject):
    """Before each run the history is looked at again, so that what the user ran meanwhile is not made twice.

    A run of the user comes first: the run that goes on is cancelled, and begins again when the user's is over.
    `changed` says that a property has another value, `ended` that a round is over; it carries whether it was stopped.
    """

    changed = Signal()
    ended = Signal(bool)

    def __init__(
        self,
        bridge: EngineBridge,
        keeper: Keeper,
        reader: Reader,
        parent: QObject | None = None,
        *,
        quiet_ms: int = QUIET_MS,
    ) -> None:
        super().__init__(parent)
        self._bridge, self._keeper, self._reader = bridge, keeper, reader
        self.phase = Phase.IDLE
        self.round = Round(Wanted(()))
        self.current: PlannedRun | None = None
        self.progress: tuple[float, float, Text | str] = (0.0, 0.0, EMPTY)
        """Done, total and phase of the current run."""
        self._run: Any = None
        self._begun_s = self._started_at_s = 0.0
        self._others: list[Any] = []
        self._quiet = QTimer(self, singleShot=True, interval=quiet_ms)
        self._quiet.timeout.connect(self._look)
        reader.planned.connect(self._on_planned)
        reader.accepted.connect(self._on_accepted)
        bridge.submitted.connect(self._on_submitted)
        bridge.run_event.connect(self._on_event)

    @property
    def active(self) -> bool:
        return self.phase is not Phase.IDLE

    @property
    def left_s(self) -> tuple[float, int]:
        """The predicted seconds until all is done, and how many runs there are whose time nobody knows."""
        times = [run.predicted_s for run in self.round.waiting]
        known = sum(time for time in times if time is not None)
        if self.current is not None and self.current.predicted_s is not None and self._run is not None:
            known -= min(self.current.predicted_s, time.monotonic() - self._begun_s)
        return known, times.count(None)

    def start(self, questions: Sequence[Question], *, with_training: bool) -> None:
        """Begin a round; one that goes on is replaced."""
        self._drop_run()
        meant = tuple(each for each in questions if with_training or not each.trains)
        self.round = Round(Wanted(meant))
        self._look()

    def hurry(self, question: Question) -> None:
        """Answer this question next: in a round of its own, or first in the one that goes on."""
        if not self.active:
            self.start((question,), with_training=True)
            return
        self.round.urgent |= {question.id}
        if question not in self.round.wanted.questions:
            self.round.wanted = Wanted((*self.round.wanted.questions, question))
        if self.phase is Phase.LOOKING:
            self.current = None
            self._look()
        self.changed.emit()

    def stop(self) -> None:
        """End the round. What has been run stays."""
        if self.active:
            self._drop_run()
            self._end(stopped=True)

    def is_waiting_for(self, question_id: str) -> bool:
        """Whether a run that answers the question is still to come in this round, or goes on."""
        return self.active and any(question_id in run.question_ids for run in self.round.waiting)

    def failure_of(self, question_id: str) -> Text:
        """Why the question has no answer; empty where its run has not failed."""
        sentences = (each.sentence for each in self.round.failures if question_id in each.run.question_ids)
        return next(sentences, EMPTY)

    def _look(self) -> None:
        """Ask for what is missing now, unless runs of the user go on."""
        self._quiet.stop()
        if self._others:
            self._set_phase(Phase.PAUSED)
            return
        self._set_phase(Phase.LOOKING)
        self._reader.plan(self.round.wanted)

    def _on_planned(self, wanted: Wanted, runs: Sequence[PlannedRun]) -> None:
        if wanted is not self.round.wanted or self.phase is not Phase.LOOKING:
            return
        waiting = [run for run in runs if not self.round.was_attempted(run)]
        self.round.waiting = tuple(sorted(waiting, key=lambda run: self.round.urgent.isdisjoint(run.question_ids)))
        if not self.round.waiting:
            self._end(stopped=False)
            return
        self.current = self.round.waiting[0]
        self.changed.emit()
        self._reader.check(self.current)

    def _on_accepted(self, run: PlannedRun, refusal: Text) -> None:
        if run is not self.current or self.phase is not Phase.LOOKING:
            return
        if refusal:
            self._fail(refusal)
        elif self._others:
            self._set_phase(Phase.PAUSED)
        else:
            self._submit(run)

    def _submit(self, run: PlannedRun) -> None:
        self._begun_s, self._started_at_s = time.monotonic(), time.time()
        self.progress = (0.0, 0.0, tr("Waiting for the worker"))
        self.phase = Phase.RUNNING
        self._run = self._bridge.submit(run.page, run.params, "auto")
        self.changed.emit()

    def _on_submitted(self, run: Any) -> None:
        """A run that is not of this round comes first."""
        if self.phase is Phase.RUNNING and self._run is None:
            return  # this one: `submit` has not returned yet
        self._others.append(run)
        if self.active:
            self._quiet.stop()
            self._drop_run()
            self._set_phase(Phase.PAUSED)

    def _on_event(self, run: Any, event: Event) -> None:
        from core.contracts.events import TERMINAL

        if run is self._run:
            self._on_own_event(event)
        elif isinstance(event, TERMINAL) and run in self._others:
            self._others.remove(run)
            if not self._others and self.phase is Phase.PAUSED:
                self._quiet.start()

    def _on_own_event(self, event: Event) -> None:
        from core.contracts.events import Cancelled, Failed, Finished, Progress

        match event:
            case Progress(done=done, total=total, phase=phase):
                self.progress = (done, total, phase)
                self.changed.emit()
            case Finished(result=result):
                self._keeper.keep(result, self._started_at_s, time.time() - self._started_at_s)
                self._over(succeeded=True)
            case Failed(sentence=sentence):
                self._fail(sentence)
            case Cancelled(reason=reason):
                self._retry(reason)

    def _retry(self, reason: Text) -> None:
        """The worker was restarted, or the like: the run is made again, but not for ever."""
        assert self.current is not None
        key = self.current.page, self.current.params
        self.round.attempts[key] = self.round.attempts.get(key, 0) + 1
        if self.round.was_attempted(self.current):
            self._fail(tr("The run was {reason}.", reason=reason))
        else:
            self._run = self.current = None
            self._look()

    def _fail(self, sentence: Text) -> None:
        assert self.current is not None
        self.round.failures.append(Failure(self.current, sentence))
        self._over(succeeded=False)

    def _over(self, *, succeeded: bool) -> None:
        """The current run is over: on to the next."""
        assert self.current is not None
        self.round.done += succeeded
        self.round.attempted(self.current)
        self.round.waiting = tuple(run for run in self.round.waiting if run is not self.current)
        self._run = self.current = None
        self._look()

    def _drop_run(self) -> None:
        """Cancel the current run; its events are of no interest any more."""
        run, self._run, self.current = self._run, None, None
        if run is not None:
            run.cancel()

    def _end(self, *, stopped: bool) -> None:
        self._quiet.stop()
        self.current = None
        self.round.waiting = ()
        self._set_phase(Phase.IDLE)
        self.ended.emit(stopped)

    def _set_phase(self, phase: Phase) -> None:
        self.phase = phase
        self.changed.emit()
