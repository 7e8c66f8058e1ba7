"""What to look at on a page: three marks per topic, from resources/marks/TOPIC.toml, in every language."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from core import language
from core.contracts.text import Text
from core.contracts.written import Written

FOLDER = Path(__file__).resolve().parents[1] / "resources" / "marks"
PER_PAGE = 3


@dataclass(frozen=True)
class Mark:
    """One thing on a page: the key of its card, what to read there, and what to try."""

    card: str
    read: Text
    attempt: Text


def marks_of(topic_id: str, folder: Path = FOLDER) -> tuple[Mark, ...]:
    """The marks of a topic, in the order in which they are best looked at; none where its file is missing.

    Raises KeyError for a mark without a card, or without a text in one of the languages: the files come with the
    program, and a test reads them all.
    """
    path = folder / f"{topic_id}.toml"
    if not path.exists():
        return ()
    with path.open("rb") as file:
        marks = tomllib.load(file)["marks"]
    return tuple(Mark(each["card"], _written(each["read"]), _written(each["try"])) for each in marks)


def _written(texts: dict[str, str]) -> Written:
    return Written.of({code: texts[code] for code in language.LANGUAGES})
