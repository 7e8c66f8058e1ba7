"""tt: dot products, reductions and scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.ir import Block, Operation
from core.interpreter.ops.registry import PURE, PureFunction, pure
from core.interpreter.values import expanded, to_torch, torch_dtype


@pure("tt.dot")
def _dot(operation: Operation) -> PureFunction:
    """a [.., M, K] times b [.., K, N] plus c. Accumulates in float32 as tensor cores do for 16-bit and 8-bit floats.

    The input precisions 'ieee', 'tf32' and 'tf32x3' are all computed in float32, without TF32's rounding of the inputs
    to 10 bits of mantissa. Integer products are exact.
    """
    a_type, b_type, c_type = (value.type for value in operation.operands)
    result = torch_dtype(c_type.element)
    compute = torch.float64 if c_type.is_integer or c_type.element == "f64" else torch.float32

    def call(a: Any, b: Any, c: Any) -> torch.Tensor:
        left = expanded(to_torch(a, a_type), a_type.dims).to(compute)
        right = expanded(to_torch(b, b_type), b_type.dims).to(compute)
        if isinstance(c, torch.Tensor):
            product = _sum_of_products(c.to(compute), left, right)
        else:
            product = _product(left, right)
            product = product + c if c != 0 else product
        return product if result == compute else product.to(result)

    return call


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if a.dim() == 3:
        lanes = max(a.shape[0], b.shape[0])
        return torch.bmm(a.expand(lanes, -1, -1), b.expand(lanes, -1, -1))
    return torch.matmul(a, b)


def _sum_of_products(c: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if a.dim() != 3:
        return c + _product(a, b)
    lanes = max(a.shape[0], b.shape[0], c.shape[0])
    return torch.baddbmm(c, a.expand(lanes, -1, -1), b.expand(lanes, -1, -1))


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


Tiles = tuple[torch.Tensor, ...]


def _combiner(block: Block) -> Callable[[Tiles, Tiles], Tiles]:
    """The block as a function of two groups of tiles, elementwise."""
    for operation in block.operations[:-1]:
        if operation.name not in PURE:
            raise TilescopeError(
                tr(
                    "{location} combines elements with {operation}, which Tilescope does not support, so the "
                    "kernel was not run: rewrite the combining function without it.",
                    location=operation.location.label,
                    operation=operation.name,
                )
            )
    functions = [(op, PURE[op.name](op)) for op in block.operations[:-1]]
    results = block.terminator.operands
    slots = [value.slot for value in block.arguments]

    def combine(left: Tiles, right: Tiles) -> Tiles:
        values: dict[int, Any] = dict(zip(slots, (*left, *right), strict=True))
        for operation, function in functions:
            outcome = function(*(values[v.slot] for v in operation.operands))
            outcomes = outcome if len(operation.results) > 1 else (outcome,)
            values.update(zip((v.slot for v in operation.results), outcomes, strict=True))
        return tuple(to_torch(values[v.slot], v.type).expand(left[0].shape) for v in results)

    return combine


def _fold(tiles: Tiles, axis: int, combine: Callable[[Tiles, Tiles], Tiles]) -> Tiles:
    """Halve the axis until one element is left. Triton's axes are powers of two."""
    while (size := tiles[0].shape[axis]) > 1:
        half = size // 2
        folded = combine(
            tuple(t.narrow(axis, 0, half) for t in tiles), tuple(t.narrow(axis, half, half) for t in tiles)
        )
        rest = tuple(t.narrow(axis, 2 * half, size - 2 * half) for t in tiles)
        tiles = tuple(torch.cat((f, r), dim=axis) for f, r in zip(folded, rest, strict=True)) if size % 2 else folded
    return tuple(t.squeeze(axis) for t in tiles)


def _scan(tiles: Tiles, axis: int, combine: Callable[[Tiles, Tiles], Tiles]) -> Tiles:
    """Hillis and Steele's inclusive scan."""
    distance, size = 1, tiles[0].shape[axis]
    while distance < size:
        left = tuple(t.narrow(axis, 0, size - distance) for t in tiles)
        right = tuple(t.narrow(axis, distance, size - distance) for t in tiles)
        tiles = tuple(
            torch.cat((t.narrow(axis, 0, distance), c), dim=axis)
            for t, c in zip(tiles, combine(left, right), strict=True)
        )
        distance *= 2
    return tiles


@pure("tt.reduce")
def _reduce(operation: Operation) -> PureFunction:
    axis = operation.attributes["axis"] + 1
    block = operation.regions[0]
    fast = _REDUCTIONS.get(_single_operation(block) or "")
    combine = _combiner(block)
    return _along(operation, fast, axis, lambda tiles: _fold(tiles, axis, combine))


@pure("tt.scan")
def _scan_operation(operation: Operation) -> PureFunction:
    axis = operation.attributes["axis"] + 1
    block = operation.regions[0]
    reverse = bool(operation.attributes.get("reverse", False))
    fast = None if reverse else _SCANS.get(_single_operation(block) or "")
    combine = _combiner(block)

    def general(tiles: Tiles) -> Tiles:
        if not reverse:
            return _scan(tiles, axis, combine)
        flipped = _scan(tuple(t.flip(axis) for t in tiles), axis, combine)
        return tuple(t.flip(axis) for t in flipped)

    return _along(operation, fast, axis, general)


def _along(
    operation: Operation,
    fast: Callable[[torch.Tensor, int], torch.Tensor] | None,
    axis: int,
    general: Callable[[Tiles], Tiles],
) -> PureFunction:
    """Materialise the axis (the others stay as they are), then `fast` or `general`."""
    types = [value.type for value in operation.operands]

    def whole(value: Any, index: int) -> torch.Tensor:
        tile = to_torch(value, types[index])
        sizes = [-1] * tile.dim()
        sizes[axis] = types[index].dims[axis - 1]
        return tile.expand(sizes)

    def call(*values: Any) -> Any:
        tiles = tuple(whole(value, i) for i, value in enumerate(values))
        if fast is not None:
            return fast(tiles[0], axis)
        shape = np.broadcast_shapes(*(tuple(tile.shape) for tile in tiles))
        results = general(tuple(tile.expand(shape) for tile in tiles))
        return results if len(results) > 1 else results[0]

    return call
