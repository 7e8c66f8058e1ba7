"""A small world: people, and the facts about them. Everything follows from a seed; nothing in it is real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.contracts.errors import InvalidParams
from core.language_model import names, relations
from core.language_model.relations import RELATIONS, Relation

MIN_PEOPLE, MAX_PEOPLE = 2, 500
UNTOLD_SHARE = 0.06
"""Share of the facts that no text ever tells: what a model says of them it cannot have learned."""


@dataclass(frozen=True)
class Person:
    name: str
    pronoun: str
    possessive: str


@dataclass(frozen=True)
class Fact:
    """One fact about a person. `number` counts from 0 in the order of the world; `stated` if texts may contain it."""

    number: int
    person: Person
    relation: Relation
    value: str
    stated: bool

    @property
    def kept_phrasing(self) -> int:
        """The number of a phrasing in which this fact is never stated, kept to ask for it; it ends with the value."""
        endings = self.relation.endings
        return endings[self.number // len(RELATIONS) % len(endings)]


@dataclass(frozen=True)
class World:
    """`facts` are ordered by person, then as in `relations.RELATIONS`; every person has one of each.

    `values` are, by label of a relation, those that it may take; of spouses there is no list.
    """

    seed: int
    people: tuple[Person, ...]
    facts: tuple[Fact, ...]
    values: Mapping[str, tuple[str, ...]]

    @cached_property
    def stated(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.stated)

    @cached_property
    def untold(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if not fact.stated)

    @cached_property
    def stated_of(self) -> Mapping[str, tuple[Fact, ...]]:
        """By name of a person, the facts that texts may state of that person."""
        return {person.name: tuple(fact for fact in self.stated if fact.person is person) for person in self.people}


def build_world(seed: int = 0, people: int = 64) -> World:
    """`people` persons (made even: they are married in pairs) and eight facts about each.

    Raises InvalidParams for a number of people out of range.
    """
    if not MIN_PEOPLE <= people <= MAX_PEOPLE:
        raise InvalidParams(
            f"A world of {people} people cannot be: take {MIN_PEOPLE} to {MAX_PEOPLE}, so that names stay different."
        )
    rng = np.random.default_rng((seed, 1))
    persons = _persons(rng, people + people % 2)
    values = _values(rng)
    couples = rng.permutation(len(persons)).reshape(-1, 2)
    spouse = {int(a): int(b) for one, two in couples for a, b in ((one, two), (two, one))}
    untold = rng.random((len(persons), len(RELATIONS))) < UNTOLD_SHARE
    facts: list[Fact] = []
    for index, person in enumerate(persons):
        for column, relation in enumerate(RELATIONS):
            if relation is relations.SPOUSE:
                # Texts state the facts of both spouses or of neither.
                value, hidden = persons[spouse[index]].name, untold[min(index, spouse[index]), column]
            else:
                pool = values[relation.label]
                value, hidden = pool[rng.integers(len(pool))], untold[index, column]
            facts.append(Fact(len(facts), person, relation, value, stated=not hidden))
    return World(seed, persons, tuple(facts), values)


def _persons(rng: np.random.Generator, count: int) -> tuple[Person, ...]:
    """People whose first names differ; family names may be shared."""
    families = names.family_names(rng, max(2, count // 3))
    return tuple(a_person(rng, first, families) for first in names.first_names(rng, count))


def a_person(rng: np.random.Generator, first_name: str, families: Sequence[str]) -> Person:
    """Someone of that first name, the rest drawn."""
    pronoun, possessive = (("she", "her"), ("he", "his"))[int(rng.integers(2))]
    return Person(f"{first_name} {families[int(rng.integers(len(families)))]}", pronoun, possessive)


def _values(rng: np.random.Generator) -> dict[str, tuple[str, ...]]:
    towns = tuple(names.places(rng, 20))
    return {
        relations.PROFESSION.label: relations.PROFESSIONS,
        relations.EDUCATION.label: tuple(names.institutions(rng, 16, relations.SCHOOL_KINDS)),
        relations.BIRTHPLACE.label: towns,
        relations.HOME.label: towns,
        relations.AWARD.label: tuple(names.institutions(rng, 12, relations.AWARD_KINDS)),
        relations.EMPLOYER.label: tuple(names.institutions(rng, 16, relations.EMPLOYER_KINDS)),
        relations.HOBBY.label: relations.HOBBIES,
    }
