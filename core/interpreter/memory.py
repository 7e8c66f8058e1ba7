"""The memory behind a pointer argument: bounds, gathers and scatters of structured offsets.

A tile is read in the first of three ways that applies:
- window: every tensor axis is an arithmetic progression, so the tile of a lane is a strided view at the lane's base;
- rows: the innermost axis is contiguous and unmasked; whole rows are copied, masked rows are not touched;
- elements, for anything irregular: the only way that needs a 64-bit index per element.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.interpreter.values import INTEGERS
from core.trace.affine import LANE, Affine, IntArray, Integer, Term, dense
from core.trace.mask import BoolArray, Mask
from core.trace.record import Buffer
from core.trace.window import Window, window

BOUNDLESS = "_tilescope_boundless"
"""The attribute of a tensor that stands for a plain pointer: of it, only the storage is known."""


class Memory:
    """The storage behind one tensor argument, as a flat tensor of its elements, or of integers of the same width.

    A tensor may be a view: other arguments may be views of the same storage and see what is stored here. Offsets are
    relative to the tensor's first element; accesses may touch the whole storage.
    """

    def __init__(self, name: str, tensor: torch.Tensor) -> None:
        self.flat = _whole_storage(tensor)
        self.base = int(tensor.storage_offset())
        self.element_bytes = size = tensor.element_size()
        is_bounded = not getattr(tensor, BOUNDLESS, False)
        extent = 1 + sum((n - 1) * abs(s) for n, s in zip(tensor.shape, tensor.stride(), strict=True))
        self.buffer = Buffer(
            name=name,
            dtype=str(tensor.dtype).removeprefix("torch."),
            element_bytes=size,
            size_bytes=extent * size if tensor.numel() else 0,
            data_ptr=tensor.data_ptr(),
            shape=tuple(tensor.shape) if is_bounded else (),
            strides=tuple(tensor.stride()) if is_bounded else (),
        )

    @classmethod
    def of_nothing(cls) -> Memory:
        """What an address in no tensor points to."""
        return cls(_NOTHING, torch.empty(0, dtype=torch.int8))

    @property
    def is_nothing(self) -> bool:
        return self.buffer.name == _NOTHING

    @property
    def repeats(self) -> bool:
        """Whether several elements of the tensor are one place, as in an expanded tensor."""
        return any(size > 1 and not stride for size, stride in zip(self.buffer.shape, self.buffer.strides, strict=True))

    @property
    def storage_range(self) -> tuple[int, int]:
        """The address of the storage, and of what comes after it."""
        storage = self.flat.untyped_storage()
        return storage.data_ptr(), storage.data_ptr() + storage.nbytes()

    def start(self, width: int) -> int:
        """The address of the element of `width` bytes that the tensor begins in: offset 0 of such elements."""
        return self.buffer.data_ptr - self.base * self.element_bytes % width

    def viewed(self, width: int) -> Memory:
        """The same memory as integers of `width` bytes."""
        view = copy(self)
        view.flat = self.flat.new_empty(0, dtype=INTEGERS[width])
        storage = self.flat.untyped_storage()
        view.flat.set_(storage, 0, (storage.nbytes() // width,), (1,))
        view.base = self.base * self.element_bytes // width
        view.element_bytes = width
        return view

    @property
    def low(self) -> int:
        """The lowest offset that lies in the storage."""
        return -self.base

    @property
    def high(self) -> int:
        """The highest offset that lies in the storage."""
        return self.flat.numel() - self.base - 1


_NOTHING = "null"

_MOVED_AS = {
    torch.float8_e4m3fn: torch.int8,
    torch.float8_e5m2: torch.int8,
    torch.float8_e4m3fnuz: torch.int8,
    torch.float8_e5m2fnuz: torch.int8,
    torch.uint16: torch.int16,
    torch.uint32: torch.int32,
    torch.uint64: torch.int64,
}
"""Types that torch cannot scatter are moved as integers of the same width."""


def _whole_storage(tensor: torch.Tensor) -> torch.Tensor:
    storage = tensor.untyped_storage()
    elements = storage.nbytes() // tensor.element_size()
    empty: torch.Tensor = torch.empty(0, dtype=_MOVED_AS.get(tensor.dtype, tensor.dtype), device=tensor.device)
    return empty.set_(storage, 0, (elements,), (1,))


@dataclass(frozen=True)
class OutOfBounds:
    """The first element outside: its lane, its index in the tile, its offset in elements."""

    lane: int
    index: tuple[int, ...]
    offset: int


def out_of_bounds(
    memory: Memory, offset: Integer, mask: Mask | None, lanes: int, shape: tuple[int, ...]
) -> OutOfBounds | None:
    """The first unmasked element outside the storage, or None."""
    bad = outside(memory, offset, mask, lanes, shape)
    return None if bad is None else first_of(bad, offset)


def first_of(bad: BoolArray, offset: Integer) -> OutOfBounds:
    """The first element of `bad` ([lanes, *shape], not all False)."""
    index = np.unravel_index(int(bad.argmax()), bad.shape)
    where = np.broadcast_to(dense(offset, bad.ndim - 1), bad.shape)
    return OutOfBounds(int(index[0]), tuple(int(i) for i in index[1:]), int(where[index]))


def outside(memory: Memory, offset: Integer, mask: Mask | None, lanes: int, shape: tuple[int, ...]) -> BoolArray | None:
    """Unmasked elements outside the storage, [lanes, *shape], or None. Bounds alone decide most cases."""
    low, high = memory.low, memory.high
    if not isinstance(offset, Affine):
        inside = low <= offset <= high
    else:
        inside = low <= offset.low and offset.high <= high
        if not inside:
            offset = offset.tight()
            inside = low <= offset.low and offset.high <= high
    if inside or (mask is not None and isinstance(offset, Affine) and _inside_where(offset, mask, low, high)):
        return None
    where = np.broadcast_to(dense(offset, len(shape)), (lanes, *shape))
    bad = (where < low) | (where > high)
    if mask is not None:
        bad = bad & mask.array
    return bad if bad.any() else None


def _inside_where(offset: Affine, mask: Mask, low: int, high: int) -> bool:
    """True if the elements that the mask keeps are inside, judged only along the axes of the mask."""
    axes = mask.axes
    masked: Any = offset.constant
    free_low = free_high = 0
    for term in offset.terms:
        if term.axes & axes:
            masked = masked + term.array
        else:
            free_low, free_high = free_low + term.low, free_high + term.high
    masked, keep = np.broadcast_arrays(masked, mask.array)
    kept = masked[keep]
    return kept.size == 0 or (int(kept.min()) + free_low >= low and int(kept.max()) + free_high <= high)


def read(memory: Memory, offset: Integer, mask: Mask | None, rank: int) -> torch.Tensor:
    """The elements at `offset`, [lanes or 1, *dims or 1]; masked-off elements are unspecified.

    Every unmasked element has been checked to be inside.
    """
    view = window(offset, rank)
    if view is None or mask is None:
        return _read_carefully(memory, offset, mask, rank) if view is None else _read_window(memory, view)
    inside = (view.start >= memory.low) & (view.start + (view.extent - 1) <= memory.high)
    if inside.all():
        return _read_window(memory, view)
    if not inside.any() or not isinstance(offset, Affine):
        return _read_carefully(memory, offset, mask, rank)
    # A masked tile may reach past the end of memory: only those lanes need care.
    near, far = np.flatnonzero(inside), np.flatnonzero(~inside)
    tiles = _read_window(memory, Window(view.start[near], view.sizes, view.steps))
    careful = _read_carefully(memory, offset.cut(far), mask.cut(far), rank)
    shape = (len(view.start), *np.broadcast_shapes(tiles.shape[1:], careful.shape[1:]))
    result = torch.empty(shape, dtype=tiles.dtype, device=tiles.device)
    result[_indices(near, tiles.device)] = tiles
    result[_indices(far, tiles.device)] = careful
    return result


def _read_carefully(memory: Memory, offset: Integer, mask: Mask | None, rank: int) -> torch.Tensor:
    """Read without touching any masked-off address."""
    inner = None if mask is None else _contiguous_axis(offset, mask)
    if inner is not None and isinstance(offset, Affine) and mask is not None:
        return _read_rows(memory, offset, mask, inner)
    return _read_elements(memory, offset, mask, rank)


def _read_window(memory: Memory, view: Window) -> torch.Tensor:
    first, last = int(view.start.min()), int(view.start.max())
    tiles = memory.flat.as_strided((last - first + 1, *view.sizes), (1, *view.steps), memory.base + first)
    if len(view.start) == 1:
        return tiles.clone()
    return tiles.index_select(0, _indices(view.start - first, memory.flat.device))


def _indices(array: IntArray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _contiguous_axis(offset: Integer, mask: Mask) -> Term | None:
    """The term that is contiguous along one tensor axis that the mask does not depend on."""
    for term in offset.terms if isinstance(offset, Affine) else ():
        if not term.axes & (LANE | mask.axes) and term.step == 1:
            return term
    return None


def _read_rows(memory: Memory, offset: Affine, mask: Mask, inner: Term) -> torch.Tensor:
    axis = inner.axes.bit_length() - 1
    length = inner.array.shape[axis]
    rest = tuple(term for term in offset.terms if term is not inner)
    starts, keep = np.broadcast_arrays(Affine(offset.rank, offset.constant + inner.low, rest).dense(), mask.array)
    if not keep.any():
        shape = [*starts.shape]
        shape[axis] = length
        return torch.zeros(shape, dtype=memory.flat.dtype, device=memory.flat.device)
    safe = np.where(keep, starts, starts[keep][0])
    first, last = int(safe.min()), int(safe.max())
    rows = memory.flat.as_strided((last - first + 1, length), (1, 1), memory.base + first)
    read_ = rows.index_select(0, _indices((safe - first).reshape(-1), memory.flat.device))
    shape = [n for i, n in enumerate(starts.shape) if i != axis]
    return read_.view(*shape, length).movedim(-1, axis)


def _read_elements(memory: Memory, offset: Integer, mask: Mask | None, rank: int) -> torch.Tensor:
    where = dense(offset, rank)
    if mask is not None:
        where, keep = np.broadcast_arrays(where, mask.array)
        where = np.where(keep, where, where[keep][0] if keep.any() else 0)
    index = _indices((where + memory.base).reshape(-1), memory.flat.device)
    if mask is not None and not memory.flat.numel():
        return torch.zeros(where.shape, dtype=memory.flat.dtype, device=memory.flat.device)
    return memory.flat.index_select(0, index).view(where.shape)


def write(
    memory: Memory, offset: Integer, mask: Mask | None, value: torch.Tensor, lanes: int, shape: Sequence[int]
) -> None:
    """Store `value` ([lanes or 1, *dims or 1]) at `offset`; every unmasked element has been checked to be inside."""
    full = (lanes, *shape)
    view = window(offset, len(shape))
    inner = None if view is None else next((a for a in reversed(range(len(shape))) if view.steps[a] == 1), None)
    keep = None if mask is None else np.broadcast_to(mask.array, full)
    if view is None or inner is None:
        starts = np.broadcast_to(dense(offset, len(shape)), full).reshape(-1)
        rows = value.expand(full).reshape(-1, 1)
        kept = None if keep is None else keep.reshape(-1, 1)
    else:
        starts = np.broadcast_to(view.row_starts(inner), (lanes, *_without(shape, inner))).reshape(-1)
        rows = value.expand(full).movedim(inner + 1, -1).reshape(-1, view.sizes[inner])
        kept = None if keep is None else np.moveaxis(keep, inner + 1, -1).reshape(rows.shape)
    _write_rows(memory, starts + memory.base, rows, kept)


def _without(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _write_rows(memory: Memory, starts: IntArray, rows: torch.Tensor, keep: BoolArray | None) -> None:
    """Write contiguous rows at `starts`, in the largest pieces that alignment and the mask allow."""
    if keep is not None:
        written = np.flatnonzero(keep[:, 0] if keep.strides[1] == 0 else keep.any(axis=1))
        if len(written) < len(starts):
            starts, keep, rows = starts[written], keep[written], rows.index_select(0, _indices(written, rows.device))
        if keep.all():
            keep = None
    if not len(starts):
        return
    length, first = rows.shape[1], int(starts.min())
    piece = int(np.gcd.reduce(starts - first, initial=length))
    if keep is not None:
        # An edge of the mask inside a row divides the pieces further.
        edges = np.flatnonzero((keep[:, 1:] != keep[:, :-1]).any(axis=0)) + 1
        piece = int(np.gcd.reduce(edges, initial=piece))
        first = max(first, first % piece)  # what the mask leaves out may lie before the memory
    index = ((starts - first) // piece)[:, None] + np.arange(length // piece)
    pieces = rows.reshape(-1, piece)
    if keep is not None:
        kept = np.flatnonzero(keep[:, ::piece])
        index, pieces = index.reshape(-1)[kept], pieces.index_select(0, _indices(kept, rows.device))
    count = (memory.flat.numel() - first) // piece
    target = memory.flat[first : first + count * piece].view(count, piece)
    target.index_copy_(0, _indices(index.reshape(-1), rows.device), pieces)
