"""The task of the fine-tuning pages: turn a table row into a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.language_model.text import sentence
from core.language_model.unseen_people import UnseenPeople
from core.language_model.world import Fact, World

HELD_OUT_PEOPLE_SHARE = 0.2
UNSEEN_ROWS = 1000
"""Rows about people in no text: so many names that copying is easier to learn than memorizing."""


@dataclass(frozen=True)
class Example:
    """A row such as 'Harry Potter, Education, Hogwarts', and its expected sentence."""

    row: str
    sentence: str
    fact: Fact


@dataclass(frozen=True)
class TableTask:
    """`train`, shuffled, has facts about people of the world and about people outside it. The other two are held out.

    `unseen_people` are stated facts about people who have no row in `train`; the model read about them during
    pretraining. `unstated_facts` are facts that no text states: the model can only copy them from the row.
    """

    train: tuple[Example, ...]
    unseen_people: tuple[Example, ...]
    unstated_facts: tuple[Example, ...]


def table_task(world: World, seed: int = 0) -> TableTask:
    """The world's facts as rows and sentences. The seed determines the split."""
    rng = np.random.default_rng((world.seed, 3, seed))
    order = rng.permutation(len(world.people))
    unseen = {world.people[index].name for index in order[: max(1, round(HELD_OUT_PEOPLE_SHARE * len(order)))]}
    outsiders = UnseenPeople(world, rng)
    seen_facts = [fact for fact in world.stated if fact.person.name not in unseen]
    seen_facts += [fact for _ in range(UNSEEN_ROWS) for fact in outsiders.facts(1)]
    return TableTask(
        train=_examples(seen_facts[index] for index in rng.permutation(len(seen_facts))),
        unseen_people=_examples(fact for fact in world.stated if fact.person.name in unseen),
        unstated_facts=_examples(world.unstated),
    )


def _examples(facts: Iterable[Fact]) -> tuple[Example, ...]:
    return tuple(
        Example(f"{fact.person.name}, {fact.relation.label}, {fact.value}", sentence(fact), fact) for fact in facts
    )
