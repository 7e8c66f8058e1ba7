"""Reads of memory that nobody has written, and outputs of which a part was never written.

What one program stores may be seen by another one in some order, so a read counts as a fault only if no other program
of the launch stores to its place, and its own program does so later or never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.contracts.text import tr
from core.sanitizer import kinds
from core.sanitizer.views import located
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Access, AccessKind, Buffer, Fault, Launch, coordinates
from core.trace.rows import rows_of


@dataclass
class Written:
    """A storage that was made without values: `written` says which of its elements kernels have written since.

    `start` is its address. `is_read` says that a kernel read it: it hands values on, and is no output.
    """

    start: int
    element_bytes: int
    written: BoolArray
    is_read: bool = False
    last_store: tuple[int, Access] | None = None
    """The number of the launch that stored to it last, and the access."""
    placed_by_data: bool = False
    """Whether it depends on data where that launch stored: what it leaves unwritten may be spare room."""

    def index(self, buffer: Buffer) -> int:
        """The element in which a tensor of the storage begins."""
        return (buffer.data_ptr - self.start) // self.element_bytes


Elements = dict[int, BoolArray]
"""By the number of an access, some of its elements, [lanes, *shape]."""


def uninitialised_reads(
    launch: Launch, memory: Written, buffers: Sequence[int], number: int
) -> tuple[list[Fault], Elements]:
    """The reads by launch `number` of what nobody has written in `memory`, which the tensors `buffers` lie in, and the
    elements that read it.

    What the launch stores is written afterwards.
    """
    accesses = {place: access for place, access in enumerate(launch.accesses) if access.buffer in buffers}
    if any(access.element_bytes != memory.element_bytes for access in accesses.values()):
        memory.written[:] = True  # counted in other elements: nothing is known
        return [], {}
    stores = [access for access in accesses.values() if _overwrites(access, launch)]
    reads = {place: access for place, access in accesses.items() if not _overwrites(access, launch)}
    found: tuple[list[Fault], Elements] = [], {}
    if reads and not memory.written.all():
        found = _Reads(launch, memory, stores).findings(reads)
    memory.is_read = memory.is_read or any(access.kind == "load" for access in reads.values())
    changes = [access for access in accesses.values() if access.kind != "load"]
    if changes:
        _fill(launch, memory, changes)
        memory.last_store = number, changes[-1]
    return found


def unwritten_output(launch: Launch, memory: Written) -> Fault | None:
    """The finding for a storage that kernels wrote in part, stored to last by `launch`; None if all is written."""
    if memory.is_read or memory.last_store is None or memory.written.all():
        return None
    missing = np.flatnonzero(~memory.written)
    access = memory.last_store[1]
    buffer = launch.buffers[access.buffer]
    index = int(missing[0]) - memory.index(buffer)
    return Fault(
        kind=kinds.UNWRITTEN_OUTPUT,
        access="store",
        buffer=access.buffer,
        file=access.file,
        line=access.line,
        program=-1,
        index=index,
        count=len(missing),
        severity="remark" if memory.placed_by_data else "fault",
        sentence=tr(
            "{count:,} of {total:,} elements of {tensor} (shape {shape}) are never written, the first at index "
            "{index}: it was made without values, and {kernel} at {location} stores to it last.",
            count=len(missing),
            total=len(memory.written),
            tensor=buffer.name,
            shape=str(list(buffer.shape)),
            index=index,
            kernel=launch.function,
            location=located(access),
        ),
        repair=tr("Launch enough programs, widen the mask, or fill the tensor first."),
    )


def _overwrites(access: Access, launch: Launch) -> bool:
    """Whether an access writes without needing what was there before."""
    if access.kind != "atomic":
        return access.kind == "store"
    lines, place = launch.source.splitlines(), access.line - launch.first_line
    return access.file != launch.file or not 0 <= place < len(lines) or "atomic_xchg" in lines[place]


def _fill(launch: Launch, memory: Written, accesses: Sequence[Access]) -> None:
    """Mark the elements that accesses touch as written."""
    touched = [spans(access, memory.index(launch.buffers[access.buffer])) for access in accesses]
    begin, end = (np.concatenate(column) for column in zip(*touched, strict=True))
    if not len(begin):
        return
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    apart = begin[1:] > end[:-1]
    first, last = begin[np.concatenate(([True], apart))], end[np.concatenate((apart, [True]))]
    if len(first) > _MANY:
        sizes = last - first
        memory.written[np.repeat(first - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))] = True
        return
    for one, other in zip(first.tolist(), last.tolist(), strict=True):
        memory.written[one:other] = True


_MANY = 4096
"""Runs of elements beyond which they are marked all at once."""


def spans(access: Access, shift: int) -> tuple[IntArray, IntArray]:
    """The first element of each row that an access touches, and the one after the last, in a storage in which its
    tensor begins at the element `shift`."""
    rows = rows_of(access)
    starts, lengths = np.broadcast_arrays(rows.starts + shift, rows.lengths)
    touched = lengths > 0
    return starts[touched], (starts + lengths)[touched]


class _Reads:
    """Tells which reads come before anybody's store."""

    def __init__(self, launch: Launch, memory: Written, stores: Sequence[Access]) -> None:
        self._launch = launch
        self._memory = memory
        self._stores = stores
        self._missing = np.concatenate(([0], np.cumsum(~memory.written)))
        self._known: tuple[IntArray, IntArray, IntArray] | None = None

    def findings(self, reads: Mapping[int, Access]) -> tuple[list[Fault], Elements]:
        found: dict[tuple[AccessKind, int, str, int], Fault] = {}
        elements: Elements = {}
        for place, access in reads.items():
            bad = None if self._is_written(access) else self._too_early(access)
            if bad is not None and bad.any():
                elements[place] = bad
                site = access.kind, access.buffer, access.file, access.line
                count = int(bad.sum())
                known = found.get(site)
                found[site] = (
                    self._finding(access, bad, count) if known is None else replace(known, count=known.count + count)
                )
        return list(found.values()), elements

    def _is_written(self, access: Access) -> bool:
        """Whether all that an access reads was written by earlier launches."""
        begin, end = spans(access, self._shift(access))
        return not bool((self._missing[end] - self._missing[begin]).any())

    def _too_early(self, access: Access) -> BoolArray:
        """The elements that nobody has written when they are read, [lanes, *shape]."""
        first, last, order = self._storing()
        active = access.active()
        place = np.where(active, access.offsets() + self._shift(access), 0)
        program = access.programs.reshape(-1, *(1,) * len(access.shape))
        nobody = first[place] > last[place]
        later = (first[place] == program) & (last[place] == program) & (order[place] > access.order)
        bad: BoolArray = active & ~self._memory.written[place] & (nobody | later)
        return bad

    def _storing(self) -> tuple[IntArray, IntArray, IntArray]:
        """The lowest and highest program that stores to each element, and the place of the first store in its order."""
        if self._known is None:
            count, most = len(self._memory.written), np.iinfo(np.int64).max
            first, last, order = np.full(count, most), np.full(count, -1), np.full(count, most)
            for access in self._stores:
                active = access.active()
                place = (access.offsets() + self._shift(access))[active]
                program = np.broadcast_to(access.programs.reshape(-1, *(1,) * len(access.shape)), active.shape)[active]
                np.minimum.at(first, place, program)
                np.maximum.at(last, place, program)
                np.minimum.at(order, place, access.order)
            self._known = first, last, order
        return self._known

    def _shift(self, access: Access) -> int:
        return self._memory.index(self._launch.buffers[access.buffer])

    def _finding(self, access: Access, bad: BoolArray, count: int) -> Fault:
        launch, buffer = self._launch, self._launch.buffers[access.buffer]
        lane, *element = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        index, program = int(access.offsets()[(lane, *element)]), int(access.programs[lane])
        return Fault(
            kind=kinds.UNINITIALISED_READ,
            access=access.kind,
            buffer=access.buffer,
            file=access.file,
            line=access.line,
            program=program,
            index=index,
            count=count,
            sentence=tr(
                "The {kind} in {kernel} at {location} reads what nobody has written: program {program} reaches index "
                "{index} of {tensor} (shape {shape}, strides {strides}), whose memory was made without values.",
                kind=access.kind,
                kernel=launch.function,
                location=located(access),
                program=coordinates(launch.grid, program),
                index=index,
                tensor=buffer.name,
                shape=str(list(buffer.shape)),
                strides=str(list(buffer.strides)),
            ),
            iteration=access.iteration,
            element=tuple(element),
            repair=tr("Make {tensor} with torch.zeros, or write it first.", tensor=buffer.argument or buffer.name),
        )
