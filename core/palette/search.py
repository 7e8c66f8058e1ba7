"""Search in the entries of the palette: fuzzy, in all languages at once, recent choices first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core import language
from core.fuzzy import Index, Weighted, normalized
from core.palette.entry import PREFIXES, Category, Entry

if TYPE_CHECKING:
    from core.contracts.text import Text

_WORDS, _WHERE, _CATEGORY = 0.95, 0.5, 0.4
"""What a word counts that is not in the title."""
_IN_VIEW = 1.25
"""How much more an entry of the page in view counts."""
_WHOLE_TITLE, _TITLE_BEGINS = 1.0, 0.4
"""What is added where the query is the whole title, or its beginning."""
_RECENT_SHARE = 0.7
"""A recent choice goes first where its score is at least this share of the best."""


@dataclass(frozen=True)
class Found:
    """An entry that a query found, and whether it was chosen recently."""

    entry: Entry
    is_recent: bool


def split_prefix(query: str) -> tuple[str, str]:
    """The prefix of a query, '' for none, and the rest. Full-width prefixes count too: '？' is what a Chinese keyboard
    types."""
    query = query.lstrip()
    first = normalized(query[:1]).strip()
    return (first, query[1:].lstrip()) if first in PREFIXES else ("", query)


class PaletteSearch:
    """Finds entries in the order in which they are shown.

    `recent` are the ids of what was chosen before, the newest first; `page` is the topic in view, whose entries go
    before equals of other pages. An empty query finds everything: recent choices, then the order of `entries`.
    """

    def __init__(self, entries: Sequence[Entry], recent: Sequence[str] = (), page: str = "") -> None:
        self._page = page
        self._recent = {entry_id: place for place, entry_id in enumerate(recent)}
        order = {category: place for place, category in enumerate(Category)}
        ordered = sorted(entries, key=lambda entry: (order[entry.category], bool(entry.page) and entry.page != page))
        self._entries = {entry.id: entry for entry in ordered}
        self._titles = {entry.id: [normalized(text) for text in _everywhere(entry.title)] for entry in ordered}
        self._index = Index({entry.id: _texts(entry) for entry in ordered})

    def find(self, query: str) -> list[Found]:
        """The best first."""
        prefix, words = split_prefix(query)
        scores = {
            hit.key: self._score(hit.key, hit.score, normalized(words.strip()))
            for hit in self._index.search(words)
            if not prefix or self._entries[hit.key].category.prefix == prefix
        }
        best = max(scores.values(), default=0.0)
        recent = [each for each in self._recent if scores.get(each, -1.0) >= _RECENT_SHARE * best]
        others = sorted((each for each in scores if each not in recent), key=lambda each: -scores[each])
        return [
            *(Found(self._entries[each], is_recent=True) for each in recent),
            *(Found(self._entries[each], is_recent=False) for each in others),
        ]

    def _score(self, entry_id: str, score: float, words: str) -> float:
        if not words:
            return 0.0
        titles = self._titles[entry_id]
        if words in titles:
            score += _WHOLE_TITLE
        elif any(title.startswith(words) for title in titles):
            score += _TITLE_BEGINS
        return score * (_IN_VIEW if self._page and self._entries[entry_id].page == self._page else 1.0)


def _texts(entry: Entry) -> list[Weighted]:
    weight = entry.category.weight
    return [
        *(Weighted(text, weight) for text in _everywhere(entry.title)),
        *(Weighted(text, weight * _WORDS) for text in entry.words),
        *(Weighted(text, weight * _WHERE) for text in _everywhere(entry.where)),
        *(Weighted(text, weight * _CATEGORY) for text in _everywhere(entry.category.title)),
    ]


def _everywhere(text: Text) -> list[str]:
    return list(dict.fromkeys(text.in_language(code).replace("&", "") for code in language.LANGUAGES))
