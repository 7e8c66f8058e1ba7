"""The memory around a finding: the tensor's elements by its shape and strides, its neighbours, and who touches what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.sanitizer import kinds
from core.sanitizer.layout import Layout
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Access, AccessKind, Buffer, Launch
from core.trace.rows import rows_of
from core.trace.tables import FaultRow

MOST_ROWS, MOST_COLUMNS = 24, 64
_USUAL_PITCH = 32
_NOT_OWN, _OWN, _FIRST_NEIGHBOUR = 0, 1, 2
_OUTSIDE = frozenset((kinds.OUT_OF_BOUNDS, kinds.OUTSIDE_THE_VIEW, kinds.WRONG_STRIDES))


@dataclass(frozen=True)
class Side:
    """A program of a finding, and what its line does with the tensor ('load', 'store')."""

    program: int
    file: str
    line: int
    does: tuple[AccessKind, ...]


@dataclass(frozen=True, eq=False)
class FindingPicture:
    """Places of memory in rows of `pitch` elements; the first one drawn is `start`, counted from the tensor's first.

    owner    uint8 [rows, columns]: 0 for a place outside the tensor, 1 for an element of it, from 2 on an element of
             `neighbours`, in their order.
    wrong    bool [rows, columns]: the places of the finding that the trace shows, always with that of `index`.
    touched  bool [sides, rows, columns]: what the line of each of `sides` touches. Without a second program, that is
             what all programs touch at the line.
    """

    row: FaultRow
    buffer: Buffer
    grid: tuple[int, int, int]
    start: int
    pitch: int
    owner: npt.NDArray[np.uint8]
    wrong: BoolArray
    touched: BoolArray
    neighbours: tuple[str, ...]
    sides: tuple[Side, ...]

    @property
    def is_race(self) -> bool:
        return len(self.sides) == 2

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that are drawn."""
        rows, columns = self.owner.shape
        return rows, columns

    def index_at(self, row: int, column: int) -> int:
        return self.start + row * self.pitch + column

    def place_of_index(self) -> tuple[int, int]:
        """The row and the column of the element that the finding names."""
        row, column = divmod(self.row.index - self.start, self.pitch)
        return row, column


def finding_picture(launches: Sequence[Launch], row: FaultRow) -> FindingPicture | None:
    """The picture of a finding in the decoded `launches`; None if it concerns no tensor of them."""
    launch = launches[row.launch] if 0 <= row.launch < len(launches) else None
    number = _buffer_number(launch, row)
    if launch is None or number is None or not launch.buffers[number].size_bytes:
        return None
    buffer = launch.buffers[number]
    layout = Layout(buffer)
    pitch = _pitch(buffer)
    offsets = _window(layout.extent, pitch, row.index)
    owner, neighbours = _owners(launch, number, layout, offsets)
    sides = _sides(launch, number, row)
    touched = np.stack([_touched([launch], _at(side, number, len(sides) == 2), buffer, offsets) for side in sides])
    wrong = _wrong(launches, row, number, owner, touched, offsets) | (offsets == row.index)
    return FindingPicture(row, buffer, launch.grid, int(offsets[0, 0]), pitch, owner, wrong, touched, neighbours, sides)


def access_of(launch: Launch, row: FaultRow) -> int | None:
    """The order of the access of a finding among those of its program, None if the trace has none."""
    number = _buffer_number(launch, row)
    matching = [
        access
        for access in launch.accesses
        if (access.file, access.line, access.buffer) == (row.file, row.line, number)
        and bool((access.programs == row.program).any())
    ]
    iterated = [access for access in matching if ", ".join(map(str, access.iteration)) == row.iteration]
    return next((access.order for access in iterated or matching), None)


def _buffer_number(launch: Launch | None, row: FaultRow) -> int | None:
    buffers = () if launch is None else launch.buffers
    return next((number for number, buffer in enumerate(buffers) if buffer.name == row.tensor), None)


def _pitch(buffer: Buffer) -> int:
    """Elements in a row of the picture: the step of the axis above the innermost one, so that its elements lie below
    each other; a narrow row holds several steps."""
    steps = sorted(stride for size, stride in zip(buffer.shape, buffer.strides, strict=True) if size > 1 and stride > 0)
    step = steps[1] if len(steps) > 1 else steps[0] if steps else 1
    return step if step >= 8 else step * max(1, _USUAL_PITCH // step)


def _window(extent: int, pitch: int, index: int) -> IntArray:
    """The places that are drawn, [rows, columns]: all of the tensor, or those around `index`."""
    first, last = min(0, index) // pitch, max(extent - 1, index) // pitch
    row, column = divmod(index, pitch)
    if last - first >= MOST_ROWS:
        first = max(first - 1, min(row - MOST_ROWS // 2, last + 1 - MOST_ROWS))
        last = first + MOST_ROWS - 1
    columns = min(pitch, MOST_COLUMNS)
    left = max(0, min(column - columns // 2, pitch - columns))
    rows = np.arange(first, last + 1, dtype=np.int64)
    offsets: IntArray = rows[:, None] * pitch + left + np.arange(columns, dtype=np.int64)
    return offsets


def _owners(
    launch: Launch, number: int, layout: Layout, offsets: IntArray
) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Whose each place is, and the names of the neighbours that are in the picture."""
    buffer = launch.buffers[number]
    owner = np.where(layout.holds(offsets, 1), _OWN, _NOT_OWN).astype(np.uint8)
    names: list[str] = []
    for other in launch.buffers:
        if other.storage != buffer.storage or buffer.storage < 0 or not other.size_bytes or other is buffer:
            continue
        places = (buffer.data_ptr + offsets * buffer.element_bytes - other.data_ptr) // max(1, other.element_bytes)
        theirs = Layout(other).holds(places, 1) & (owner == _NOT_OWN)
        if theirs.any():
            owner[theirs] = _FIRST_NEIGHBOUR + len(names)
            names.append(other.name)
    return owner, tuple(names)


def _sides(launch: Launch, number: int, row: FaultRow) -> tuple[Side, ...]:
    places = [(row.program, row.file, row.line)]
    if row.other_program is not None:
        places.append((row.other_program, row.other_file or row.file, row.other_line or row.line))
    return tuple(Side(*place, _does(launch, number, *place)) for place in places)


def _does(launch: Launch, number: int, program: int, file: str, line: int) -> tuple[AccessKind, ...]:
    return tuple(
        dict.fromkeys(
            access.kind
            for access in launch.accesses
            if (access.file, access.line, access.buffer) == (file, line, number)
            and (program < 0 or bool((access.programs == program).any()))
        )
    )


def _at(side: Side, number: int, of_its_program: bool) -> Callable[[Launch, Access], IntArray | None]:
    """Which lanes of an access are those of a side; None for all of them."""

    def lanes(_: Launch, access: Access) -> IntArray | None:
        if (access.file, access.line, access.buffer) != (side.file, side.line, number):
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(access.programs == side.program) if of_its_program else None

    return lanes


def _touched(
    launches: Sequence[Launch],
    lanes_of: Callable[[Launch, Access], IntArray | None],
    buffer: Buffer,
    offsets: IntArray,
) -> BoolArray:
    """Which of the places the chosen lanes touch, matched by address."""
    width = offsets.shape[1]
    touched = np.zeros(offsets.shape, dtype=np.bool_)
    for launch in launches:
        for access in launch.accesses:
            lanes = lanes_of(launch, access)
            if lanes is not None and not len(lanes):
                continue
            begin = (launch.buffers[access.buffer].data_ptr - buffer.data_ptr) // buffer.element_bytes
            rows = rows_of(access)
            starts, lengths = np.broadcast_arrays(rows.starts, rows.lengths)
            if lanes is not None and len(starts) == len(access.programs):
                starts, lengths = starts[lanes], lengths[lanes]
            for place, first in enumerate(offsets[:, 0].tolist()):
                low, high = (np.clip(edge + begin - first, 0, width) for edge in (starts, starts + lengths))
                runs = high > low
                steps = np.bincount(low[runs], minlength=width + 1) - np.bincount(high[runs], minlength=width + 1)
                touched[place] |= steps.cumsum()[:width] > 0
    return touched


def _wrong(
    launches: Sequence[Launch],
    row: FaultRow,
    number: int,
    owner: npt.NDArray[np.uint8],
    touched: BoolArray,
    offsets: IntArray,
) -> BoolArray:
    """The places of the finding that follow from the trace. Wrong strides that stay inside a tensor show as the row of
    the tile that the element is in."""
    launch = launches[row.launch]
    buffer = launch.buffers[number]
    wrong: BoolArray = np.zeros(offsets.shape, dtype=np.bool_)
    if len(touched) == 2:
        wrong = touched[0] & touched[1]
    elif row.kind in _OUTSIDE:
        wrong = touched[0] & (owner != _OWN)
        if row.kind == kinds.WRONG_STRIDES and not wrong.any():
            wrong = np.isin(offsets, _row_of_tile(launch, number, row))
    elif row.kind == kinds.UNREAD_INPUT:
        wrong = (owner == _OWN) & ~_touched([launch], _all_of(number), buffer, offsets)
    elif row.kind == kinds.UNWRITTEN_OUTPUT:
        wrong = (owner == _OWN) & ~_touched(launches[: row.launch + 1], _stores_near(buffer), buffer, offsets)
    return wrong


def _row_of_tile(launch: Launch, number: int, row: FaultRow) -> IntArray:
    """The offsets along the last axis of the tile that the element of a finding is in."""
    order = access_of(launch, row)
    element = tuple(int(place) for place in row.element.split(", ") if place)
    for access in launch.accesses:
        lanes = np.flatnonzero(access.programs == row.program)
        if (access.order, access.buffer, len(access.shape)) == (order, number, len(element)) and len(lanes):
            place = (int(lanes[0]), *element[:-1])
            offsets: IntArray = access.offsets()[place][access.active()[place]]
            return offsets
    return np.empty(0, dtype=np.int64)


def _all_of(number: int) -> Callable[[Launch, Access], IntArray | None]:
    """All lanes of the accesses to a tensor."""

    def lanes(_: Launch, access: Access) -> IntArray | None:
        return None if access.buffer == number else np.empty(0, dtype=np.int64)

    return lanes


def _stores_near(buffer: Buffer) -> Callable[[Launch, Access], IntArray | None]:
    """All lanes of stores and atomics into the memory of a tensor, in elements of the same size."""

    def lanes(launch: Launch, access: Access) -> IntArray | None:
        other = launch.buffers[access.buffer]
        is_near = other.storage == buffer.storage and other.element_bytes == buffer.element_bytes
        return None if is_near and access.kind != "load" else np.empty(0, dtype=np.int64)

    return lanes
