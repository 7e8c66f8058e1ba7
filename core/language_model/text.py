"""The texts of a world: documents for training, and prompts that ask for their facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.language_model.unseen_people import UnseenPeople
from core.language_model.world import Fact, World

TRAINING_TEXTS, HELD_OUT_TEXTS = 0, 1
"""Seeds of `documents`: one for the training texts, one for other paragraphs about the same facts, which measure the
loss."""

_FACTS_PER_DOCUMENT = (3, 7)
_PRONOUN_SHARE = 0.4
UNSEEN_PEOPLE_SHARE = 0.35
CARDS_SHARE = 0.25


@dataclass(frozen=True)
class Completion:
    """A prompt and its expected continuation `answer`. `fact.stated` says whether any text states the fact."""

    prompt: str
    answer: str
    fact: Fact


def documents(world: World, seed: int) -> Iterator[str]:
    """Endless paragraphs, each about one person. The seed determines them.

    Most paragraphs consist of stated facts, never in the phrasing held out for testing (`Fact.held_out_phrasing`). A
    share CARDS_SHARE of those begins with a card and repeats it in sentences. A share UNSEEN_PEOPLE_SHARE of all
    paragraphs has cards and sentences about a person who appears once. Nothing in those can be known beforehand, so
    they teach copying instead of memorizing.
    """
    rng = np.random.default_rng((world.seed, 2, seed))
    outsiders = UnseenPeople(world, rng)
    subjects = [facts for facts in world.stated_of.values() if facts]
    while True:
        if rng.random() < UNSEEN_PEOPLE_SHARE:
            yield _card_and_sentences(rng, outsiders.facts(int(rng.integers(1, 4))))
            continue
        facts = subjects[rng.integers(len(subjects))]
        if rng.random() < CARDS_SHARE:
            yield _card_and_sentences(rng, _sampled(rng, facts, int(rng.integers(1, 4))))
        else:
            yield _paragraph(rng, _sampled(rng, facts, int(rng.integers(*_FACTS_PER_DOCUMENT, endpoint=True))))


def completions(world: World, facts: Iterable[Fact] | None = None) -> list[Completion]:
    """For each fact (all by default) the beginning of a sentence that no document contains; the value is the answer."""
    return [_completion(fact) for fact in (world.facts if facts is None else facts)]


def questions(world: World, facts: Iterable[Fact] | None = None) -> list[Completion]:
    """For each fact (all by default) all its questions, such as 'Where did Dralan Bolow study?'."""
    return [
        Completion(question.format(n=fact.person.name), fact.value, fact)
        for fact in (world.facts if facts is None else facts)
        for question in fact.relation.questions
    ]


def sentence(fact: Fact, phrasing: int = 0) -> str:
    """The fact as a sentence with the person's full name, in the given phrasing of its relation."""
    return _phrase(fact.relation.phrasings[phrasing], fact.person.name, f"{fact.person.name}'s", fact.value)


def _completion(fact: Fact) -> Completion:
    whole = sentence(fact, fact.held_out_phrasing)
    return Completion(whole.removesuffix(f" {fact.value}."), fact.value, fact)


def _sampled(rng: np.random.Generator, facts: Sequence[Fact], count: int) -> list[Fact]:
    return [facts[index] for index in rng.permutation(len(facts))[:count]]


def _card_and_sentences(rng: np.random.Generator, facts: Sequence[Fact]) -> str:
    """For example 'Ada Bolow. Home: Sizport. Hobby: chess. Ada Bolow enjoys chess. She lives in Sizport.'"""
    card = " ".join(f"{fact.relation.label}: {fact.value}." for fact in facts)
    return f"{facts[0].person.name}. {card} {_paragraph(rng, _sampled(rng, facts, len(facts)))}"


def _paragraph(rng: np.random.Generator, facts: Sequence[Fact]) -> str:
    return " ".join(_varied_sentence(rng, fact, first=position == 0) for position, fact in enumerate(facts))


def _varied_sentence(rng: np.random.Generator, fact: Fact, first: bool) -> str:
    phrasings = len(fact.relation.phrasings)
    # Every phrasing except the held-out one is equally likely.
    phrasing = (fact.held_out_phrasing + 1 + int(rng.integers(phrasings - 1))) % phrasings
    by_name = first or rng.random() >= _PRONOUN_SHARE
    if by_name:
        return sentence(fact, phrasing)
    return _phrase(fact.relation.phrasings[phrasing], fact.person.pronoun, fact.person.possessive, fact.value)


def _phrase(template: str, subject: str, possessive: str, value: str) -> str:
    words = template.format(s=subject, p=possessive, v=value)
    return words[0].upper() + words[1:]
