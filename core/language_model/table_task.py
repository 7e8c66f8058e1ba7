"""The task that the fine-tuning pages train: a table row in, a sentence out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from core.language_model.text import sentence
from core.language_model.unseen_people import UnseenPeople
from core.language_model.world import Fact, World

UNSEEN_PEOPLE_SHARE = 0.2
UNSEEN_ROWS = 1000
"""Rows of people in no text: so many names that to copy is easier to learn than who there is."""


@dataclass(frozen=True)
class Example:
    """A row such as 'Harry Potter, Education, Hogwarts', and the sentence that it asks for."""

    row: str
    sentence: str
    fact: Fact


@dataclass(frozen=True)
class TableTask:
    """`train` is shuffled: facts of the world's people, and of people outside it. Both other parts are held out.

    `unseen_people` are told facts of people of whom no row is in `train`: the model read about them when it was
    pretrained. `untold_facts` were in no text at all, of whomever: to put them in a sentence the model has to copy.
    """

    train: tuple[Example, ...]
    unseen_people: tuple[Example, ...]
    untold_facts: tuple[Example, ...]


def table_task(world: World, seed: int = 0) -> TableTask:
    """The world's facts as rows and sentences; the same split for the same seed."""
    rng = np.random.default_rng((world.seed, 3, seed))
    order = rng.permutation(len(world.people))
    unseen = {world.people[index].name for index in order[: max(1, round(UNSEEN_PEOPLE_SHARE * len(order)))]}
    outsiders = UnseenPeople(world, rng)
    seen_facts = [fact for fact in world.stated if fact.person.name not in unseen]
    seen_facts += [fact for _ in range(UNSEEN_ROWS) for fact in outsiders.facts(1)]
    return TableTask(
        train=_examples(seen_facts[index] for index in rng.permutation(len(seen_facts))),
        unseen_people=_examples(fact for fact in world.stated if fact.person.name in unseen),
        untold_facts=_examples(world.untold),
    )


def _examples(facts: Iterable[Fact]) -> tuple[Example, ...]:
    return tuple(
        Example(f"{fact.person.name}, {fact.relation.label}, {fact.value}", sentence(fact), fact) for fact in facts
    )
