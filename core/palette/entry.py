"""An entry of the command palette, and the categories that entries have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from core.contracts.text import EMPTY, Text, tr_in


class Category(Enum):
    """What an entry is. A query that begins with the `prefix` finds entries of its categories only; `weight` ranks
    entries that match equally well."""

    PAGE = (tr_in("palette", "Page"), ">", 1.3)
    ACTION = (tr_in("palette", "Action"), ">", 1.2)
    PARAMETER = (tr_in("palette", "Parameter"), "@", 1.1)
    QUESTION = (tr_in("palette", "Question"), "?", 1.0)
    CLAIM = (tr_in("palette", "Claim"), "!", 0.8)
    NOTE = (tr_in("palette", "Notes"), "#", 0.8)
    FILE = (tr_in("palette", "Recent file"), "/", 1.0)
    RUN = (tr_in("palette", "Run"), "/", 0.9)
    EXAMPLE = (tr_in("palette", "Example"), "/", 1.0)

    def __init__(self, title: Text, prefix: str, weight: float) -> None:
        self.title, self.prefix, self.weight = title, prefix, weight


PREFIXES = {
    ">": tr_in("palette", "pages and actions"),
    "@": tr_in("palette", "parameters"),
    "?": tr_in("palette", "questions"),
    "!": tr_in("palette", "claims"),
    "#": tr_in("palette", "notes"),
    "/": tr_in("palette", "files and runs"),
}
"""What each prefix restricts a search to."""


def nothing_against() -> Text:
    """The usual `Entry.refusal`: the entry can be chosen."""
    return EMPTY


def no_note() -> str:
    """The usual `Entry.note`."""
    return ""


@dataclass(frozen=True)
class Entry:
    """One thing that can be chosen.

    `id` is unique, and what a recent choice is remembered by. `page` is the id of the topic that the entry belongs to,
    '' for none, and `where` is its title. `words` are found like the title. `keys` are shortcuts in Qt's portable form.
    `note` is shown beside the title and not searched, such as the value of a parameter now. `completion` is what Tab
    puts into the line. `refusal` says in one sentence why the entry cannot be chosen now; empty if it can.
    """

    id: str
    category: Category
    title: Text
    work: Callable[[], object]
    page: str = ""
    where: Text = EMPTY
    words: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    note: Callable[[], str] = no_note
    completion: str = ""
    refusal: Callable[[], Text] = nothing_against
