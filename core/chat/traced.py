"""Text that knows where its characters come from, while a template takes it apart and puts it together.

A `TracedText` is a string, so that templates, filters and tests of Jinja treat it as one. What it returns is traced too
where the origin of each character is clear; elsewhere it returns a plain string.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, SupportsIndex

_MAX_PARTS = 10_000
"""Of one operation; with more, their origins are dropped: each part takes microseconds."""


class Run(NamedTuple):
    """`length` consecutive characters with one origin; see `rendering.Piece` for the fields. -1 means not known yet."""

    length: int
    template_start: int = -1
    template_end: int = -1
    message: int = -1
    from_content: bool = False
    generation: bool = False


Runs = tuple[Run, ...]


class TracedText(str):
    """A string with the origin of its characters: runs whose lengths add up to its own.

    Their attribute begins with an underscore, so that no template can reach it.
    """

    __slots__ = ("_runs",)

    _runs: Runs

    def __new__(cls, text: object = "", runs: Runs | None = None) -> TracedText:
        new = super().__new__(cls, text)
        new._runs = ((Run(len(new)),) if new else ()) if runs is None else runs
        return new

    def __str__(self) -> str:
        return self

    def __iter__(self) -> Iterator[str]:
        if len(self) > _MAX_PARTS:
            return super().__iter__()
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        text = super().__getitem__(key)
        if isinstance(key, slice):
            start, _, step = key.indices(len(self))
            return self._part(text, start) if step == 1 else self._uniform(text)
        index = key.__index__()
        return self._part(text, index + len(self) if index < 0 else index)

    def __add__(self, other: Any) -> str:
        if type(other) is str or type(other) is TracedText:
            return joined((self, other))
        return NotImplemented

    def __radd__(self, other: Any) -> str:
        return joined((other, self)) if type(other) is str else NotImplemented

    def __mul__(self, count: SupportsIndex) -> str:
        text = super().__mul__(count)
        repeats = max(count.__index__(), 0)
        if len(self._runs) == 1 or repeats * len(self._runs) > _MAX_PARTS:
            return self._uniform(text)
        return TracedText(text, self._runs * repeats)

    __rmul__ = __mul__

    def __mod__(self, values: Any) -> str:
        text = super().__mod__(values)
        return recovered(text, values if isinstance(values, tuple) else (values,))

    # The parts of a text

    def strip(self, chars: str | None = None, /) -> str:
        return self._part(super().strip(chars), len(self) - len(super().lstrip(chars)))

    def lstrip(self, chars: str | None = None, /) -> str:
        text = super().lstrip(chars)
        return self._part(text, len(self) - len(text))

    def rstrip(self, chars: str | None = None, /) -> str:
        return self._part(super().rstrip(chars), 0)

    def removeprefix(self, prefix: str, /) -> str:
        text = super().removeprefix(prefix)
        return self._part(text, len(self) - len(text))

    def removesuffix(self, suffix: str, /) -> str:
        return self._part(super().removesuffix(suffix), 0)

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return self._located(super().split(sep, maxsplit), sep)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        return self._located(super().rsplit(sep, maxsplit), sep)

    def partition(self, sep: str, /) -> tuple[str, str, str]:
        before, between, after = self._located(super().partition(sep), "")
        return before, between, after

    def rpartition(self, sep: str, /) -> tuple[str, str, str]:
        before, between, after = self._located(super().rpartition(sep), "")
        return before, between, after

    def splitlines(self, keepends: bool = False) -> list[str]:
        whole = self._located(super().splitlines(True), "")
        return whole if keepends else [line[: len(str.splitlines(line)[0])] for line in whole]

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> str:
        if old == "":
            return self._uniform(super().replace(old, new, count))
        return TracedText(new, new._runs if isinstance(new, TracedText) else None).join(self.split(old, count))

    # Texts with the same characters, or with further ones

    def join(self, parts: Iterable[str], /) -> str:
        parts = list(parts)
        if not all(type(part) is str or type(part) is TracedText for part in parts):
            return super().join(parts)
        return joined(part for index, item in enumerate(parts) for part in ((self, item) if index else (item,)))

    def lower(self) -> str:
        return self._alike(super().lower())

    def upper(self) -> str:
        return self._alike(super().upper())

    def title(self) -> str:
        return self._alike(super().title())

    def capitalize(self) -> str:
        return self._alike(super().capitalize())

    def swapcase(self) -> str:
        return self._alike(super().swapcase())

    def casefold(self) -> str:
        return self._alike(super().casefold())

    def ljust(self, width: SupportsIndex, fillchar: str = " ", /) -> str:
        return recovered(super().ljust(width, fillchar), (self,))

    def rjust(self, width: SupportsIndex, fillchar: str = " ", /) -> str:
        return recovered(super().rjust(width, fillchar), (self,))

    def center(self, width: SupportsIndex, fillchar: str = " ", /) -> str:
        return recovered(super().center(width, fillchar), (self,))

    def _part(self, text: str, start: int) -> str:
        """`text`, which stands in this one from `start` on, with its origin."""
        if len(text) == len(self):
            return self
        runs, left = [], len(text)
        for run in self._runs:
            if left <= 0:
                break
            if start >= run.length:
                start -= run.length
                continue
            length = min(run.length - start, left)
            runs.append(run if length == run.length else run._replace(length=length))
            left -= length
            start = 0
        return TracedText(text, tuple(runs))

    def _located(self, parts: Iterable[str], sep: str | None) -> list[str]:
        """The parts with their origins: they follow one another with `sep` between them, or white space for None."""
        parts = list(parts)
        if len(parts) > _MAX_PARTS:
            return parts
        located, position = [], 0
        for part in parts:
            if sep is None:
                position = self.index(part, position)
            located.append(self._part(part, position))
            position += len(part) + len(sep or "")
        return located

    def _alike(self, text: str) -> str:
        """A text made from this one character by character, unless their number has changed."""
        return TracedText(text, self._runs) if len(text) == len(self) else self._uniform(text)

    def _uniform(self, text: str) -> str:
        """A text made from this one in any way: it has an origin if all characters of this one share it."""
        first = self._runs[0] if self._runs else Run(0)
        if not text or any(run[1:] != first[1:] for run in self._runs):
            return str.__str__(text)
        return TracedText(text, (first._replace(length=len(text)),))


def runs_of(text: str) -> Runs:
    """The runs of a text; those of a plain one are not known."""
    if type(text) is TracedText:
        return text._runs
    return (Run(len(text)),) if text else ()


def joined(parts: Iterable[str]) -> str:
    """The texts one after another, with their origins."""
    parts = list(parts)
    runs: list[Run] = []
    for part in parts:
        added = runs_of(part)
        if runs and added and runs[-1][1:] == added[0][1:]:
            runs[-1] = added[0]._replace(length=runs[-1].length + added[0].length)
            added = added[1:]
        runs.extend(added)
    return TracedText("".join(parts), tuple(runs))


def recovered(text: str, parts: Iterable[Any]) -> str:
    """`text` with the origins of the parts that stand in it, in order. Each is looked for behind the one before, and
    one that is not found is left out."""
    pieces, position = [], 0
    for part in parts:
        start = text.find(part, position) if type(part) is TracedText and part else -1
        if start >= 0:
            pieces += [str.__getitem__(text, slice(position, start)), part]
            position = start + len(part)
    return joined([*pieces, str.__getitem__(text, slice(position, None))])
