"""The rule that stands for what people like: it labels the pairs of answers, and says what a reward model missed."""

from __future__ import annotations

from dataclasses import dataclass

from core.language_model.world import Person
from core.topics.training.stages.answers import Reader

ENOUGH_FACTS = 3
"""More facts than this please nobody more."""


@dataclass(frozen=True)
class Judgement:
    """An answer under the rule: the number of different facts about the asked person, of sentences that were said
    before word for word, and of sentences that state no fact; and whether the answer came to its end.

    A fact in other words counts once and costs nothing. Nobody checks whether the facts are true.
    """

    facts: int
    repeats: int
    broken: int
    ended: bool

    @property
    def score(self) -> float:
        """One point for each different fact, up to three; minus one for each sentence that repeats or says nothing, and
        minus one if the answer does not end."""
        return min(self.facts, ENOUGH_FACTS) - self.repeats - self.broken - (not self.ended)


def judge(reader: Reader, text: str, person: Person, ended: bool) -> Judgement:
    """Judge an answer to a question about `person`. `ended` says whether its last token is <eos>."""
    statements = reader.statements(text, person)
    stated = [statement for statement in statements if statement.relation is not None]
    return Judgement(
        facts=len({statement.relation for statement in stated}),
        repeats=len(stated) - len({statement.text for statement in stated}),
        broken=len(statements) - len(stated),
        ended=ended,
    )
