"""What the atomics of a kernel order, by source line, read from its TTIR.

An atomic releases or acquires only if its `sem` says so and its `scope` reaches other programs: `scope="cta"` ends at
the program. One whose result nobody uses acquires nothing, since the program goes on whatever it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

Line = tuple[str, int]
"""A file, and a line of it."""

_ATOMIC = re.compile(
    r"^\s*(?:(?P<result>%[\w$.-]+) = )?tt\.atomic_(?:rmw \w+|cas),? (?P<sem>\w+), (?P<scope>\w+),"
    r".*loc\((?P<loc>.*)\)\s*$"
)
_ALIAS = re.compile(r"^(#loc\w*) = loc\((.*)\)\s*$", re.MULTILINE)
_PLACE = re.compile(r'"((?:[^"\\]|\\.)*)":(\d+)')
_NAME = re.compile(r"#loc\w*")
_VALUE = re.compile(r"%[\w$.-]+")


@dataclass
class Ordering:
    """What the atomics of a line do for other programs: any of them, if there are several."""

    acquires: bool = False
    releases: bool = False
    is_shared: bool = False
    """Whether it is an atomic for other programs at all."""


class Atomics:
    """The atomics of a launch by line. A line that is unknown, as in an older trace, orders everything."""

    def __init__(self, ttir: str) -> None:
        self._lines: dict[Line, Ordering] = {}
        self._aliases = dict(_ALIAS.findall(ttir)) if "tt.atomic_" in ttir else {}
        for part in ttir.split("tt.func ") if self._aliases else ():
            self._add(part)

    def at(self, file: str, line: int) -> Ordering:
        """What the atomics at a line order."""
        return self._lines.get((file, line), Ordering(True, True, True))

    def _add(self, function: str) -> None:
        used: dict[str, int] = {}
        for name in _VALUE.findall(function):
            used[name] = used.get(name, 0) + 1
        for found in map(_ATOMIC.match, function.splitlines()):
            if found is None:
                continue
            shared = found["scope"] != "cta"
            for place in self._places(found["loc"]):
                known = self._lines.setdefault(place, Ordering())
                known.is_shared |= shared
                known.releases |= shared and found["sem"] in ("release", "acq_rel")
                acquires = shared and found["sem"] in ("acquire", "acq_rel")
                known.acquires |= acquires and used.get(found["result"] or "", 0) > 1

    def _places(self, text: str) -> Iterator[Line]:
        """The lines that a location names: where the code stands, and where it was inlined."""
        for file, line in _PLACE.findall(text):
            yield file, int(line)
        for name in _NAME.findall(text):
            yield from self._places(self._aliases.get(name, ""))
