"""What the home page says about a question in one or two words: its verdict on this machine, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.contracts.claims import Verdict
from core.contracts.text import Text, tr, tr_in
from gui import theme

if TYPE_CHECKING:
    from core.questions.runs_here import Answer

NOT_RUN = tr("not run here yet")


@dataclass(frozen=True)
class Standing:
    """`answer` is of a run on this machine, None where there is none; `failure` says why a run of this session has no
    result."""

    answer: Answer | None = None
    is_running: bool = False
    is_waiting: bool = False
    failure: Text | None = None

    @property
    def verdict(self) -> Verdict | None:
        return None if self.answer is None else self.answer.verdict

    @property
    def label(self) -> Text:
        if self.is_running:
            return tr_in("run", "running")
        if self.verdict is not None:
            return self.verdict.label
        if self.failure:
            return tr_in("run", "failed")
        return tr_in("run", "waiting") if self.is_waiting else NOT_RUN

    @property
    def colour(self) -> str:
        colours = theme.current()
        if self.is_running:
            return colours.busy
        if self.verdict is not None:
            return colours.verdicts[self.verdict]
        return colours.bad if self.failure else colours.faint


UNKNOWN = Standing()


@dataclass(frozen=True)
class Tally:
    """How many questions have which verdict; those without one are the rest."""

    total: int
    by_verdict: tuple[tuple[Verdict, int], ...]

    @property
    def checked(self) -> int:
        """A claim that this machine cannot test, because it needs a GPU for instance, is not checked."""
        return sum(count for verdict, count in self.by_verdict if verdict is not Verdict.NOT_TESTED)


def tally(standings: Iterable[Standing]) -> Tally:
    """Count the verdicts, in the order of `Verdict`."""
    verdicts = [standing.verdict for standing in standings]
    counts = ((verdict, verdicts.count(verdict)) for verdict in Verdict)
    return Tally(len(verdicts), tuple((verdict, count) for verdict, count in counts if count))
