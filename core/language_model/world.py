"""A small world of invented people and facts about them. A seed determines all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.language_model import names, relations
from core.language_model.relations import RELATIONS, Relation

MIN_PEOPLE, MAX_PEOPLE = 2, 500
UNSTATED_SHARE = 0.06
"""Share of the facts that no text states, so no model can have learned them."""


@dataclass(frozen=True)
class Person:
    name: str
    pronoun: str
    possessive: str


@dataclass(frozen=True)
class Fact:
    """One fact about a person. `number` counts from 0 in the world's order. `stated` facts may appear in texts."""

    number: int
    person: Person
    relation: Relation
    value: str
    stated: bool

    @property
    def held_out_phrasing(self) -> int:
        """The index of the phrasing that no text uses for this fact. It ends with the value, so it can test recall."""
        endings = self.relation.endings
        return endings[self.number // len(RELATIONS) % len(endings)]


@dataclass(frozen=True)
class World:
    """`facts` are ordered by person, then as in `relations.RELATIONS`. Every person has one fact of each relation.

    `values` maps a relation's label to its possible values. SPOUSE has no entry.
    """

    seed: int
    people: tuple[Person, ...]
    facts: tuple[Fact, ...]
    values: Mapping[str, tuple[str, ...]]

    @cached_property
    def stated(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.stated)

    @cached_property
    def unstated(self) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if not fact.stated)

    @cached_property
    def stated_of(self) -> Mapping[str, tuple[Fact, ...]]:
        """Maps a person's name to the facts that texts may state about that person."""
        return {person.name: tuple(fact for fact in self.stated if fact.person is person) for person in self.people}


def build_world(seed: int = 0, people: int = 64) -> World:
    """A world of `people` people, rounded up to an even number because all are married, with eight facts about each.

    Raises InvalidParams if the number of people is out of range.
    """
    if not MIN_PEOPLE <= people <= MAX_PEOPLE:
        raise InvalidParams(
            tr(
                "A world cannot have {people} people: use {smallest} to {largest}, so that their names differ.",
                people=people,
                smallest=MIN_PEOPLE,
                largest=MAX_PEOPLE,
            )
        )
    rng = np.random.default_rng((seed, 1))
    persons = _persons(rng, people + people % 2)
    values = _values(rng)
    couples = rng.permutation(len(persons)).reshape(-1, 2)
    spouse = {int(a): int(b) for one, two in couples for a, b in ((one, two), (two, one))}
    unstated = rng.random((len(persons), len(RELATIONS))) < UNSTATED_SHARE
    facts: list[Fact] = []
    for index, person in enumerate(persons):
        for column, relation in enumerate(RELATIONS):
            if relation is relations.SPOUSE:
                # A marriage is stated for both spouses or for neither.
                value, hidden = persons[spouse[index]].name, unstated[min(index, spouse[index]), column]
            else:
                pool = values[relation.label]
                value, hidden = pool[rng.integers(len(pool))], unstated[index, column]
            facts.append(Fact(len(facts), person, relation, value, stated=not hidden))
    return World(seed, persons, tuple(facts), values)


def _persons(rng: np.random.Generator, count: int) -> tuple[Person, ...]:
    """People with different first names. Family names may repeat."""
    families = names.family_names(rng, max(2, count // 3))
    return tuple(random_person(rng, first, families) for first in names.first_names(rng, count))


def random_person(rng: np.random.Generator, first_name: str, families: Sequence[str]) -> Person:
    """A person with the given first name and a random family name and pronoun."""
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
