"""tt: reductions and scans along one axis, and functions that map elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Block, Operation, Type
from core.interpreter.ops.combining import ElementFunction, Elementwise, Tiles
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.values import expanded, to_torch


def _nan_ignoring(function: Callable[..., torch.Tensor], fill: float) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """maxnum and minnum: NaN only where every element is NaN."""

    def reduce(tile: torch.Tensor, axis: int) -> torch.Tensor:
        result = function(tile, axis)
        lost = torch.isnan(result)
        if not bool(lost.any()):
            return result
        kept = function(torch.where(torch.isnan(tile), fill, tile), axis)
        return torch.where(torch.isnan(tile).all(axis), result, kept)

    return reduce


_REDUCTIONS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "arith.addf": lambda tile, axis: tile.sum(axis),
    "arith.addi": lambda tile, axis: tile.sum(axis, dtype=tile.dtype),
    "arith.mulf": lambda tile, axis: tile.prod(axis),
    "arith.maxnumf": _nan_ignoring(torch.amax, float("-inf")),
    "arith.minnumf": _nan_ignoring(torch.amin, float("inf")),
    "arith.maximumf": lambda tile, axis: tile.amax(axis),
    "arith.minimumf": lambda tile, axis: tile.amin(axis),
    "arith.maxsi": lambda tile, axis: tile.amax(axis),
    "arith.minsi": lambda tile, axis: tile.amin(axis),
}

_SCANS: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "arith.addf": lambda tile, axis: tile.cumsum(axis),
    "arith.addi": lambda tile, axis: tile.cumsum(axis, dtype=tile.dtype),
    "arith.mulf": lambda tile, axis: tile.cumprod(axis),
}


def _single_operation(block: Block) -> str | None:
    """The name of the operation that combines the block's two arguments, if it is the block's only operation."""
    if len(block.operations) != 2 or len(block.arguments) != 2:
        return None
    operation = block.operations[0]
    both = {value.slot for value in operation.operands} == {value.slot for value in block.arguments}
    return operation.name if both and block.terminator.operands == operation.results else None


def _fold(tiles: Tiles, axis: int, combine: Elementwise) -> Tiles:
    """Halve the axis until one element is left. Triton's axes are powers of two."""
    while (size := tiles[0].shape[axis]) > 1:
        half = size // 2
        folded = combine((*(t.narrow(axis, 0, half) for t in tiles), *(t.narrow(axis, half, half) for t in tiles)))
        rest = tuple(t.narrow(axis, 2 * half, size - 2 * half) for t in tiles)
        tiles = tuple(torch.cat((f, r), dim=axis) for f, r in zip(folded, rest, strict=True)) if size % 2 else folded
    return tuple(t.squeeze(axis) for t in tiles)


def _scan(tiles: Tiles, axis: int, combine: Elementwise) -> Tiles:
    """Hillis and Steele's inclusive scan."""
    distance, size = 1, tiles[0].shape[axis]
    while distance < size:
        left = tuple(t.narrow(axis, 0, size - distance) for t in tiles)
        right = tuple(t.narrow(axis, distance, size - distance) for t in tiles)
        tiles = tuple(
            torch.cat((t.narrow(axis, 0, distance), c), dim=axis)
            for t, c in zip(tiles, combine((*left, *right)), strict=True)
        )
        distance *= 2
    return tiles


@step("tt.reduce", pure=True)
def _reduce(operation: Operation, planner: StepPlanner) -> Step:
    fast = _REDUCTIONS.get(_single_operation(operation.regions[0]) or "")
    return _along(operation, planner, fast, _fold)


@step("tt.scan", pure=True)
def _scan_operation(operation: Operation, planner: StepPlanner) -> Step:
    if not operation.attributes.get("reverse", False):
        return _along(operation, planner, _SCANS.get(_single_operation(operation.regions[0]) or ""), _scan)

    def reversed_scan(tiles: Tiles, axis: int, combine: Elementwise) -> Tiles:
        flipped = _scan(tuple(t.flip(axis) for t in tiles), axis, combine)
        return tuple(t.flip(axis) for t in flipped)

    return _along(operation, planner, None, reversed_scan)


def _along(
    operation: Operation,
    planner: StepPlanner,
    fast: Callable[[torch.Tensor, int], torch.Tensor] | None,
    general: Callable[[Tiles, int, Elementwise], Tiles],
) -> Step:
    """Materialise the axis (the others stay as they are), then `fast` or `general`."""
    axis = operation.attributes["axis"] + 1
    combiner = ElementFunction(operation.regions[0], planner) if fast is None else None
    operands = [(value.slot, value.type) for value in operation.operands]
    results = [value.slot for value in operation.results]

    def whole(value: Any, type_: Type) -> torch.Tensor:
        tile = to_torch(value, type_)
        sizes = [-1] * tile.dim()
        sizes[axis] = type_.dims[axis - 1]
        return tile.expand(sizes)

    def run(frame: Frame) -> None:
        values = frame.values
        tiles = tuple(whole(values[slot], type_) for slot, type_ in operands)
        if fast is not None:
            values[results[0]] = fast(tiles[0], axis)
            return
        assert combiner is not None
        shape = np.broadcast_shapes(*(tuple(tile.shape) for tile in tiles))
        tiles, combine = combiner.bind(frame, tuple(tile.expand(shape) for tile in tiles))
        for result, tile in zip(results, general(tiles, axis, combine), strict=True):
            values[result] = tile

    return run


@step("tt.map_elementwise", pure=True)
def _map(operation: Operation, planner: StepPlanner) -> Step:
    """Gives the function `pack` elements of each operand at once: neighbours here, whatever a thread holds on a GPU."""
    function = ElementFunction(operation.regions[0], planner)
    pack = int(operation.attributes["pack"])
    operands = [(value.slot, value.type) for value in operation.operands]
    results = [value.slot for value in operation.results]

    def run(frame: Frame) -> None:
        values = frame.values
        tiles = tuple(expanded(to_torch(values[slot], type_), type_.dims) for slot, type_ in operands)
        lanes = max(tile.shape[0] for tile in tiles)
        tiles, apply = function.bind(frame, tuple(tile.expand(lanes, *tile.shape[1:]) for tile in tiles))
        mapped = apply(tuple(tile[..., first::pack] for tile in tiles for first in range(pack)))
        for index, result in enumerate(results):
            parts = mapped[index * pack : (index + 1) * pack]
            values[result] = torch.stack(parts, dim=-1).flatten(-2) if pack > 1 else parts[0]

    return run
