"""The representations of an SSA value while a kernel runs: one value for all lanes.

- int, float, bool: lane-uniform, a scalar or a splat of any shape;
- Affine, Mask: structured integers and masks, on the host;
- Pointer: a buffer and structured offsets into it;
- Handle: a place in shared memory, a tensor descriptor;
- torch.Tensor [lanes or 1, *dims or 1]: everything else. Broadcast axes keep size 1 until something needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.ir import Type
from core.trace import affine, mask
from core.trace.affine import LANE, Affine, IntArray, Integer
from core.trace.mask import Mask, Predicate

Lanes = slice | IntArray
"""Some lanes of a value: a slice, or indices."""

TORCH_DTYPES = {
    "i1": torch.bool,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "index": torch.int64,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f32": torch.float32,
    "f64": torch.float64,
    "f8E4M3FN": torch.float8_e4m3fn,
    "f8E5M2": torch.float8_e5m2,
    "f8E4M3FNUZ": torch.float8_e4m3fnuz,
    "f8E5M2FNUZ": torch.float8_e5m2fnuz,
}


_CPU = torch.device("cpu")
_device: ContextVar[torch.device] = ContextVar("device", default=_CPU)


def device() -> torch.device:
    """The device of data tensors: that of the launch being executed."""
    return _device.get()


@contextmanager
def on_device(where: torch.device) -> Iterator[None]:
    """Make `where` the device of data tensors inside the block."""
    token = _device.set(where)
    try:
        yield
    finally:
        _device.reset(token)


class Pointer:
    """Offsets from the first element of a tensor: number `buffer` of the run's memories.

    Elements may point into different tensors; `buffer` is then a structured integer too. Offsets count elements of the
    pointer's type, which may differ from the tensor's.
    """

    __slots__ = ("buffer", "offset")

    def __init__(self, buffer: Integer, offset: Integer) -> None:
        self.buffer = buffer
        self.offset = offset

    def moved(self, move: Callable[[Integer], Integer]) -> Pointer:
        """Where a change of shape or a choice of lanes leaves the pointer."""
        return Pointer(move(self.buffer) if isinstance(self.buffer, Affine) else self.buffer, move(self.offset))


class Handle:
    """What stands for a place in memory, by some integers that may differ per lane: a descriptor, a view."""

    def numbers(self) -> tuple[Integer, ...]:
        raise NotImplementedError

    def with_numbers(self, numbers: Sequence[Integer]) -> Handle:
        raise NotImplementedError

    def same_as(self, other: Any) -> bool:
        """True if the two differ in their numbers only."""
        raise NotImplementedError


INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers by their width in bytes."""

Value = int | float | bool | Affine | Mask | Pointer | Handle | torch.Tensor


def torch_dtype(element: str) -> torch.dtype:
    """The torch dtype of an MLIR element type. Raises TilescopeError if torch has none."""
    dtype = TORCH_DTYPES.get(element)
    if dtype is None:
        raise TilescopeError(
            tr(
                "Tilescope cannot hold values of type {dtype}, because torch has no such type: use another type in the "
                "kernel.",
                dtype=element,
            )
        )
    return dtype


def zero_of(type_: Type) -> int | float | bool:
    """The zero of a type, as the Python type that represents it."""
    if type_.is_float:
        return 0.0
    return False if type_.element == "i1" else 0


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The elements as integers of the same width, to compare them bit for bit."""
    return tensor.contiguous().view(INTEGERS[tensor.element_size()])


def to_torch(value: Any, type_: Type) -> torch.Tensor:
    """`value` of `type_` as a tensor of `rank + 1` axes, size 1 where it does not vary."""
    if isinstance(value, torch.Tensor):
        return value
    dtype = torch_dtype(type_.element)
    if isinstance(value, Affine):
        return torch.from_numpy(np.ascontiguousarray(value.dense())).to(device=device(), dtype=dtype)
    if isinstance(value, Mask):
        if value.device_copy is None:
            value.device_copy = torch.from_numpy(np.ascontiguousarray(value.array)).to(device())
        return value.device_copy  # type: ignore[no-any-return]
    return torch.full((1,) * (type_.rank + 1), value, dtype=dtype, device=device())


def to_integer(value: Any) -> Integer:
    """An integer of any representation as a structured one."""
    if isinstance(value, torch.Tensor):
        return affine.from_array(value.cpu().numpy(), value.dim() - 1)
    return int(value) if isinstance(value, bool) else value


def bit_array(value: Any, rank: int) -> npt.NDArray[Any]:
    """An i1 of any representation as an array of 0 and 1 of `rank + 1` axes."""
    if isinstance(value, torch.Tensor):
        return value.cpu().numpy().astype(np.int64)
    return _bools(value, rank).astype(np.int64)


def to_predicate(value: Any) -> Predicate:
    """An i1 of any representation as a structured mask."""
    if isinstance(value, torch.Tensor):
        return mask.from_array(value.cpu().numpy())
    if isinstance(value, Affine):
        return mask.from_array(value.dense() != 0)
    return value if isinstance(value, Mask) else bool(value)


def expanded(value: torch.Tensor, dims: Sequence[int]) -> torch.Tensor:
    """A view of `value` whose tensor axes have their full sizes (the lane axis stays)."""
    return value.expand(value.shape[0], *dims)


def per_lane(value: Integer, lanes: int) -> IntArray:
    """A scalar integer as one number per lane, [lanes]."""
    if isinstance(value, Affine):
        array: IntArray = value.dense().reshape(-1)
        return array if array.size == lanes else np.broadcast_to(array, (lanes,))
    return np.full(lanes, value, dtype=np.int64)


def cut(value: Any, lanes: Lanes, indices: torch.Tensor | None = None) -> Any:
    """`value` for some of its lanes. `indices` is `lanes` on the tensors' device when it is not a slice."""
    if isinstance(value, torch.Tensor):
        if value.shape[0] == 1:
            return value
        return value[lanes] if indices is None else value.index_select(0, indices)
    if isinstance(value, Affine):
        return value.cut(lanes) if value.axes & LANE else value
    if isinstance(value, Mask):
        return value.cut(lanes)
    if isinstance(value, Pointer):
        return value.moved(lambda number: cut(number, lanes))
    if isinstance(value, Handle):
        return value.with_numbers([cut(number, lanes) for number in value.numbers()])
    return value


Part = tuple[int, Any]
"""A number of consecutive lanes, and their value."""


def join(parts: Sequence[Part], type_: Type) -> Any:
    """Join the values of consecutive groups of lanes into one value."""
    parts = [part for part in parts if part[0]]
    first = parts[0][1]
    if len(parts) == 1 or (all(value is first for _, value in parts) and not varies(first)):
        return first
    values = [value for _, value in parts]
    if not isinstance(first, torch.Tensor | Affine | Mask | Pointer) and all(
        type(v) is type(first) and v == first for v in values
    ):
        return first
    if isinstance(first, Handle):
        return _join_handles(parts)
    if type_.pointer:
        return _join_pointers(parts, type_.rank)
    if any(isinstance(v, torch.Tensor) for v in values) or type_.is_float:
        tensors = [(n, to_torch(value, type_)) for n, value in parts]
        shape = np.broadcast_shapes(*(tuple(t.shape[1:]) for _, t in tensors))
        return torch.cat([t.expand(n, *shape) for n, t in tensors])
    if type_.element == "i1":
        return mask.from_array(_concatenate([(n, _bools(value, type_.rank)) for n, value in parts]))
    return _join_integers(parts, type_.rank)


def varies(value: Any) -> bool:
    """True when lanes may differ."""
    if isinstance(value, torch.Tensor):
        return value.shape[0] != 1
    if isinstance(value, Pointer):
        return varies(value.offset) or varies(value.buffer)
    if isinstance(value, Affine | Mask):
        return bool(value.axes & LANE)
    return isinstance(value, Handle) and any(varies(number) for number in value.numbers())


def _join_handles(parts: Sequence[Part]) -> Handle:
    first: Handle = parts[0][1]
    if not all(first.same_as(value) for _, value in parts):
        raise TilescopeError(
            tr(
                "In a Gluon kernel, programs choose between different buffers in shared memory at one place, which "
                "Tilescope cannot follow: choose by an index into one buffer."
            )
        )
    columns = zip(*(value.numbers() for _, value in parts), strict=True)
    counts = [count for count, _ in parts]
    return first.with_numbers([_join_integers(list(zip(counts, column, strict=True)), 0) for column in columns])


def _join_pointers(parts: Sequence[Part], rank: int) -> Pointer:
    buffers = {pointer.buffer for _, pointer in parts if not isinstance(pointer.buffer, Affine)}
    one = len(buffers) == 1 and not any(isinstance(pointer.buffer, Affine) for _, pointer in parts)
    buffer = buffers.pop() if one else _join_integers([(n, p.buffer) for n, p in parts], rank)
    return Pointer(buffer, _join_integers([(n, p.offset) for n, p in parts], rank))


def _join_integers(parts: Sequence[Part], rank: int) -> Integer:
    """Join lane terms; keep the other terms separate if every group has the same ones."""
    shared = _shared_terms([value for _, value in parts])
    if shared is None:
        return affine.from_array(_concatenate([(n, affine.dense(value, rank)) for n, value in parts]), rank)
    lanes = np.concatenate([_lane_part(value, n) for n, value in parts])
    joined = affine.from_array(lanes.reshape(-1, *(1,) * rank), rank)
    return affine.add(joined, Affine(rank, 0, shared)) if shared else joined


def _shared_terms(values: Sequence[Integer]) -> tuple[affine.Term, ...] | None:
    """The terms that vary along tensor axes only, if all values have the same; None otherwise."""
    groups = [tuple(t for t in value.terms if t.axes != LANE) if isinstance(value, Affine) else () for value in values]
    first = groups[0]
    for group in groups:
        if len(group) != len(first):
            return None
        for a, b in zip(group, first, strict=True):
            if a is not b and (a.axes & LANE or a.axes != b.axes or not np.array_equal(a.array, b.array)):
                return None
            if a.axes & LANE:
                return None
    return first


def _lane_part(value: Integer, lanes: int) -> IntArray:
    if not isinstance(value, Affine):
        return np.full(lanes, value, dtype=np.int64)
    total: Any = value.constant
    for term in value.terms:
        if term.axes == LANE:
            total = total + term.array.reshape(-1)
    return np.broadcast_to(np.asarray(total, dtype=np.int64), (lanes,))


def _bools(value: Any, rank: int) -> npt.NDArray[np.bool_]:
    return value.array if isinstance(value, Mask) else np.full((1,) * (rank + 1), value, dtype=np.bool_)


def _concatenate(parts: Sequence[tuple[int, npt.NDArray[Any]]]) -> npt.NDArray[Any]:
    shape = np.broadcast_shapes(*(array.shape[1:] for _, array in parts))
    return np.concatenate([np.broadcast_to(array, (n, *shape)) for n, array in parts])
