"""What the runs of this machine say about a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.contracts import registry
from core.contracts.claims import Finding, Verdict
from core.contracts.errors import InvalidParams, TilescopeError, UnknownName
from core.contracts.text import Text, tr
from core.durations import Timing, timings_of
from core.hardware.host import ran_here

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.result import Metric
    from core.engine.history import History, HistoryEntry
    from core.questions.guesses import Outcome
    from core.questions.question import Question

NOT_RUN_HERE = tr("not run here yet")
_RUNS_PER_PAGE = 1000


@dataclass(frozen=True)
class Answer:
    """The newest run of this machine that answers a question. `findings` are by the ids of the question's claims."""

    question: Question
    run_id: str
    started_at: datetime
    device: str
    findings: Mapping[str, Finding]
    metrics: Mapping[str, Metric]

    @property
    def verdict(self) -> Verdict:
        """That of the claim that answers the question."""
        return self.findings[self.question.claims[0]].verdict

    @property
    def is_surprising(self) -> bool:
        """Whether the verdict is not the expected one."""
        return self.question.is_surprised_by(self.findings[self.question.claims[0]])

    @property
    def truth(self) -> Any:
        """What was to be guessed: a number, a Verdict or the id of an option. None if the run does not have it."""
        guess = self.question.guess
        return None if guess is None else guess.truth(self.metrics, self.findings)

    def judge(self, guess: Any) -> Outcome | None:
        """How the guess turned out; None if there is nothing to compare it with."""
        truth = self.truth
        if self.question.guess is None or truth is None:
            return None
        return self.question.guess.judge(guess, truth)


def label(answer: Answer | None) -> Text:
    """The verdict as the user reads it."""
    return NOT_RUN_HERE if answer is None else answer.verdict.label


class RunsHere:
    """Answers from the history. A run is loaded and its claims are tested once; then the answer is there at once.

    Not for several threads at a time. Loading takes up to some 100 ms per run, so the window asks on another thread.
    """

    def __init__(self, history: History, is_here: Callable[[Mapping[str, str]], bool] = ran_here) -> None:
        self._history, self._is_here = history, is_here
        self._entries: dict[str, list[tuple[HistoryEntry, Params]]] = {}
        self._params: dict[str, Params | None] = {}
        self._findings: dict[str, dict[str, Finding] | None] = {}

    def refresh(self) -> None:
        """Look at the history again: runs were added or removed."""
        self._entries.clear()

    def runs(self, page: str) -> list[tuple[HistoryEntry, Params]]:
        """The runs of a page on this machine whose parameters are still valid, newest first. Raises TilescopeError if
        the history cannot be read."""
        if page not in self._entries:
            entries = self._history.list(page, _RUNS_PER_PAGE, with_live=True)
            parsed = [(entry, self._params_of(entry)) for entry in entries if self._is_here(entry.environment)]
            self._entries[page] = [(entry, params) for entry, params in parsed if params is not None]
        return self._entries[page]

    def timings(self, page: str) -> list[Timing]:
        """How long the runs of a page took on this machine, newest first."""
        return list(timings_of(registry.topic(page), self._history.timings(page), self._is_here))

    def has_run(self, question: Question) -> bool:
        """Whether a run fits. It loads nothing."""
        return any(question.params.needs_same_run_as(params) for _, params in self.runs(question.page))

    def answer(self, question: Question) -> Answer | None:
        """The newest run that fits and tested the claim, else the newest that fits; None if the question was not run
        here yet."""
        newest: Answer | None = None
        for entry, params in self.runs(question.page):
            if question.params.needs_same_run_as(params):
                answer = self._answer_of(question, entry)
                if answer is not None and answer.verdict is not Verdict.NOT_TESTED:
                    return answer
                newest = newest or answer
        return newest

    def _answer_of(self, question: Question, entry: HistoryEntry) -> Answer | None:
        """None for a run that cannot be opened."""
        findings = self._findings_of(entry)
        if findings is None:
            return None
        return Answer(
            question,
            entry.id,
            entry.started_at,
            entry.environment.get("device", ""),
            {claim: findings[claim] for claim in question.claims},
            entry.metrics,
        )

    def _params_of(self, entry: HistoryEntry) -> Params | None:
        """None for those of an older version, which the topic no longer accepts."""
        if entry.id not in self._params:
            parsed = None
            with suppress(InvalidParams, UnknownName):
                parsed = registry.topic(entry.topic).params.parse(entry.params)
            self._params[entry.id] = parsed
        return self._params[entry.id]

    def _findings_of(self, entry: HistoryEntry) -> dict[str, Finding] | None:
        """The findings of all claims of the run's topic; None for a run that cannot be opened."""
        if entry.id not in self._findings:
            findings = None
            with suppress(TilescopeError):
                result = self._history.load(entry.id)
                findings = {claim.id: claim.test(result) for claim in registry.topic(entry.topic).claims}
            self._findings[entry.id] = findings
        return self._findings[entry.id]
