"""A question, its group, and all groups together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from core.contracts import registry
from core.contracts.place import Place
from core.contracts.text import EMPTY, Text
from core.contracts.written import Written

if TYPE_CHECKING:
    from core.contracts.claims import Claim, Finding, Verdict
    from core.contracts.params import Params, Scalar
    from core.contracts.topic import Topic
    from core.questions.guesses import ChoiceGuess, NumberGuess, VerdictGuess

NO_TEXT = Written("")


@dataclass(frozen=True)
class Question:
    """One question.

    `page` is the id of a topic, and `set` are the parameters that it is opened with; the others have their defaults.
    `card` names the picture to look at, and `select` what to select in it, by kind; '' and empty for none. `claims` are
    ids of the topic's claims, the one that answers the question first. `sources` cite the numbers of the answer that
    are not of a run. `trains` says that the run trains a model, which takes minutes. `expected` is the verdict that a
    correct program finds for the first claim with these parameters; None for the one that the claim itself expects.

    `ask` says what a number or choice is guessed, and `options` are the choices by id. `words` are further words that
    people look for. The topic is imported only when `topic` is asked for, so a list of questions is there at once.
    """

    id: str
    group: str
    page: str
    set: Mapping[str, Scalar]
    claims: tuple[str, ...]
    question: Written
    answer: Written
    card: str = ""
    select: Mapping[str, int | str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    trains: bool = False
    expected: Verdict | None = None
    guess: NumberGuess | VerdictGuess | ChoiceGuess | None = None
    ask: Written = NO_TEXT
    options: Mapping[str, Written] = field(default_factory=dict)
    words: Written = NO_TEXT

    @property
    def topic(self) -> Topic:
        """Raises UnknownName."""
        return registry.topic(self.page)

    @property
    def place(self) -> Place:
        """Where the answer can be seen."""
        return Place(self.page, self.set, self.card, self.select)

    @cached_property
    def params(self) -> Params:
        """The parameters of the page. Raises UnknownName or InvalidParams."""
        return self.place.params

    @property
    def statements(self) -> tuple[Claim, ...]:
        """The claims themselves, in the order of `claims`. Raises UnknownName for a topic, KeyError for a claim."""
        by_id = {claim.id: claim for claim in self.topic.claims}
        return tuple(by_id[claim_id] for claim_id in self.claims)

    def is_surprised_by(self, finding: Finding) -> bool:
        """Whether the finding of the first claim contradicts the expected verdict. An untested claim never does."""
        claim = self.statements[0]
        return replace(claim, expected=self.expected or claim.expected).is_surprised_by(finding)

    @property
    def guessed(self) -> Text:
        """What is to be guessed: a number, a choice, or whether the statement of a claim holds. Empty for no guess."""
        from core.questions.guesses import VerdictGuess

        if isinstance(self.guess, VerdictGuess):
            return next(claim.statement for claim in self.topic.claims if claim.id == self.guess.claim)
        return EMPTY if self.guess is None else self.ask


@dataclass(frozen=True)
class Group:
    """Questions about one subject, in the order in which they are read."""

    id: str
    title: Written
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class QuestionBook:
    """All groups, in their order."""

    groups: tuple[Group, ...] = ()

    def __iter__(self) -> Iterator[Question]:
        return (question for group in self.groups for question in group.questions)

    def __len__(self) -> int:
        return sum(len(group.questions) for group in self.groups)

    def get(self, question_id: str) -> Question | None:
        return self._by_id.get(question_id)

    @cached_property
    def _by_id(self) -> dict[str, Question]:
        return {question.id: question for question in self}
