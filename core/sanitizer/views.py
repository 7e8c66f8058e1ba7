"""Accesses outside the tensor that was passed, in memory that exists: its neighbours are hit.

A tensor is its shape and strides: the columns between those of `qkv[:, 16:32]` do not belong to it, even though they
lie in its memory. What is masked off is no access. Two ways to pass a tensor are taken for a plain pointer, about whose
bounds nothing is known: a view of a single element, and any argument of a kernel that makes pointers from numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from core.contracts.text import EMPTY, Text, Value, sentences, tr
from core.sanitizer import kinds
from core.sanitizer.layout import Layout
from core.trace.affine import Affine, IntArray, Integer
from core.trace.record import Access, Buffer, Fault, Launch, coordinates
from core.trace.rows import rows_of


def outside_views(launch: Launch) -> tuple[Fault, ...]:
    """One finding for each source line that leaves a tensor's view; `count` are its elements outside.

    If all of them lie where a packed tensor of that shape would have its elements, the strides were not used: the kind
    is then `WRONG_STRIDES`.
    """
    if "tt.int_to_ptr" in launch.ttir:
        return ()
    layouts = [Layout(buffer) for buffer in launch.buffers]
    found: dict[tuple[int, str, int, str], _Strays] = {}
    for access in launch.accesses:
        layout = layouts[access.buffer]
        strays = None if layout.count <= 1 else _strays(access, layout)
        if strays is not None:
            site = access.buffer, access.file, access.line, access.kind
            found[site] = strays if site not in found else found[site].joined(strays)
    return tuple(_finding(launch, layouts, strays) for strays in found.values())


@dataclass(frozen=True)
class _Strays:
    """The elements of accesses of one line that lie outside a view: the first, all of them, and their range."""

    access: Access
    lane: int
    element: tuple[int, ...]
    index: int
    count: int
    low: int
    high: int

    def joined(self, later: _Strays) -> _Strays:
        low, high = min(self.low, later.low), max(self.high, later.high)
        return replace(self, count=self.count + later.count, low=low, high=high)


def _strays(access: Access, layout: Layout) -> _Strays | None:
    """The elements of an access outside a view. Bounds alone decide most cases."""
    if layout.dense and _within(access.offset, layout.extent):
        return None
    rows = rows_of(access)
    starts, lengths = np.broadcast_arrays(rows.starts, rows.lengths)
    bad = ~layout.holds(starts, lengths)
    if not bad.any():
        return None
    outside = _outside(layout, starts[bad], lengths[bad])
    repeats = len(access.programs) * rows.shape[1] // bad.size
    first = int(np.broadcast_to(bad.any(axis=1), (len(access.programs),)).argmax())
    offsets, active = access.offsets()[first], access.active()[first]
    wrong = active & ~layout.holds(offsets, 1)
    element = np.unravel_index(int(wrong.argmax()), wrong.shape) if wrong.ndim else ()
    return _Strays(
        access=access,
        lane=first,
        element=tuple(int(i) for i in element),
        index=int(offsets[element]),
        count=len(outside) * repeats,
        low=int(outside.min()),
        high=int(outside.max()),
    )


def _within(offset: Integer, extent: int) -> bool:
    """Whether bounds show that all elements lie in the extent of a tensor."""
    if not isinstance(offset, Affine):
        return 0 <= offset < extent
    if offset.low < 0 or offset.high >= extent:
        offset = offset.tight()
    return offset.low >= 0 and offset.high < extent


def _outside(layout: Layout, starts: IntArray, lengths: IntArray) -> IntArray:
    """The offsets of contiguous rows that are no elements."""
    first = np.cumsum(lengths) - lengths
    offsets = np.repeat(starts - first, lengths) + np.arange(int(lengths.sum()))
    return offsets[~layout.holds(offsets, 1)]


def _finding(launch: Launch, layouts: list[Layout], strays: _Strays) -> Fault:
    access, buffer, layout = strays.access, launch.buffers[strays.access.buffer], layouts[strays.access.buffer]
    program = int(access.programs[strays.lane])
    details: dict[str, Value] = {
        "kind": access.kind,
        "kernel": launch.function,
        "location": located(access),
        "program": coordinates(launch.grid, program),
        "index": strays.index,
        "tensor": buffer.name,
        "shape": str(list(buffer.shape)),
        "strides": str(list(buffer.strides)),
    }
    ignores = not layout.packed and strays.low >= 0 and strays.high < layout.count
    if ignores:
        what = tr(
            "The {kind} in {kernel} at {location} takes {tensor} as packed, but it has shape {shape} and strides "
            "{strides}: program {program} reaches index {index}, which is none of its elements.",
            **details,
        )
        repair = as_packed(buffer)
    else:
        what = tr(
            "The {kind} in {kernel} at {location} leaves the tensor that was passed: program {program} reaches index "
            "{index} of {tensor}, which is none of its elements, for it has shape {shape} and strides {strides}.",
            **details,
        )
        repair = tr("Mask the access, or fix the index.")
    is_origin = not ignores and _is_expanded(buffer)
    if is_origin:
        repair = tr("Pass the whole tensor, unless this view only says where its memory begins.")
    return Fault(
        kind=kinds.WRONG_STRIDES if ignores else kinds.OUTSIDE_THE_VIEW,
        access=access.kind,
        buffer=access.buffer,
        file=access.file,
        line=access.line,
        program=program,
        index=strays.index,
        count=strays.count,
        sentence=sentences(what, _neighbour(launch, layouts, access.buffer, strays.index)),
        severity="remark" if is_origin else "fault",
        iteration=access.iteration,
        element=strays.element,
        repair=repair,
    )


def _is_expanded(buffer: Buffer) -> bool:
    """Whether an axis has stride 0. Who reaches further than a packed tensor of that shape may mean the memory behind
    it, as a `gather` does that multiplies its index by the stride before."""
    return any(size > 1 and not stride for size, stride in zip(buffer.shape, buffer.strides, strict=True))


def as_packed(buffer: Buffer) -> Text:
    """How to mend a kernel that takes a tensor as packed."""
    return tr("Pass {tensor}.contiguous(), or its strides, and use them.", tensor=buffer.argument or buffer.name)


def located(access: Access) -> str:
    """'FILE:LINE' of an access."""
    return f"{access.file}:{access.line}"


def _neighbour(launch: Launch, layouts: list[Layout], own: int, index: int) -> Text:
    """Whose the place is: another tensor of the launch, or the rest of the memory that the tensor is a part of."""
    buffer = launch.buffers[own]
    address = buffer.data_ptr + index * buffer.element_bytes
    hit = min(_owners(launch, layouts, own, address), key=lambda other: other.size_bytes, default=None)
    if hit is not None:
        return tr("That place belongs to {neighbour}.", neighbour=_called(hit))
    if not buffer.argument:
        return EMPTY
    return tr("That place lies in the memory that {argument} is a part of.", argument=buffer.argument)


def _owners(launch: Launch, layouts: list[Layout], own: int, address: int) -> Iterator[Buffer]:
    storage = launch.buffers[own].storage
    for other, layout in zip(launch.buffers, layouts, strict=True):
        place = np.array([(address - other.data_ptr) // other.element_bytes])
        shares = other.storage == storage >= 0 and layout.count
        if shares and layout.holds(place, 1)[0]:
            yield other


def _called(buffer: Buffer) -> str:
    same = buffer.argument in ("", buffer.name)
    return buffer.name if same else f"{buffer.name} ({buffer.argument})"
