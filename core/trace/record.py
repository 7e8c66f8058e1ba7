"""The records of a trace: buffers, accesses, faults, watched values, launches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.contracts.text import EMPTY, Text
from core.trace.affine import Affine, IntArray, Integer
from core.trace.mask import BoolArray, Mask

AccessKind = Literal["load", "store", "atomic"]
Severity = Literal["fault", "remark"]


def coordinates(grid: tuple[int, int, int], program: int) -> str:
    """'(x, y, z)' of a linear program id in a grid, x fastest."""
    x, y, _ = grid
    return f"({program % x}, {program // x % y}, {program // (x * y)})"


@dataclass(frozen=True)
class Buffer:
    """A tensor argument. `data_ptr` and `size_bytes` are the extent of the tensor's own elements in memory.

    `name` is the kernel's parameter; `shape` and `strides` (in elements) are the tensor's. `argument` is what the
    caller passed, as code ('q[:, 1:]'), and `made_at` the line ('FILE:LINE') that made its memory; '' if unknown.
    Buffers with the same `storage` lie in the same allocation; -1 in a trace of an older version.
    """

    name: str
    dtype: str
    element_bytes: int
    size_bytes: int
    data_ptr: int
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    argument: str = ""
    made_at: str = ""
    storage: int = -1


@dataclass(frozen=True)
class Access:
    """One load or store, executed by several programs at once.

    `programs` are linear program ids (x fastest) [lanes], in lane order. Offsets are in elements from the buffer's
    `data_ptr` and stay factored, as does the mask (None: no mask). `shape` is the tile of one program, () for a scalar.
    `iteration` are the counters of the enclosing loops, outermost first, and `order` ranks the accesses of a program.
    """

    kind: AccessKind
    buffer: int
    file: str
    line: int
    iteration: tuple[int, ...]
    programs: IntArray
    shape: tuple[int, ...]
    offset: Integer
    mask: Mask | None
    element_bytes: int
    order: int

    def offsets(self) -> IntArray:
        """Element offsets, materialised: [lanes, *shape]."""
        dense = self.offset.dense() if isinstance(self.offset, Affine) else np.int64(self.offset)
        return np.broadcast_to(dense, (len(self.programs), *self.shape))

    def active(self) -> BoolArray:
        """The unmasked elements, materialised: [lanes, *shape]."""
        dense = np.True_ if self.mask is None else self.mask.array
        return np.broadcast_to(dense, (len(self.programs), *self.shape))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What the sanitizer found at one source line; `core.sanitizer.kinds` lists the kinds. Execution went on after it.

    Everything about one occurrence is that of the first: `program` (linear id; -1 where no program is concerned),
    `iteration` of the enclosing loops, outermost first, `element` of the tile, `index` (element offset from the
    `data_ptr` of `buffer`, which indexes the launch's buffers; -1 where no tensor is concerned), and `value` as text.
    `access` is None where memory is not concerned. `count` is the number of elements (bytes for races). The `other_`
    fields are those of a second program and line, as in a race. `sentence` tells the user what happened, and `repair`
    how to mend it; EMPTY if unknown.
    """

    kind: str
    access: AccessKind | None = None
    buffer: int = -1
    file: str
    line: int
    program: int
    index: int = -1
    count: int
    sentence: Text
    severity: Severity = "fault"
    iteration: tuple[int, ...] = ()
    element: tuple[int, ...] = ()
    value: str = ""
    repair: Text = EMPTY
    other_program: int | None = None
    other_file: str = ""
    other_line: int = 0


@dataclass(frozen=True)
class Watched:
    """A loop-carried variable at the end of each iteration.

    `values` [programs, iterations, *shape] is NaN for iterations that a program did not run; `programs` are the linear
    ids of the rows. `truncated` says that a byte limit left programs out.
    """

    name: str
    programs: IntArray
    values: npt.NDArray[np.floating[Any]]
    truncated: bool = False


@dataclass(frozen=True)
class Launch:
    """One `kernel[grid](...)`, executed and traced. `grid` is (x, y, z); programs are numbered with x fastest.

    `config` is the configuration that an autotuner chose, as text; `faults` are those that did not stop execution.
    `product_flops` are the FLOPs of its matrix products, masked elements included; None in a trace of an older version.
    `launched_at` is the line of the launch ('FILE:LINE'), '' if unknown. `addresses_only` says that its arithmetic was
    skipped; None in a trace of an older version.
    """

    function: str
    file: str
    first_line: int
    source: str
    ttir: str
    grid: tuple[int, int, int]
    buffers: tuple[Buffer, ...]
    accesses: tuple[Access, ...]
    watched: Mapping[str, Watched] = field(default_factory=dict)
    config: str = ""
    faults: tuple[Fault, ...] = ()
    printed: tuple[str, ...] = ()
    product_flops: int | None = None
    launched_at: str = ""
    addresses_only: bool | None = None

    @property
    def programs(self) -> int:
        x, y, z = self.grid
        return x * y * z

    def trace_bytes(self) -> int:
        """Memory that the accesses hold; shared arrays count once."""
        arrays = {id(array): array.nbytes for access in self.accesses for array in arrays_of(access)}
        return sum(arrays.values())


def arrays_of(access: Access) -> Iterator[npt.NDArray[Any]]:
    """The arrays that an access holds."""
    yield access.programs
    for term in access.offset.terms if isinstance(access.offset, Affine) else ():
        yield term.array
    if access.mask is not None:
        for condition in access.mask.conditions:
            yield from condition.arrays()
        if access.mask.own_array is not None:
            yield access.mask.own_array


class WatchRecorder:
    """Collects loop-carried values of the watched programs, within a byte limit.

    `selects(programs)` says which programs are recorded; each loop that carries a watched name appends iterations to
    it.
    """

    def __init__(
        self, names: tuple[str, ...], selects: Callable[[IntArray], BoolArray] | None, limit_bytes: int
    ) -> None:
        self.names = names
        self._selects = selects
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._truncated: set[str] = set()
        self._rows: dict[str, dict[int, list[npt.NDArray[Any]]]] = {}

    def select(self, programs: IntArray) -> IntArray:
        """The lanes among `programs` that are watched."""
        if not self.names:
            return np.empty(0, dtype=np.int64)
        if self._selects is None:
            return np.arange(len(programs))
        return np.flatnonzero(self._selects(programs))

    def add(self, name: str, programs: IntArray, values: npt.NDArray[Any]) -> None:
        """One iteration of `name` for `programs`: values [len(programs), *shape]."""
        rows = self._rows.setdefault(name, {})
        for program, value in zip(programs.tolist(), values, strict=True):
            history = rows.get(program)
            if history is None and self._bytes >= self._limit_bytes:
                self._truncated.add(name)
                continue
            if history is None:
                history = rows[program] = []
            self._bytes += value.nbytes
            history.append(value)

    def finish(self) -> dict[str, Watched]:
        """The watched variables that a loop carried."""
        return {name: self._stack(name, rows) for name, rows in self._rows.items() if rows}

    def _stack(self, name: str, rows: dict[int, list[npt.NDArray[Any]]]) -> Watched:
        programs = np.array(sorted(rows), dtype=np.int64)
        iterations = max(len(history) for history in rows.values())
        shape = next(iter(rows.values()))[0].shape
        values = np.full((len(programs), iterations, *shape), np.nan, dtype=np.float32)
        for row, program in enumerate(programs.tolist()):
            history = rows[program]
            values[row, : len(history)] = np.stack(history)
        return Watched(name, programs, values, name in self._truncated)
