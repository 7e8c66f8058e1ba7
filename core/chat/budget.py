"""What one rendering may use: steps, time, and the size of every text, list and number that it builds.

Python cannot interrupt one operation ('a' * 10**12), so the size of what an operation builds is checked before it runs.
What remains is many small operations: each counts as a step.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from core.chat.template_errors import OutOfBudget, too_large, too_long
from core.chat.traced import TracedText
from core.contracts.text import tr

MAX_STEPS = 500_000
"""Rounds of loops, calls and filters. A conversation of 32,768 tokens takes a few thousand."""

MAX_SECONDS = 3.0
"""Of computing in this thread."""

MAX_CHARACTERS = 8_000_000
"""Of one text: some 2 million tokens."""

MAX_TOTAL_CHARACTERS = 32 * MAX_CHARACTERS
"""Of all texts of one rendering: a template that builds its text piece by piece copies it at each."""

MAX_ENTRIES = 1_000_000
"""Of a list, with all that is in it."""

MAX_TOTAL_ENTRIES = 10 * MAX_ENTRIES
"""Of all lists of one rendering."""

MAX_WIDTH = 100_000
"""Of padding, and of numbers in format strings."""

MAX_BITS = 10_000
"""Of a whole number."""

_CLOCK_STEPS = 64
_NUMBERS = re.compile(r"\d+")
_TEXT = (str, bytes)
_SCALARS, _STRINGS = {int, float, bool, type(None)}, {str, TracedText}


class Budget:
    """Counts what a rendering uses. Every method raises OutOfBudget where that is too much."""

    def __init__(self) -> None:
        self.steps = 0
        self.characters = 0
        self.total_entries = 0
        self._end = time.thread_time() + MAX_SECONDS
        self._weights: dict[int, tuple[int, Any]] = {}

    def step(self) -> None:
        """One round of a loop, one call or one filter."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise OutOfBudget(tr("it took more than {steps:,} steps: a loop does not end", steps=MAX_STEPS))
        if self.steps % _CLOCK_STEPS == 0 and time.thread_time() > self._end:
            raise OutOfBudget(tr("it computed for more than {seconds:g} seconds", seconds=MAX_SECONDS))

    def length(self, characters: int) -> None:
        """A text of so many characters is about to be built."""
        if characters > MAX_CHARACTERS:
            raise too_long(MAX_CHARACTERS)
        self.characters += characters
        if self.characters > MAX_TOTAL_CHARACTERS:
            raise too_long(MAX_TOTAL_CHARACTERS)

    def made(self, value: Any) -> Any:
        """A value that an operation built, counted."""
        if isinstance(value, _TEXT):
            self.length(len(value))
        elif isinstance(value, list | tuple | dict):
            self.weigh(value)
        elif isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise too_large(MAX_ENTRIES)
        return value

    def weigh(self, value: Any) -> int:
        """The number of entries in a value, in those in turn, and so on: an entry that occurs twice counts twice.

        So `[x, x]` in a loop is noticed, which would be written with 2^n entries.
        """
        if isinstance(value, _TEXT):
            return 1 + len(value) // 16
        if not isinstance(value, list | tuple | dict):
            return 1
        known = self._weights.get(id(value))
        if known is None:
            entries = [*value, *value.values()] if isinstance(value, dict) else value
            kinds = set(map(type, entries))
            if kinds <= _SCALARS:
                weight = 1 + len(entries)
            elif kinds <= _STRINGS:
                weight = 1 + len(entries) + sum(map(len, entries)) // 16
            else:
                weight = 1 + sum(map(self.weigh, entries))
            self.total_entries += len(entries)
            if weight > MAX_ENTRIES or self.total_entries > MAX_TOTAL_ENTRIES:
                raise too_large(MAX_ENTRIES)
            known = self._weights[id(value)] = (weight, value)  # the value is kept, so that its id stays its own
        return known[0]

    def binary(self, operator: str, left: Any, right: Any) -> None:
        """`left operator right` is about to be computed."""
        if isinstance(left, _TEXT) and operator == "%":
            self.percent(left, right)
        elif isinstance(left, _TEXT) and isinstance(right, _TEXT) and operator == "+":
            self.length(len(left) + len(right))
        elif operator == "*":
            for value, count in ((left, right), (right, left)):
                if isinstance(count, int) and isinstance(value, _TEXT):
                    self.length(len(value) * max(count, 0))
                elif isinstance(count, int) and isinstance(value, list | tuple):
                    self.entries(self.weigh(value) * max(count, 0))
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            self.bits(left.bit_length() * max(right, 0))

    def percent(self, text: str | bytes, values: Any) -> None:
        """`text % values` is about to be computed."""
        self.step()
        source = text if isinstance(text, str) else text.decode("latin-1")
        if "*" in source:
            for value in values if isinstance(values, tuple) else (values,):
                self.width(value)
        self.numbers(source)
        weight = 16 * self.weigh(values)
        self.length(len(text) + weight * (source.count("%(") if isinstance(values, Mapping) else 1))

    def numbers(self, text: str) -> None:
        """The numbers in a format string are widths and precisions."""
        for number in _NUMBERS.findall(text):
            self.width(int(number) if len(number) < 10 else MAX_WIDTH + 1)

    def width(self, value: Any) -> None:
        """A number of characters, entries or digits that is about to be filled up to."""
        if isinstance(value, int) and abs(value) > MAX_WIDTH:
            raise too_long(MAX_WIDTH)

    def entries(self, count: int) -> None:
        if count > MAX_ENTRIES:
            raise too_large(MAX_ENTRIES)

    def bits(self, count: int) -> None:
        if count > MAX_BITS:
            raise too_large(MAX_ENTRIES)
