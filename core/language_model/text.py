"""What a world reads like: documents to learn from, and prompts that ask for what they told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from core.language_model.world import Fact, Person, World

_FACTS_A_DOCUMENT = (3, 7)
_PRONOUN_SHARE = 0.4


@dataclass(frozen=True)
class Completion:
    """A prompt whose next words are `answer`. `fact.told` says whether any text told it."""

    prompt: str
    answer: str
    fact: Fact


def documents(world: World, seed: int) -> Iterator[str]:
    """Endless paragraphs, each about one person, made of facts that may be told; the same for the same seed.

    Never a fact in the phrasing that is kept to ask for it (`Fact.kept_phrasing`).
    """
    rng = np.random.default_rng((world.seed, 2, seed))
    subjects = [facts for facts in world.told_of.values() if facts]
    while True:
        facts = subjects[rng.integers(len(subjects))]
        count = min(len(facts), int(rng.integers(*_FACTS_A_DOCUMENT, endpoint=True)))
        chosen = [facts[index] for index in rng.permutation(len(facts))[:count]]
        yield " ".join(_told(rng, fact, first=position == 0) for position, fact in enumerate(chosen))


def completions(world: World, facts: Iterable[Fact] | None = None) -> list[Completion]:
    """For each fact (all by default) the beginning of a sentence that no document holds; its value is the answer."""
    return [_completion(fact) for fact in (world.facts if facts is None else facts)]


def questions(world: World, facts: Iterable[Fact] | None = None) -> list[Completion]:
    """For each fact (all by default) each of its questions in words, such as 'Where did Dralan Bolow study?'."""
    return [
        Completion(question.format(n=fact.person.name), fact.value, fact)
        for fact in (world.facts if facts is None else facts)
        for question in fact.relation.questions
    ]


def sentence(fact: Fact, phrasing: int = 0) -> str:
    """The fact with the person's full name, in one of its relation's phrasings."""
    return _phrase(fact.relation.phrasings[phrasing], fact.person.name, f"{fact.person.name}'s", fact.value)


def _completion(fact: Fact) -> Completion:
    whole = sentence(fact, fact.kept_phrasing)
    return Completion(whole.removesuffix(f" {fact.value}."), fact.value, fact)


def _told(rng: np.random.Generator, fact: Fact, first: bool) -> str:
    phrasings = len(fact.relation.phrasings)
    # Any phrasing but the kept one, each as likely as the others.
    phrasing = (fact.kept_phrasing + 1 + int(rng.integers(phrasings - 1))) % phrasings
    by_name = first or rng.random() >= _PRONOUN_SHARE
    if by_name:
        return sentence(fact, phrasing)
    person: Person = fact.person
    return _phrase(fact.relation.phrasings[phrasing], person.pronoun, person.possessive, fact.value)


def _phrase(template: str, subject: str, possessive: str, value: str) -> str:
    words = template.format(s=subject, p=possessive, v=value)
    return words[0].upper() + words[1:]
