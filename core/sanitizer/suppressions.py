"""Comments that accept a finding of their line: `# tilescope: ignore[write-write race] all of them store the same`.

The brackets list kinds, by id or slug, separated by commas. A comment without a reason accepts nothing.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from core.contracts.text import Text, listed, quoted, tr
from core.sanitizer.kinds import KINDS

_COMMENT = re.compile(r"#\s*tilescope:\s*ignore\b\s*(?:\[(?P<kinds>[^\]]*)\])?\s*(?P<reason>.*)")
_IDS = {name: kind.id for kind in KINDS.values() for name in (kind.id.lower(), kind.slug.lower())}


@dataclass(frozen=True)
class Suppression:
    """A comment at a line (from 1) that accepts findings of `kinds` there. `problem` is the sentence that says why it
    is not accepted, or empty."""

    line: int
    kinds: frozenset[str]
    reason: str
    problem: Text | None = None


def suppressions(text: str) -> tuple[Suppression, ...]:
    """The suppression comments of a Python file, also those that are not accepted. What looks like one inside a string
    is none."""
    matches = ((line, _COMMENT.match(comment)) for line, comment in _comments(text) if "tilescope" in comment)
    return tuple(_suppression(line, match) for line, match in matches if match is not None)


def _suppression(line: int, match: re.Match[str]) -> Suppression:
    names = [name.strip() for name in (match["kinds"] or "").split(",") if name.strip()]
    unknown = [name for name in names if name.lower() not in _IDS]
    reason = match["reason"].strip()
    problem = None
    if not names:
        problem = tr("The suppression names no kind, so it is not accepted: write ignore[KIND] and a reason.")
    elif unknown:
        problem = tr(
            "The suppression names {names}, so it is not accepted: the kinds are {kinds}.",
            names=listed([quoted(name) for name in unknown]),
            kinds=listed(list(KINDS)),
        )
    elif not reason:
        problem = tr("The suppression has no reason, so it is not accepted: write the reason after the bracket.")
    return Suppression(line, frozenset(_IDS[name.lower()] for name in names if name.lower() in _IDS), reason, problem)


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """The comments with their lines, up to where the text is no longer Python."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):
        return
