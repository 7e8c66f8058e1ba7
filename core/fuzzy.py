"""Search in short texts as one types: by words, their beginnings and parts, in any language, and past typing mistakes.

Words of Latin letters are compared as words. A stretch of Chinese has no spaces: it is found as it stands, or by its
pairs of neighbouring characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

MAX_QUERY = 200
"""Characters of a query that count; more is pasted by mistake."""

_WHOLE, _PREFIX, _PART, _MISTYPED = 1.0, 0.9, 0.6, 0.4
_SHORTEST_PART = 3
_LEAST_PAIRS = 0.5
"""Share of the pairs of a Chinese stretch that a text must have, where it does not have the whole stretch."""
_LEAST_COVERAGE = 0.5
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_TERM = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")


@dataclass(frozen=True)
class Hit(Generic[Key]):
    """An entry that was found. A larger `score` is better; scores of different queries cannot be compared."""

    key: Key
    score: float


@dataclass(frozen=True)
class Weighted:
    """A text of an entry, and how much a word in it counts."""

    text: str
    weight: float = 1.0


class Index(Generic[Key]):
    """Entries by key, each with texts. Searching a hundred entries takes a few milliseconds."""

    def __init__(self, entries: Mapping[Key, Sequence[Weighted]]) -> None:
        self._order = {key: place for place, key in enumerate(entries)}
        self._stretches: dict[Key, list[tuple[str, float]]] = {}
        self._words: dict[str, dict[Key, float]] = {}
        self._joined: dict[str, dict[Key, float]] = {}
        for key, texts in entries.items():
            self._stretches[key] = [(normalized(each.text), each.weight) for each in texts]
            for text, weight in self._stretches[key]:
                words = [term for term in _TERM.findall(text) if not _is_chinese(term)]
                # Two neighbours as one: 'flash attention' is found by 'flashattention'.
                joined = [first + second for first, second in pairwise(words)]
                for known, added in ((self._words, words), (self._joined, joined)):
                    for word in added:
                        weights = known.setdefault(word, {})
                        weights[key] = max(weight, weights.get(key, 0.0))

    def search(self, query: str, limit: int | None = None) -> list[Hit[Key]]:
        """The entries that have all words of the query, the best first; equals in the order of the index.

        If none has all of them, those that have most: a word that many entries have counts little. An empty query finds
        everything.
        """
        words = terms(query[:MAX_QUERY])
        if not words:
            return [Hit(key, 0.0) for key in list(self._order)[:limit]]
        found = [self._matches(term) for term in dict.fromkeys(words)]
        with_all = set.intersection(*(set(matches) for matches in found))
        scores = {key: sum(each[key] for each in found) for key in with_all} or self._covered(found)
        best = sorted(scores, key=lambda key: (-scores[key], self._order[key]))
        return [Hit(key, scores[key]) for key in best[:limit]]

    def _covered(self, found: Sequence[Mapping[Key, float]]) -> dict[Key, float]:
        """The entries that have half of the query or more, by the rarity of its words."""
        rarities = [1 - len(matches) / (len(self._order) + 1) for matches in found]
        total = sum(rarities)
        shares: dict[Key, float] = {}
        scores: dict[Key, float] = {}
        for matches, rarity in zip(found, rarities, strict=True):
            for key, quality in matches.items():
                shares[key] = shares.get(key, 0.0) + rarity / total
                scores[key] = scores.get(key, 0.0) + quality * rarity
        return {key: scores[key] for key, share in shares.items() if share >= _LEAST_COVERAGE}

    def _matches(self, term: str) -> dict[Key, float]:
        """The entries that have the term, with weight and quality of the best place."""
        if _is_chinese(term):
            return self._with_stretch(term)
        return (
            self._with_word(term, _quality, self._words)
            or self._with_word(term, _quality, self._joined)
            or self._with_word(term, _mistyped, self._words)
        )

    def _with_word(
        self, term: str, quality_of: Callable[[str, str], float], words: Mapping[str, Mapping[Key, float]]
    ) -> dict[Key, float]:
        matches: dict[Key, float] = {}
        for word, weights in words.items():
            quality = quality_of(term, word)
            if quality:
                for key, weight in weights.items():
                    matches[key] = max(matches.get(key, 0.0), quality * weight)
        return matches

    def _with_stretch(self, term: str) -> dict[Key, float]:
        pairs = {term[place : place + 2] for place in range(len(term) - 1)}
        matches: dict[Key, float] = {}
        for key, texts in self._stretches.items():
            for text, weight in texts:
                if term in text:
                    quality = _WHOLE
                else:
                    share = sum(pair in text for pair in pairs) / len(pairs) if pairs else 0.0
                    quality = _PART * share if share >= _LEAST_PAIRS else 0.0
                if quality:
                    matches[key] = max(matches.get(key, 0.0), quality * weight)
        return matches


def terms(text: str) -> list[str]:
    """The words of a text as they are compared: words of Latin letters, and stretches of Chinese."""
    return _TERM.findall(normalized(text))


def _is_chinese(term: str) -> bool:
    return re.match(f"[{_HAN}]", term) is not None


def _quality(term: str, word: str) -> float:
    """How well a word matches a term: as a whole, by its beginning, or by a part."""
    if word == term:
        return _WHOLE
    if word.startswith(term):
        return _PREFIX
    return _PART if len(term) >= _SHORTEST_PART and term in word else 0.0


def _mistyped(term: str, word: str) -> float:
    """The same for a term with a typing mistake or two in it: a word, or the beginning of one that is being typed."""
    mistakes = 0 if len(term) < 4 else 1 if len(term) < 8 else 2
    if not mistakes or len(word) < len(term) - mistakes:
        return 0.0
    beginning = word[: len(term) + mistakes]
    if (_letters(term) & ~_letters(beginning)).bit_count() > mistakes:  # a mistake adds one letter at most
        return 0.0
    beginnings = {word[: len(term) + extra] for extra in range(-mistakes, mistakes + 1)}
    return _MISTYPED if any(_distance(term, each, mistakes) <= mistakes for each in beginnings) else 0.0


@lru_cache(maxsize=16384)
def _letters(word: str) -> int:
    """The letters of a word, one bit each."""
    bits = 0
    for letter in word:
        bits |= 1 << (ord(letter) & 63)
    return bits


def _distance(first: str, second: str, limit: int) -> int:
    """Letters to insert, delete, replace or swap with their neighbour; more than `limit` is `limit` + 1."""
    if abs(len(first) - len(second)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(second) + 1))
    for place, letter in enumerate(first, 1):
        previous, before, row = before, row, [place]
        for other_place, other in enumerate(second, 1):
            cost = min(before[other_place] + 1, row[-1] + 1, before[other_place - 1] + (letter != other))
            swapped = place > 1 and other_place > 1 and first[place - 2] == other and letter == second[other_place - 2]
            row.append(min(cost, previous[other_place - 2] + 1) if swapped else cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]


@lru_cache(maxsize=4096)
def normalized(text: str) -> str:
    """Lower case, without accents, apostrophes or hyphens, so that texts that read alike are alike."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.sub(r"(?<=\w)[-‐-―](?=\w)", " ", re.sub("['’]", "", plain))
