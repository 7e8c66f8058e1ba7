"""Reads conversations from a data file, one at a time and in bounded memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core.chat.conversation import parse_conversation
from core.chat.messages import Conversation, InvalidConversation
from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.files import open_regular, reason_of
from core.format import quantity
from core.paths import expanded

MAX_LINE_BYTES = 32_000_000
"""Of one conversation: as many characters as some 8 million tokens have."""

MAX_ARRAY_BYTES = 256_000_000
"""Of a JSON file that is one array: it is read as a whole. A JSONL file may have any size."""

_BLANK = b" \t\r\n"
_MARK = b"\xef\xbb\xbf"
_KEYS = ("messages", "conversations", "prompt")


@dataclass(frozen=True)
class Line:
    """One line of a JSONL file, or one item of a JSON array. `number` counts from 1 and includes empty lines.

    `problem` says why there is no conversation, and is empty where there is one. `read_bytes` is how much of the file
    has been read up to its end.
    """

    number: int
    conversation: Conversation | None
    problem: Text
    read_bytes: int


def file_bytes(path: str | Path, field: str | None = None) -> int:
    """The size of a data file. Raises InvalidParams for the parameter `field` if it cannot be read."""
    with _opened(path, field) as file:
        return os.fstat(file.fileno()).st_size


def read_conversations(path: str | Path, field: str | None = None) -> Iterator[Line]:
    """The conversations of a JSONL file, or of a JSON file that is one array of them. Empty lines are left out.

    A line that is broken is told and does not end the reading. Raises InvalidParams for the parameter `field` if the
    file cannot be read, or is an array of more than `MAX_ARRAY_BYTES`.
    """
    with _opened(path, field) as file:
        try:
            yield from _items(file) if _is_array(file) else _lines(file)
        except OSError as error:
            raise _unreadable(path, error, field) from error


def _opened(path: str | Path, field: str | None) -> BinaryIO:
    try:
        return open_regular(expanded(path, field))
    except OSError as error:
        raise _unreadable(path, error, field) from error


def _unreadable(path: str | Path, error: OSError, field: str | None) -> InvalidParams:
    reason = reason_of(error)
    return InvalidParams(tr("{path} cannot be read: {reason}.", path=verbatim(path), reason=reason), field)


def _lines(file: BinaryIO) -> Iterator[Line]:
    read, number = 0, 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        read += len(line)
        is_cut = len(line) > MAX_LINE_BYTES and not line.endswith(b"\n")
        while is_cut and (rest := file.readline(MAX_LINE_BYTES)):
            read += len(rest)
            is_cut = not rest.endswith(b"\n")
        if len(line) > MAX_LINE_BYTES:
            limit = quantity(MAX_LINE_BYTES, "bytes")
            yield Line(number, None, tr("The line is longer than {limit}.", limit=limit), read)
            continue
        if number == 1:
            line = line.removeprefix(_MARK)
        if line.strip(_BLANK):
            yield _line(number, line.strip(_BLANK), read)


def _line(number: int, line: bytes, read: int) -> Line:
    try:
        return Line(number, parse_conversation(_parsed(line)), EMPTY, read)
    except InvalidConversation as error:
        return Line(number, None, error.text, read)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidConversation(tr("Byte {position:,} is not UTF-8.", position=error.start + 1)) from error
    except json.JSONDecodeError as error:
        raise InvalidConversation(
            tr("Not valid JSON at character {position:,}: {reason}.", position=error.pos + 1, reason=error.msg)
        ) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or lists in lists in lists
        raise InvalidConversation(tr("The JSON is nested too deep, or has too long a number.")) from error


def _is_array(file: BinaryIO) -> bool:
    """Whether the file is one array of conversations, and not lines of which the first is a list of messages."""
    first = file.readline(MAX_LINE_BYTES).removeprefix(_MARK).strip(_BLANK)
    is_array = first.startswith(b"[")
    if is_array:
        try:
            value = json.loads(first)
            is_array = bool(value) and isinstance(value[0], dict) and any(key in value[0] for key in _KEYS)
        except (ValueError, RecursionError):
            pass
    file.seek(0)
    return is_array


def _items(file: BinaryIO) -> Iterator[Line]:
    size = os.fstat(file.fileno()).st_size
    data = file.read(MAX_ARRAY_BYTES + 1)
    if len(data) > MAX_ARRAY_BYTES:
        limit = quantity(MAX_ARRAY_BYTES, "bytes")
        too_large = tr(
            "One JSON array of more than {limit} is too large: write one conversation per line.", limit=limit
        )
        yield Line(1, None, too_large, size)
        return
    try:
        values = _parsed(data.removeprefix(_MARK))
    except InvalidConversation as error:
        yield Line(1, None, error.text, size)
        return
    for number, value in enumerate(values, 1):
        read = size * number // len(values)
        try:
            yield Line(number, parse_conversation(value), EMPTY, read)
        except InvalidConversation as error:
            yield Line(number, None, error.text, read)
