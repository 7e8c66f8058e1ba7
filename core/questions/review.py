"""What was guessed in review mode: kept on this machine, and it decides what is asked next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.files import read_regular, reason_of, write_whole
from core.paths import data_folder
from core.questions.guesses import Outcome

if TYPE_CHECKING:
    from core.questions.question import Question

_MAX_BYTES = 1 << 20
_VERSION = 1
Count = Annotated[int, Field(ge=0)]


class Remembered(BaseModel):
    """How often a question was asked and guessed right, how its last guess turned out, and when that was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asked: Count
    right: Count
    last: Outcome
    at: datetime


class _Contents(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[int, Field(ge=1, le=_VERSION)] = _VERSION
    questions: dict[Annotated[str, Field(max_length=60)], Remembered] = Field(default_factory=dict, max_length=4000)


@dataclass(frozen=True)
class Tally:
    """Of a set of questions: how many were guessed right, close or wrong the last time, and how many never."""

    right: int
    close: int
    wrong: int
    unseen: int


class ReviewLog:
    """The guesses of this machine. `notice` is a sentence for the user if the file could not be read: it is renamed,
    never deleted, and a new one begins."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path if path is not None else data_folder() / "review.json"
        self.notice: Text | None = None
        self._remembered = self._read()

    @property
    def remembered(self) -> Mapping[str, Remembered]:
        """By the id of the question."""
        return self._remembered

    def record(self, question_id: str, outcome: Outcome, at: datetime | None = None) -> None:
        """Remember a guess. Raises TilescopeError with one sentence if it cannot be written; it is still counted until
        the program ends."""
        before = self._remembered.get(question_id)
        self._remembered[question_id] = Remembered(
            asked=(before.asked if before else 0) + 1,
            right=(before.right if before else 0) + (outcome is Outcome.RIGHT),
            last=outcome,
            at=(at or datetime.now(UTC)).astimezone(UTC),
        )
        contents = _Contents(questions=self._remembered).model_dump(mode="json")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, json.dumps(contents, indent=1).encode("utf-8"))
        except OSError as error:
            raise TilescopeError(
                tr("The review cannot be saved in {path}: {reason}.", path=str(self._path), reason=reason_of(error))
            ) from error

    def in_order(self, questions: Iterable[Question]) -> list[Question]:
        """What to ask next: what was missed, what was close, what was never asked, and what was right, in each the
        longest ago first."""
        return sorted(questions, key=self._rank)

    def tally(self, questions: Iterable[Question]) -> Tally:
        last = [known.last if (known := self._remembered.get(each.id)) else None for each in questions]
        return Tally(*(last.count(outcome) for outcome in (*Outcome, None)))

    def _rank(self, question: Question) -> tuple[int, datetime]:
        known = self._remembered.get(question.id)
        if known is None:
            return 2, datetime.min.replace(tzinfo=UTC)
        return {Outcome.WRONG: 0, Outcome.CLOSE: 1, Outcome.RIGHT: 3}[known.last], known.at

    def _read(self) -> dict[str, Remembered]:
        if not os.path.lexists(self._path):
            return {}
        try:
            contents = _Contents.model_validate_json(read_regular(self._path, _MAX_BYTES))
            return dict(contents.questions)
        except OSError as error:
            reason = reason_of(error)
        except ValidationError:
            reason = tr("it is damaged")
        aside = self._path.with_name(f"{self._path.name}.damaged")
        self.notice = tr("The review in {path} cannot be read ({reason}).", path=str(self._path), reason=reason)
        with suppress(OSError):
            os.replace(self._path, aside)
            self.notice = tr(
                "The review in {path} cannot be read ({reason}), so it begins anew; the file is now called {aside}.",
                path=str(self._path),
                reason=reason,
                aside=aside.name,
            )
        return {}
