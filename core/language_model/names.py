"""Invented names, built from syllables. Each name occurs once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_ONSETS = ("b", "br", "c", "d", "dr", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "r", "s", "st", "t", "th", "v")
_VOWELS = ("a", "e", "i", "o", "u")
_MIDDLES = ("l", "ld", "m", "n", "nd", "r", "rl", "rv", "s", "st", "v", "z")
_FIRST_NAME_ENDINGS = ("a", "an", "e", "el", "en", "ia", "in", "is", "o", "on")
_FAMILY_NAME_ENDINGS = ("ack", "and", "em", "er", "ett", "ick", "man", "ow", "son", "ung")
_PLACE_ENDINGS = ("bridge", "bury", "dale", "ford", "ham", "mouth", "port", "stead", "ton", "wick")

Ending = Sequence[str]


def first_names(rng: np.random.Generator, count: int) -> list[str]:
    """`count` different names for people."""
    return _stems(rng, count, _FIRST_NAME_ENDINGS)


def family_names(rng: np.random.Generator, count: int) -> list[str]:
    """`count` different family names."""
    return _stems(rng, count, _FAMILY_NAME_ENDINGS)


def places(rng: np.random.Generator, count: int) -> list[str]:
    """`count` different towns."""
    return _stems(rng, count, _PLACE_ENDINGS)


def institutions(rng: np.random.Generator, count: int, kinds: Sequence[str]) -> list[str]:
    """`count` different names such as 'Dralan College', cycling through `kinds`."""
    stems = _stems(rng, count, ("an", "el", "en", "in", "is", "on"))
    return [f"{stem} {kinds[index % len(kinds)]}" for index, stem in enumerate(stems)]


def _stems(rng: np.random.Generator, count: int, endings: Ending) -> list[str]:
    """`count` different words, in the order in which they were drawn."""
    stems: dict[str, None] = {}
    while len(stems) < count:
        parts = (_ONSETS, _VOWELS, _MIDDLES, endings)
        stems["".join(part[int(rng.integers(len(part)))] for part in parts).capitalize()] = None
    return list(stems)
