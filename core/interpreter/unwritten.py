"""What an addresses-only trace did not write, so that no address is computed from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.contracts.errors import TilescopeError
from core.interpreter.ir import Location
from core.interpreter.memory import Memory
from core.trace.affine import Affine, Integer

Span = tuple[int, int]
"""First byte and the byte after the last, in a storage."""


@dataclass
class UnwrittenStores:
    """Spans that stores without data cover, by storage and source line; whole extents, masks not looked at."""

    _spans: dict[int, dict[str, Span]] = field(default_factory=dict)

    def add(self, memory: Memory, offset: Integer, location: Location) -> None:
        """A store to `offset` was recorded, and nothing was written."""
        lines = self._spans.setdefault(memory.flat.untyped_storage().data_ptr(), {})
        first, last = _span(memory, offset)
        known = lines.get(str(location), (first, last))
        lines[str(location)] = (min(first, known[0]), max(last, known[1]))

    def check(self, memory: Memory, offset: Integer, location: Location) -> None:
        """Raises TilescopeError if addresses depend on a value that a store without data should have written."""
        lines = self._spans.get(memory.flat.untyped_storage().data_ptr())
        if not lines:
            return
        first, last = _span(memory, offset)
        for line, span in lines.items():
            if first < span[1] and span[0] < last:
                raise TilescopeError(
                    f"Addresses depend on what {location} loads from {memory.buffer.name}, which {line} writes, and "
                    "an addresses-only trace writes nothing: trace with data."
                )


def _span(memory: Memory, offset: Integer) -> Span:
    low, high = (offset.low, offset.high) if isinstance(offset, Affine) else (offset, offset)
    size = memory.buffer.element_bytes
    return (memory.base + max(low, memory.low)) * size, (memory.base + min(high, memory.high) + 1) * size
