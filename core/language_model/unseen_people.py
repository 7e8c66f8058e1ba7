"""People outside the world, each of whom appears once. Their facts use the world's values."""

from __future__ import annotations

import numpy as np

from core.language_model import names
from core.language_model.relations import RELATIONS, SPOUSE, Relation
from core.language_model.world import Fact, Person, World, random_person

_FIRST_NAMES, _FAMILY_NAMES = 3000, 1500


class UnseenPeople:
    """Draws people and their facts from `rng`. They share no first name with anyone in the world."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._rng = rng
        self._values = world.values
        known = {person.name.split()[0] for person in world.people}
        self._first_names = [name for name in names.first_names(rng, _FIRST_NAMES) if name not in known]
        self._families = names.family_names(rng, _FAMILY_NAMES)

    def facts(self, count: int) -> list[Fact]:
        """`count` facts of different kinds (at most eight) about a new person. Their number is -1: not in a world."""
        person = self._person()
        kinds = [RELATIONS[index] for index in self._rng.permutation(len(RELATIONS))[:count]]
        return [Fact(-1, person, relation, self._value(relation), stated=True) for relation in kinds]

    def _value(self, relation: Relation) -> str:
        if relation is SPOUSE:
            return self._person().name
        values = self._values[relation.label]
        return values[int(self._rng.integers(len(values)))]

    def _person(self) -> Person:
        return random_person(
            self._rng, self._first_names[int(self._rng.integers(len(self._first_names)))], self._families
        )
