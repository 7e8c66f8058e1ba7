"""Reads the history for the questions, on the thread of the history: verdicts, and which runs are missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, Signal

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr

if TYPE_CHECKING:
    from core.contracts.result import Result
    from core.questions.guesses import Outcome
    from core.questions.question import Question
    from core.questions.review import ReviewLog


class Keeper(Protocol):
    """What the home page needs of the history: see `gui.window.history.HistoryKeeper`."""

    listed: Any

    def do(self, work: Callable[[Any], None]) -> None: ...
    def keep(self, result: Result, started_at_s: float, wall_s: float) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """Which questions are to be answered by runs of this machine."""

    questions: tuple[Question, ...]
    with_training: bool = True


class Reader(QObject):
    """`answered` carries {question id: Answer or None} of one page, `planned` (Wanted, the missing runs, the shortest
    first), `accepted` (PlannedRun, the sentence that refuses it or an empty text), `log_read` the ReviewLog."""

    answered = Signal(object)
    planned = Signal(object, object)
    accepted = Signal(object, object)
    log_read = Signal(object)

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self._keeper = keeper
        self._runs_here: Any = None

    def answer(self, questions: Iterable[Question]) -> None:
        """Look for the answers of these questions, one page after another, so that nothing else waits for long."""
        by_page: dict[str, list[Question]] = defaultdict(list)
        for question in questions:
            by_page[question.page].append(question)
        for asked in by_page.values():
            self._do(lambda here, asked=asked: self.answered.emit({each.id: here.answer(each) for each in asked}))

    def plan(self, wanted: Wanted) -> None:
        """Find out which runs are missing."""

        def work(here: Any) -> None:
            from core.questions.check_all import plan_runs

            runs = plan_runs(wanted.questions, here, with_training=wanted.with_training)
            self.planned.emit(wanted, runs)

        self._do(work)

    def check(self, run: Any) -> None:
        """Whether the topic accepts a run on this machine: it may open files and look at the memory."""

        def work(_here: Any) -> None:
            self.accepted.emit(run, _refusal(run))

        self._do(work)

    def read_log(self) -> None:
        """Read what was guessed in earlier sessions."""

        def work(_history: Any) -> None:
            from core.questions.review import ReviewLog

            self.log_read.emit(ReviewLog())

        self._keeper.do(work)

    def remember(self, log: ReviewLog, question_id: str, outcome: Outcome) -> None:
        """Add a guess to the log, and write it."""

        def work(_history: Any) -> None:
            try:
                log.record(question_id, outcome)
            finally:
                self.log_read.emit(log)

        self._keeper.do(work)

    def _do(self, work: Callable[[Any], None]) -> None:
        def with_runs(history: Any) -> None:
            if self._runs_here is None:
                from core.questions.runs_here import RunsHere

                self._runs_here = RunsHere(history)
            self._runs_here.refresh()
            work(self._runs_here)

        self._keeper.do(with_runs)


def _refusal(run: Any) -> Text:
    from core.contracts import registry

    try:
        registry.topic(run.page).check(run.params)
    except TilescopeError as error:
        return error.text
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return tr("This run cannot be checked: {error}.", error=reason)
    return EMPTY
