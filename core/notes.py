"""The headings of the notes: `resources/notes/LANGUAGE/TOPIC.md`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core import language
from core.contracts.written import Written

FOLDER = Path(__file__).resolve().parents[1] / "resources" / "notes"
_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_MARKS = re.compile(r"[`*]|\$")


@dataclass(frozen=True)
class Heading:
    """`number` counts the headings of the notes of a topic from 0; it is the same in every language."""

    topic: str
    number: int
    text: Written


def headings(topic_id: str, folder: Path = FOLDER) -> tuple[Heading, ...]:
    """The headings of a topic's notes in their order, without those that only one language has. () without notes."""
    by_language = {code: _headings_in(folder / code / f"{topic_id}.md") for code in language.LANGUAGES}
    count = min(len(texts) for texts in by_language.values())
    return tuple(
        Heading(
            topic_id,
            number,
            Written.of({code: texts[number] for code, texts in by_language.items()}),
        )
        for number in range(count)
    )


def _headings_in(path: Path) -> list[str]:
    """The texts without Markdown's marks. What looks like a heading inside of a code block is none."""
    if not path.exists():
        return []
    found, fenced = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and (match := _HEADING.match(line)) is not None:
            found.append(_MARKS.sub("", match[2]))
    return found
