"""How Chinese texts are set: docs/glossary.md."""

from __future__ import annotations

import re

_HAN = "\u4e00-\u9fff"
_WRONG = re.compile(rf"[{_HAN}][A-Za-z0-9√−(]|[A-Za-z0-9%)²][{_HAN}]|[{_HAN}] ?[,;:?!](?!\d)| [，。；：？！、（）]")
_PERCENT = re.compile(rf"%[{_HAN}]")


def wrongly_set(text: str) -> list[str]:
    """Where a space is missing between Chinese and Latin, one is before full-width punctuation, or punctuation is
    half-width."""
    return [match.group() for match in _WRONG.finditer(text) if not _PERCENT.fullmatch(match.group())]
