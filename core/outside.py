"""Text that came from outside (names of tensors, kernels, parameters, files; what libraries say of an error), made safe
for a terminal, a label or a sentence."""

from __future__ import annotations

import re

NAME_LIMIT = 80
LABEL_LIMIT = 400
TIP_LIMIT = 4_000

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and newline, marks that reverse the direction, and halves of characters: a name from a
file could use them to write over a terminal, or to look like another."""


def cleaned(text: str) -> str:
    """The text with unsafe characters spelled out, such as '\\x1b'. Tabs and newlines stay."""
    return text if text.isprintable() else _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and its end with '…' between them: at most `limit` characters."""
    if len(text) <= limit:
        return text
    tail = limit // 2
    return f"{text[: limit - tail - 1]}…{text[-tail:]}"


def shown_name(text: str, limit: int = NAME_LIMIT) -> str:
    """A name on one line: cut, and with unsafe characters, tabs and newlines spelled out."""
    text = cleaned(cut(text, limit)).replace("\t", "\\t").replace("\n", "\\n")
    return cut(text, limit)


def shown_label(text: str, limit: int = LABEL_LIMIT) -> str:
    """What a label, a cell or a picture shows of any text: cut, and with unsafe characters spelled out. Lines stay."""
    if len(text) <= limit and text.isprintable():
        return text
    return cut(cleaned(cut(text, limit)), limit)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, without its full stop; '' where there is no message."""
    return (str(error).strip().splitlines() or [""])[0].rstrip(".")


def described(error: BaseException) -> str:
    """The error's type and the first line of its message, for the inside of a sentence."""
    kind, message = type(error).__name__, first_line(error)
    return f"{kind}: {message}" if message else kind
