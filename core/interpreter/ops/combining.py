"""The function that a reduction, a scan or a map applies to elements, as a function of tiles.

It may use constants, values of the kernel around it, calls and branches. If all its operations are pure, they
run on the tiles as they are. Otherwise each element becomes a lane of its own, in a frame of its own, so that the
elements of a tile may take different branches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from core.interpreter.frame import Frame
from core.interpreter.ir import Block, Type
from core.interpreter.ops.registry import PURE, StepPlanner
from core.interpreter.ops.scopes import cut_all, run_with
from core.interpreter.values import to_torch

Tiles = tuple[torch.Tensor, ...]
"""Tensors of one shape, [lanes or 1, *dims or 1]: one for each operand."""

Elementwise = Callable[[Tiles], Tiles]


class ElementFunction:
    """A region that is applied to elements. Each execution of its operation reads once what the region captures."""

    def __init__(self, block: Block, planner: StepPlanner) -> None:
        self._body = planner.body(block)
        used = {value.slot: value for operation in block.walk() for value in operation.operands}
        self._captured = [(slot, used[slot].type) for slot in self._body.captured]
        self._results = [(value.slot, value.type) for value in block.terminator.operands]
        operations = block.operations[:-1]
        self._functions = None
        if all(operation.name in PURE for operation in operations):
            self._functions = [(operation, PURE[operation.name](operation)) for operation in operations]

    def bind(self, frame: Frame, tiles: Tiles) -> tuple[Tiles, Elementwise]:
        """The tiles with as many lanes as the results vary by, and the function: one tile for each of its arguments."""
        lanes = 1 if self._functions is not None else frame.count
        known: dict[int, Any] = {}
        for slot, type_ in self._captured:
            known[slot] = value = _aligned(frame.values[slot], type_, tiles[0].dim())
            lanes = max(lanes, value.shape[0] if isinstance(value, torch.Tensor) else 1)
        if lanes > tiles[0].shape[0]:
            tiles = tuple(tile.expand(lanes, *tile.shape[1:]) for tile in tiles)
        if self._functions is not None:
            return tiles, lambda arguments: self._on_tiles(known, arguments)
        return tiles, lambda arguments: self._on_elements(frame, arguments)

    def _on_tiles(self, known: dict[int, Any], arguments: Tiles) -> Tiles:
        assert self._functions is not None
        values = known | dict(zip(self._body.arguments, arguments, strict=True))
        for operation, function in self._functions:
            outcome = function(*(values[v.slot] for v in operation.operands))
            outcomes = outcome if len(operation.results) > 1 else (outcome,)
            values.update(zip((v.slot for v in operation.results), outcomes, strict=True))
        return tuple(to_torch(values[slot], type_).expand(arguments[0].shape) for slot, type_ in self._results)

    def _on_elements(self, frame: Frame, arguments: Tiles) -> Tiles:
        shape = arguments[0].shape
        lanes = np.repeat(np.arange(frame.count), shape[1:].numel())
        inner = Frame(frame.run, len(frame.values), frame.programs[lanes])
        inner.iteration = frame.iteration
        slots = [slot for slot, _ in self._captured]
        for slot, value in zip(
            slots, cut_all([frame.values[slot] for slot in slots], lanes, frame.run.device), strict=True
        ):
            inner.values[slot] = value
        run_with(inner, self._body, [tile.reshape(-1) for tile in arguments])
        results = (to_torch(inner.values[slot], type_) for slot, type_ in self._results)
        return tuple(result.expand(len(lanes)).reshape(shape) for result in results)


def _aligned(value: Any, type_: Type, axes: int) -> Any:
    """A captured scalar so that it broadcasts against a tile of `axes` axes. Uniform numbers stay numbers."""
    if isinstance(value, bool | int | float) or type_.pointer:
        return value
    tile = to_torch(value, type_)
    return tile.reshape(-1, *(1,) * (axes - 1))
