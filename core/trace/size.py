"""How much memory a trace takes, counted while it is recorded, and the limit of that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.format import quantity
from core.trace.record import Access, arrays_of
from core.trace.rows import row_count

_BYTES_PER_ACCESS = 512
"""What an access holds besides the elements of its arrays (measured: 320 to 515)."""

_BYTES_PER_ROW = {"load": 24, "store": 32, "atomic": 24}
"""What counting a row of contiguous elements takes: intervals, and for stores the search for races. It is a third of
what was measured, because the limit is a fifth of the budget."""


class TraceTooLarge(TilescopeError):
    """A launch whose accesses do not fit the limit of the trace."""


class TraceSize:
    """Counts the memory of accesses while they are recorded; arrays that a launch shares count once. What counting the
    launch will take, which is free again after it, is part of what is limited."""

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.bytes = 0
        self.counting_bytes = 0
        self.limit_bytes = limit_bytes
        self._counted: set[int] = set()
        self._last: Access | None = None

    @contextmanager
    def launch(self, kernel: str) -> Iterator[None]:
        """Count the accesses that are added inside the block, unless it raises: they are dropped then."""
        before = self.bytes
        try:
            yield
            self._count()
            self.require(0, kernel)
        except BaseException:
            self.bytes = before
            raise
        finally:
            self._counted.clear()
            self._last = None
            self.counting_bytes = 0

    def mark(self) -> tuple[int, int]:
        """What is counted so far, for `drop`."""
        self._count()
        self._last = None
        return self.bytes, self.counting_bytes

    def drop(self, mark: tuple[int, int]) -> None:
        """The accesses since `mark` are taken out of the trace again."""
        self._last = None
        self.bytes, self.counting_bytes = mark

    def require(self, more_bytes: int, kernel: str) -> None:
        """Raises TraceTooLarge if that many bytes more exceed the limit."""
        if self.limit_bytes is not None and self.bytes + self.counting_bytes + more_bytes > self.limit_bytes:
            raise TraceTooLarge(
                tr(
                    "The trace of {kernel} does not fit the limit of {limit}: launch fewer programs, or raise the "
                    "memory budget.",
                    kernel=kernel,
                    limit=quantity(self.limit_bytes, "bytes"),
                )
            )

    def add(self, access: Access, kernel: str) -> None:
        """Add an access that is about to touch memory. Raises TraceTooLarge beyond the limit."""
        self._count()
        self._last = access
        self.require(0, kernel)

    def _count(self) -> None:
        """Count the last access, whose mask is evaluated once it has touched memory."""
        if self._last is None:
            return
        self.bytes += _BYTES_PER_ACCESS
        self.counting_bytes += _BYTES_PER_ROW[self._last.kind] * row_count(self._last)
        for array in arrays_of(self._last):
            if id(array) not in self._counted:
                self._counted.add(id(array))
                self.bytes += array.nbytes
