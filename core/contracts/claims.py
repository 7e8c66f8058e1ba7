"""A claim is a statement that is often taught, and the predicate that tests it on a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.contracts.text import Text, tr


class Verdict(StrEnum):
    HOLDS = "holds"
    HOLDS_WITH_LIMIT = "holds with a limit"
    DOES_NOT_HOLD = "does not hold"
    NOT_TESTED = "not tested here"

    @property
    def label(self) -> Text:
        """The verdict as the user reads it; the value is what JSON holds."""
        return _LABELS[self]


_LABELS = {
    Verdict.HOLDS: tr("holds"),
    Verdict.HOLDS_WITH_LIMIT: tr("holds with a limit"),
    Verdict.DOES_NOT_HOLD: tr("does not hold"),
    Verdict.NOT_TESTED: tr("not tested here"),
}


@dataclass(frozen=True)
class Finding:
    """A verdict and its evidence: one sentence with the numbers, their units and their provenance."""

    verdict: Verdict
    evidence: Text


@dataclass(frozen=True)
class Claim:
    """One statement, its source, and the test of it on a result of the topic.

    `source` cites a paper, a manual or a page of documentation. `expected` is the verdict that a correct program finds.
    A claim that is often taught and wrong stays, with `expected=DOES_NOT_HOLD`: it is shown refuted, and that is a
    success.
    """

    id: str
    statement: Text
    source: Text
    test: Callable[[Any], Finding]
    expected: Verdict = Verdict.HOLDS

    def is_surprised_by(self, finding: Finding) -> bool:
        """Whether the finding contradicts the expected verdict. An untested claim never does."""
        if finding.verdict is Verdict.NOT_TESTED:
            return False
        if self.expected is Verdict.DOES_NOT_HOLD:
            return finding.verdict is not Verdict.DOES_NOT_HOLD
        return finding.verdict is Verdict.DOES_NOT_HOLD
