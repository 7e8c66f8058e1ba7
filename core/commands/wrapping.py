"""Text wrapped to the columns of a terminal, where a Chinese character takes two."""

from __future__ import annotations

import re

from rich.cells import cell_len

_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_CLOSING = "，。；：、！？）》”…"
_TOKEN = re.compile(rf"[（《“]*(?:[^\s{_WIDE}（《“{_CLOSING}]+|[{_WIDE}]|[（《“])[{_CLOSING}]*")
"""What stays on one line: a word or a Chinese character, with the punctuation that belongs to it."""

_PART = re.compile(r"[^._]+[._]*|[._]+")


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, except where a single word is longer."""
    lines = [""]
    position = 0
    for token in _TOKEN.finditer(text):
        space = " " if lines[-1] and token.start() > position else ""
        if lines[-1] and cell_len(lines[-1] + space + token[0]) > width:
            lines.append(token[0])
        else:
            lines[-1] += space + token[0]
        position = token.end()
    return lines


def broken(name: str, width: int) -> list[str]:
    """A name of parts, such as 'cache.per_token', in lines of at most `width` columns, except where a part is longer.
    A line ends behind a dot or an underscore."""
    lines = [""]
    for part in _PART.findall(name):
        if lines[-1] and cell_len(lines[-1] + part) > width:
            lines.append(part)
        else:
            lines[-1] += part
    return lines
