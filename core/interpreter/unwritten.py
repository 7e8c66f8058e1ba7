"""The stores that an addresses-only trace skipped, to refuse addresses that depend on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.ir import Location
from core.interpreter.memory import Memory
from core.trace.affine import Affine, Integer

Span = tuple[int, int]
"""First byte, and the byte after the last, in a storage."""


@dataclass
class UnwrittenStores:
    """Spans that stores without data cover, by storage and source line. They are whole extents and ignore masks."""

    _spans: dict[int, dict[str, Span]] = field(default_factory=dict)

    def add(self, memory: Memory, offset: Integer, location: Location) -> None:
        """Record a store to `offset` that wrote nothing."""
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
                    tr(
                        "Addresses depend on what {location} loads from {tensor} and {store} writes, but an "
                        "addresses-only trace writes nothing: trace with data.",
                        location=location.label,
                        tensor=memory.buffer.name,
                        store=line,
                    )
                )


def _span(memory: Memory, offset: Integer) -> Span:
    low, high = (offset.low, offset.high) if isinstance(offset, Affine) else (offset, offset)
    size = memory.buffer.element_bytes
    return (memory.base + max(low, memory.low)) * size, (memory.base + min(high, memory.high) + 1) * size
