"""The stores that an addresses-only trace skipped, to notice when something depends on them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.interpreter.ir import Location
from core.interpreter.memory import Memory
from core.trace.affine import Affine, Integer

Span = tuple[int, int]
"""First byte, and the byte after the last, in a storage."""


class NeedsData(TilescopeError):
    """A trace of addresses only would be wrong: a value is needed that it did not write.

    `notice` says why, for a report of the trace with data that was taken instead.
    """

    def __init__(self, text: Text, notice: Text) -> None:
        super().__init__(text)
        self.notice = notice


class _Lines(dict[str, Span]):
    """The spans of one storage, by source line. Memory that is freed may be given out again: it is not unwritten."""

    def __init__(self, storage: torch.UntypedStorage) -> None:
        super().__init__()
        # Memory that PyTorch did not allocate, such as that of a NumPy array, may outlive the storage that names it.
        self._owner = StorageWeakRef(storage) if storage.resizable() else None  # type: ignore[no-untyped-call]

    @property
    def freed(self) -> bool:
        return self._owner is not None and bool(self._owner.expired())  # type: ignore[no-untyped-call]


@dataclass
class UnwrittenStores:
    """Spans that stores without data cover, by storage and source line. They are whole extents and ignore masks."""

    _spans: dict[int, _Lines] = field(default_factory=dict)
    """By the address of a storage."""
    needed: NeedsData | None = None
    """Set by the first read of an unwritten value, in case the user's code catches what is raised."""

    def add(self, memory: Memory, offset: Integer, location: Location) -> None:
        """Record a store to `offset` that wrote nothing."""
        lines = self._lines(memory.flat)
        if lines is None:
            storage = memory.flat.untyped_storage()
            lines = self._spans[storage.data_ptr()] = _Lines(storage)
        first, last = _span(memory, offset)
        known = lines.get(str(location), (first, last))
        lines[str(location)] = (min(first, known[0]), max(last, known[1]))

    def check(self, memory: Memory, offset: Integer, location: Location) -> None:
        """Raises TilescopeError if addresses depend on a value that a store without data should have written."""
        lines = self._lines(memory.flat)
        if not lines:
            return
        first, last = _span(memory, offset)
        for line, span in lines.items():
            if first < span[1] and span[0] < last:
                self._need(
                    tr(
                        "Addresses depend on what {location} loads from {tensor} and {store} writes, but an "
                        "addresses-only trace writes nothing: trace with data.",
                        location=location.label,
                        tensor=memory.buffer.name,
                        store=line,
                    ),
                    tr(
                        "Addresses depend on what {location} loads from {tensor} and {store} writes, so the values "
                        "were computed too: this is a full trace, not one of addresses only.",
                        location=location.label,
                        tensor=memory.buffer.name,
                        store=line,
                    ),
                )

    def check_whole(self, memory: Memory, kernel: str) -> None:
        """Raises NeedsData if a kernel that runs with its data may read what was not written."""
        store = self.line_of(memory.flat)
        if store:
            self._need(
                tr(
                    "{kernel} needs its data, since it passes data on inside or between its programs, but {store} "
                    "writes {tensor}, and an addresses-only trace writes nothing: trace with data.",
                    kernel=kernel,
                    store=store,
                    tensor=memory.buffer.name,
                ),
                tr(
                    "{kernel} needs its data, since it passes data on inside or between its programs, and {store} "
                    "writes {tensor}, so the values were computed too: this is a full trace, not one of addresses "
                    "only.",
                    kernel=kernel,
                    store=store,
                    tensor=memory.buffer.name,
                ),
            )

    def line_of(self, tensor: torch.Tensor) -> str:
        """The line of a store that should have written to a tensor's storage; empty if there is none."""
        return next(iter(self._lines(tensor) or ()), "")

    def add_storage(self, tensor: torch.Tensor, line: str) -> None:
        """Record that what an operation of the host wrote to a tensor depends on the store at `line`."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() and self._lines(tensor) is None:
            self._spans[storage.data_ptr()] = lines = _Lines(storage)
            lines[line] = 0, storage.nbytes()

    def forget(self, tensor: torch.Tensor) -> None:
        """Record that a tensor's storage is new, or that all of it was written."""
        self._spans.pop(tensor.untyped_storage().data_ptr(), None)

    def host_reads(self, tensor: torch.Tensor) -> None:
        """Raises NeedsData: a value of a tensor with unwritten stores leaves it."""
        store = self.line_of(tensor)
        self._need(
            tr(
                "The host reads what {store} writes, but an addresses-only trace writes nothing: trace with data.",
                store=store,
            ),
            tr(
                "The host reads what {store} writes, so the values were computed too: this is a full trace, not one of "
                "addresses only.",
                store=store,
            ),
        )

    def _lines(self, tensor: torch.Tensor) -> _Lines | None:
        """What is unwritten of a tensor's storage; None if nothing is."""
        if not self._spans:
            return None
        lines = self._spans.get(tensor.untyped_storage().data_ptr())
        return None if lines is None or lines.freed else lines

    def _need(self, text: Text, notice: Text) -> None:
        self.needed = self.needed or NeedsData(text, notice)
        raise self.needed


def _span(memory: Memory, offset: Integer) -> Span:
    low, high = (offset.low, offset.high) if isinstance(offset, Affine) else (offset, offset)
    size = memory.element_bytes
    return (memory.base + max(low, memory.low)) * size, (memory.base + min(high, memory.high) + 1) * size
