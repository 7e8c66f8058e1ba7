"""tt: shapes and indices. Broadcasting is free: an axis along which nothing varies keeps size 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation, Type
from core.interpreter.ops.registry import PureFunction, StepPlanner, pure, step
from core.interpreter.values import Pointer, expanded, to_integer, to_predicate, to_torch
from core.trace import affine, mask
from core.trace.affine import Affine
from core.trace.mask import Mask

_AXES = {"x": 0, "y": 1, "z": 2}


@step("tt.get_program_id")
def _program_id(operation: Operation, _planner: StepPlanner) -> Step:
    axis, slot = _AXES[operation.attributes["words"][0]], operation.result.slot

    def run(frame: Frame) -> None:
        frame.values[slot] = affine.from_array(frame.program_id(axis), 0)

    return run


@step("tt.get_num_programs")
def _num_programs(operation: Operation, _planner: StepPlanner) -> Step:
    axis, slot = _AXES[operation.attributes["words"][0]], operation.result.slot

    def run(frame: Frame) -> None:
        frame.values[slot] = frame.run.grid[axis]

    return run


@pure("tt.make_range")
def _make_range(operation: Operation) -> PureFunction:
    value = affine.arange(operation.attributes["start"], operation.attributes["end"])
    return lambda: value


def _mover(rank: int, target: tuple[int, ...], tensors: Callable[[torch.Tensor], torch.Tensor]) -> PureFunction:
    """A function that moves tensor axis i to `target[i]`, whatever the representation."""

    def call(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return tensors(value)
        if isinstance(value, Affine):
            return affine.reshaped(value, rank, target)
        if isinstance(value, Mask):
            return mask.moved(value, rank, target)
        if isinstance(value, Pointer):
            return value.moved(lambda number: affine.reshaped(number, rank, target))
        return value

    return call


@pure("tt.splat")
def _splat(operation: Operation) -> PureFunction:
    rank = operation.result.type.rank
    return _mover(rank, (), lambda value: value.view(-1, *(1,) * rank))


@pure("tt.unsplat")
def _unsplat(operation: Operation) -> PureFunction:
    return _reshaper(operation.operands[0].type, operation.result.type)


@pure("tt.broadcast")
def _broadcast(operation: Operation) -> PureFunction:
    return lambda value: value


@pure("tt.expand_dims")
def _expand_dims(operation: Operation) -> PureFunction:
    axis, rank = operation.attributes["axis"], operation.result.type.rank
    target = tuple(i if i < axis else i + 1 for i in range(rank - 1))
    return _mover(rank, target, lambda value: value.unsqueeze(axis + 1))


@pure("tt.trans")
def _trans(operation: Operation) -> PureFunction:
    order = tuple(operation.attributes["order"])
    target = tuple(order.index(axis) for axis in range(len(order)))
    return _mover(len(order), target, lambda value: value.permute(0, *(axis + 1 for axis in order)))


@pure("tt.reshape")
def _reshape(operation: Operation) -> PureFunction:
    source, target = operation.operands[0].type, operation.result.type
    kept = [(axis, size) for axis, size in enumerate(source.dims) if size != 1]
    places = [axis for axis, size in enumerate(target.dims) if size != 1]
    if [size for _, size in kept] == [target.dims[axis] for axis in places]:
        # Only axes of size 1 are added or removed, so the layout stays the same.
        spare = iter(axis for axis in range(target.rank) if axis not in places)
        where = dict(zip((axis for axis, _ in kept), places, strict=True))
        if source.rank - len(kept) <= target.rank - len(places):
            moved = tuple(where[axis] if axis in where else next(spare) for axis in range(source.rank))
            reshape = _reshaper(source, target)
            return _mover(target.rank, moved, reshape)
    return _reshaper(source, target)


def _reshaper(source: Type, target: Type) -> PureFunction:
    """Row-major reshape of the materialised tile."""

    def dense(array: Any) -> Any:
        return np.broadcast_to(array, (array.shape[0], *source.dims)).reshape(array.shape[0], *target.dims)

    def call(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return expanded(value, source.dims).reshape(value.shape[0], *target.dims)
        if isinstance(value, Affine):
            return affine.from_array(dense(value.dense()), target.rank)
        if isinstance(value, Mask):
            return mask.from_array(dense(value.array))
        if isinstance(value, Pointer):
            return value.moved(call)
        return value

    return call


def _combined(operation: Operation, function: Callable[[list[torch.Tensor]], torch.Tensor]) -> PureFunction:
    """A layout change of several tiles, materialised. Of pointers, that of their tensors and of their offsets."""
    types, result = [value.type for value in operation.operands], operation.result.type
    if result.pointer:
        types = [type_.with_element("i64") if type_.pointer else type_ for type_ in types]
        result = result.with_element("i64")

    def call(*values: Any) -> Any:
        if any(isinstance(value, Pointer) for value in values):
            buffers, offsets = (
                call(*(getattr(value, part) if isinstance(value, Pointer) else value for value in values))
                for part in ("buffer", "offset")
            )
            return Pointer(buffers, offsets)
        tiles = [expanded(to_torch(v, t), t.dims) for v, t in zip(values, types, strict=True)]
        lanes = max(tile.shape[0] for tile in tiles)
        combined = function([tile.expand(lanes, *tile.shape[1:]) for tile in tiles])
        return _structured(combined, result, values)

    return call


def _structured(result: torch.Tensor, type_: Type, values: tuple[Any, ...]) -> Any:
    """Keep integers on the host if they came from the host."""
    if any(isinstance(v, torch.Tensor) for v in values) or type_.is_float:
        return result
    return to_predicate(result) if type_.element == "i1" else to_integer(result)


@pure("tt.cat")
def _cat(operation: Operation) -> PureFunction:
    return _combined(operation, lambda tiles: torch.cat(tiles, dim=1))


@pure("tt.join")
def _join(operation: Operation) -> PureFunction:
    return _combined(operation, lambda tiles: torch.stack(tiles, dim=-1))


@pure("tt.split")
def _split(operation: Operation) -> PureFunction:
    first = _combined(operation, lambda tiles: tiles[0][..., 0])
    second = _combined(operation, lambda tiles: tiles[0][..., 1])
    return lambda value: (first(value), second(value))


@pure("tt.gather")
def _gather(operation: Operation) -> PureFunction:
    axis = operation.attributes["axis"] + 1

    def gather(tiles: list[torch.Tensor]) -> torch.Tensor:
        # As bytes, since torch cannot gather 8-bit floats.
        source = tiles[0].view(torch.int8) if tiles[0].dtype.itemsize == 1 else tiles[0]
        return torch.gather(source, axis, tiles[1].to(torch.int64)).view(tiles[0].dtype)

    return _combined(operation, gather)


@pure("tt.addptr")
def _addptr(operation: Operation) -> PureFunction:
    def call(pointer: Pointer, offset: Any) -> Pointer:
        return Pointer(pointer.buffer, affine.add(pointer.offset, to_integer(offset)))

    return call


@pure("tt.histogram")
def _histogram(operation: Operation) -> PureFunction:
    source, bins = operation.operands[0].type, operation.result.type.dims[0]

    def call(value: Any, keep: Any = True) -> Any:
        tile = expanded(to_torch(value, source), source.dims).to(torch.int64)
        weights = to_torch(keep, source.with_element("i1"))
        inside = ((tile >= 0) & (tile < bins) & weights).to(torch.int32)
        counts = torch.zeros(tile.shape[0], bins, dtype=torch.int32, device=tile.device)
        return counts.scatter_add_(1, tile.clamp(0, bins - 1), inside.expand_as(tile))

    return call
