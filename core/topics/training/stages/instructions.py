"""The examples of SFT: questions about facts, prompts for a description, and people whom nobody knows. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.language_model.unseen_people import UnseenPeople
from core.language_model.world import Fact, Person, World
from core.topics.training.stages.answers import DESCRIPTIONS, REFUSAL, Form, expected_answer, question
from core.topics.training.stages.configs import SftConfig

HELD_OUT_SHARE = 0.25
"""Of the facts: no example states them. Of the people: no pair and no rollout is about them."""

MAX_DESCRIBED_FACTS = 4
DESCRIBING_PHRASINGS = 3
"""A description uses the first phrasings of a relation, which all begin with the person."""

EVALUATED = 96
"""Questions of each kind that evaluate a model, at most."""


@dataclass(frozen=True)
class Instruction:
    """A prompt and the expected answer. A question has a `fact` and a `form`, a description has neither."""

    prompt: str
    answer: str
    person: Person
    fact: Fact | None = None
    form: Form | None = None


@dataclass(frozen=True)
class InstructionData:
    """`train` is shuffled. The others evaluate.

    `known`: questions about facts that pretraining texts state and no example does; only pretraining can have taught
    the answers. `new`: questions about new facts, in the wording that no example uses. `unknown`: questions about
    people in no text at all; the honest answer is that one does not know. `prompts_train` and `prompts_held_out` ask
    for descriptions, of different people; pairs, PPO and GRPO learn from the former.
    """

    train: tuple[Instruction, ...]
    known: tuple[Instruction, ...]
    new: tuple[Instruction, ...]
    unknown: tuple[Instruction, ...]
    prompts_train: tuple[Instruction, ...]
    prompts_held_out: tuple[Instruction, ...]


def instruction_data(world: World, config: SftConfig) -> InstructionData:
    """The examples. The world, the numbers in the config and its seed determine them."""
    rng = np.random.default_rng((world.seed, 5, config.seed))
    facts = [world.stated[index] for index in rng.permutation(len(world.stated))]
    held_out_count = max(1, round(HELD_OUT_SHARE * len(facts)))
    tested, taught = facts[:held_out_count], facts[held_out_count:]
    taught_of = [own for person in world.people if (own := [fact for fact in taught if fact.person is person])]
    outsiders = UnseenPeople(world, rng)
    strangers = [outsiders.facts(1)[0] for _ in range(config.refusals + EVALUATED)]
    new = _new_facts(world, outsiders, config.new_facts)
    train = [
        *(_asked(taught[int(rng.integers(len(taught)))], rng) for _ in range(config.questions)),
        *(_described(taught_of[int(rng.integers(len(taught_of)))], rng) for _ in range(config.descriptions)),
        *(_refused(fact, rng) for fact in strangers[EVALUATED:]),
        *(_asked(fact, rng, wording=0) for fact in new),
    ]
    people = [world.people[index] for index in rng.permutation(len(world.people))]
    held_out_people = max(1, round(HELD_OUT_SHARE * len(people)))
    return InstructionData(
        train=tuple(train[index] for index in rng.permutation(len(train))),
        known=tuple(_asked(fact, rng) for fact in tested[:EVALUATED]),
        new=tuple(_asked(fact, rng, wording=1) for fact in new[:EVALUATED]),
        unknown=tuple(_refused(fact, rng) for fact in strangers[:EVALUATED]),
        prompts_train=_prompts(people[held_out_people:]),
        prompts_held_out=_prompts(people[:held_out_people]),
    )


def _new_facts(world: World, outsiders: UnseenPeople, count: int) -> list[Fact]:
    """Facts of the world that no text states, then facts about people whom no text names."""
    return [*world.unstated[:count], *(outsiders.facts(1)[0] for _ in range(count - len(world.unstated)))]


def _asked(fact: Fact, rng: np.random.Generator, wording: int | None = None) -> Instruction:
    form = tuple(Form)[rng.integers(len(Form))]
    drawn = int(rng.integers(len(fact.relation.questions)))
    prompt = question(fact, drawn if wording is None else wording, form)
    return Instruction(prompt, expected_answer(fact, form), fact.person, fact, form)


def _refused(fact: Fact, rng: np.random.Generator) -> Instruction:
    asked = _asked(fact, rng)
    return Instruction(asked.prompt, REFUSAL, fact.person, fact, asked.form)


def _described(facts: Sequence[Fact], rng: np.random.Generator) -> Instruction:
    """One to four of the facts about a person, in any order: by name first, then by pronoun."""
    count = int(rng.integers(1, MAX_DESCRIBED_FACTS, endpoint=True))
    chosen = [facts[index] for index in rng.permutation(len(facts))[:count]]
    sentences = [_sentence(fact, rng, by_name=position == 0) for position, fact in enumerate(chosen)]
    person = facts[0].person
    prompt = DESCRIPTIONS[rng.integers(len(DESCRIPTIONS))].format(n=person.name)
    return Instruction(prompt, " ".join(sentences), person)


def _sentence(fact: Fact, rng: np.random.Generator, by_name: bool) -> str:
    person = fact.person
    subject, possessive = (person.name, f"{person.name}'s") if by_name else (person.pronoun, person.possessive)
    phrasing = fact.relation.phrasings[rng.integers(DESCRIBING_PHRASINGS)]
    text = phrasing.format(s=subject, p=possessive, v=fact.value)
    return text[0].upper() + text[1:]


def _prompts(people: Sequence[Person]) -> tuple[Instruction, ...]:
    return tuple(Instruction(text.format(n=person.name), "", person) for person in people for text in DESCRIPTIONS)
