"""What a program prints, kept at its beginning and its end: what is printed without end must fill no disk."""

from __future__ import annotations

from collections import deque
from typing import AnyStr, Generic

from core.contracts.text import Text, tr


class FirstAndLast(Generic[AnyStr]):
    """The first and the last `limit` characters (or bytes) of all that is added, and how many were dropped between."""

    def __init__(self, empty: AnyStr, limit: int) -> None:
        self._empty: AnyStr = empty
        self._limit = limit
        self._first: list[AnyStr] = []
        self._room = limit
        self._last: deque[AnyStr] = deque()
        self._last_size = 0
        self._past_first = 0

    def add(self, data: AnyStr) -> AnyStr:
        """Take what was printed; returns the part of it that belongs to the beginning."""
        head, rest = data[: self._room], data[self._room :]
        if head:
            self._room -= len(head)
            self._first.append(head)
        if rest:
            self._past_first += len(rest)
            self._last.append(rest[-self._limit :])
            self._last_size += len(self._last[-1])
            while self._last_size - len(self._last[0]) >= self._limit:
                self._last_size -= len(self._last.popleft())
        return head

    @property
    def first(self) -> AnyStr:
        joined: AnyStr = self._empty.join(self._first)
        return joined

    @property
    def last(self) -> AnyStr:
        """The end, without what is in `first`."""
        joined: AnyStr = self._empty.join(self._last)
        return joined[-self._limit :]

    @property
    def dropped(self) -> int:
        """How much lies between the beginning and the end."""
        return max(0, self._past_first - self._limit)


def text_of(kept: FirstAndLast[str]) -> str:
    """What is kept as one text, with a line where something was dropped."""
    return f"{kept.first}\n{gap(kept.dropped)}\n{kept.last}" if kept.dropped else kept.first + kept.last


def gap(dropped: int) -> Text:
    """The line in place of what was dropped."""
    return tr(
        "[{count:,} characters were dropped here: the beginning and the end of the output are kept.]", count=dropped
    )
