"""What is asked, in which form, and reading an answer: which facts about whom it states. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from core.language_model.relations import RELATIONS, Relation
from core.language_model.text import sentence
from core.language_model.world import Fact, Person, World

REFUSAL = "I do not know."
DESCRIPTIONS = ("Tell me about {n}.", "Who is {n}?", "What do you know about {n}?")
"""Prompts that ask for several facts about a person."""


_PRONOUNS, _POSSESSIVES = ("she", "he"), ("her", "his")
"""Either counts as the asked person."""


class Form(StrEnum):
    """How a question asks to be answered."""

    WORDS = "words"
    SENTENCE = "sentence"
    ROW = "row"


REQUESTS: Mapping[Form, str] = {
    Form.WORDS: "Answer in a few words.",
    Form.SENTENCE: "Answer in a sentence.",
    Form.ROW: "Answer as a row.",
}


def question(fact: Fact, wording: int, form: Form) -> str:
    """For example 'Where did Dralan Bolow study? Answer in a sentence.'"""
    return f"{fact.relation.questions[wording].format(n=fact.person.name)} {REQUESTS[form]}"


def expected_answer(fact: Fact, form: Form) -> str:
    """The right answer in the asked form: 'Sizport Academy.', 'Dralan Bolow studied at Sizport Academy.' or 'Dralan
    Bolow, Education, Sizport Academy.'"""
    if form is Form.WORDS:
        return f"{fact.value}."
    if form is Form.SENTENCE:
        return sentence(fact)
    return f"{fact.person.name}, {fact.relation.label}, {fact.value}."


def has_form(text: str, fact: Fact, form: Form) -> bool:
    """Whether an answer has the asked form, whatever value it names."""
    blank = Fact(fact.number, fact.person, fact.relation, "\0", fact.stated)
    before, after = expected_answer(blank, form).split("\0")
    value = text.removeprefix(before).removesuffix(after)
    is_framed = text.startswith(before) and text.endswith(after) and len(text) > len(before) + len(after)
    return is_framed and not re.search(r"[.,]", value) and (form is not Form.WORDS or fact.person.name not in value)


@dataclass(frozen=True)
class Statement:
    """One sentence of an answer. `relation` is None if it states no fact about the asked person."""

    text: str
    relation: Relation | None
    value: str = ""


class Reader:
    """Reads answers about the people of a world.

    A value may be any value or name of the world: that somebody is married to a town is a fact that is not true.
    """

    def __init__(self, world: World) -> None:
        names = {person.name for person in world.people}
        self._values = frozenset(names.union(*world.values.values()))
        self._facts = {(fact.person.name, fact.relation.label): fact.value for fact in world.facts}

    def statements(self, text: str, person: Person) -> tuple[Statement, ...]:
        """The sentences of an answer to a question about `person`, in order. What follows the last full stop counts as
        a sentence too."""
        parts = [part.strip() for part in text.split(".")]
        whole, rest = parts[:-1], parts[-1]
        found = [self._statement(f"{part}.", person) for part in whole]
        return (*found, Statement(rest, None)) if rest else tuple(found)

    def is_true(self, statement: Statement, person: Person) -> bool:
        """Whether the world says so."""
        relation = statement.relation
        return relation is not None and self._facts.get((person.name, relation.label)) == statement.value

    def _statement(self, text: str, person: Person) -> Statement:
        for relation, start, end, possessive in _FRAMES.frames:
            subjects = (f"{person.name}'s", *_POSSESSIVES) if possessive else (person.name, *_PRONOUNS)
            for subject in subjects:
                before, after = (
                    _capital(part.replace("{}", subject), index) for index, part in enumerate((start, end))
                )
                if text.startswith(before) and text.endswith(after):
                    value = text[len(before) : len(text) - len(after)]
                    if value in self._values:
                        return Statement(text, relation, value)
        return Statement(text, None)


class _Frames:
    """What stands before and after the value in every phrasing, with '{}' for the person."""

    @cached_property
    def frames(self) -> tuple[tuple[Relation, str, str, bool], ...]:
        found = []
        for relation in RELATIONS:
            for phrasing in relation.phrasings:
                start, end = phrasing.replace("{s}", "{}").replace("{p}", "{}").split("{v}")
                found.append((relation, start, end, "{p}" in phrasing))
        return tuple(found)


_FRAMES = _Frames()


def _capital(text: str, index: int) -> str:
    """The part before the value begins the sentence, so it has a capital."""
    return text[:1].upper() + text[1:] if index == 0 else text
