"""tt.call, and functions of several basic blocks (early returns): each block runs once, for all lanes that reach it.

Triton emits only forward jumps (loops are scf), so blocks run in topological order, and lanes that took different paths
meet again where the paths do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.body import Body, Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Block, Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.scopes import Results, Scope, cut_all, per_lane_bool, run_with
from core.interpreter.values import Lanes
from core.trace.affine import IntArray


@step("tt.call")
def _call(operation: Operation, planner: StepPlanner) -> Step:
    body = planner.body(operation.regions[0])
    operands = [value.slot for value in operation.operands]
    results = [value.slot for value in operation.results]

    def run(frame: Frame) -> None:
        values = frame.values
        run_with(frame, body, [values[slot] for slot in operands])
        for result, slot in zip(results, body.results, strict=True):
            values[result] = values[slot]

    return run


def _topological(operation: Operation, successors: Sequence[Sequence[int]]) -> list[int]:
    """Topological order: every block before its successors. Raises TilescopeError for a backward jump."""
    order: list[int] = []
    open_: set[int] = set()

    def visit(block: int) -> None:
        open_.add(block)
        for following in successors[block]:
            if following in open_:
                raise TilescopeError(
                    tr(
                        "{location} jumps backwards, which Tilescope does not support: write a for or while loop.",
                        location=operation.location.label,
                    )
                )
            if following not in order:
                visit(following)
        open_.discard(block)
        order.append(block)

    visit(0)
    return order[::-1]


def _used(block: Block) -> set[int]:
    return {value.slot for operation in block.walk() for value in operation.operands}


def _defined(block: Block) -> set[int]:
    return {value.slot for value in block.arguments} | {v.slot for op in block.operations for v in op.results}


class _Block:
    """A basic block as a body that also returns `crossing`: the slots that it defines for later blocks."""

    def __init__(self, block: Block, crossing: Sequence[int], planner: StepPlanner) -> None:
        end = block.terminator
        by_slot = {value.slot: value for value in block.arguments}
        by_slot |= {value.slot: value for operation in block.operations for value in operation.results}
        kept = (*end.operands, *(by_slot[slot] for slot in crossing))
        carrier = Operation(end.name, (), kept, {}, (), end.location)
        self.body: Body = planner.body(Block(block.arguments, (*block.operations[:-1], carrier)))
        self.arguments = block.arguments
        self.crossing = tuple(crossing)
        self.successors: tuple[tuple[str, int], ...] = end.attributes.get("successors", ())
        self.operands = len(end.operands)


@step("lanes.blocks")
def _blocks(operation: Operation, planner: StepPlanner) -> Step:
    regions = operation.regions
    numbers = {label: index for index, label in enumerate(operation.attributes["labels"])}
    targets = [[numbers[name] for name, _ in r.terminator.attributes.get("successors", ())] for r in regions]
    order = _topological(operation, targets)
    uses, definitions = [_used(r) for r in regions], [_defined(r) for r in regions]
    crossing = [
        sorted(definitions[i] & set().union(*(uses[j] for j in range(len(regions)) if j != i)))
        for i in range(len(regions))
    ]
    blocks = [_Block(region, slots, planner) for region, slots in zip(regions, crossing, strict=True)]
    inside = set().union(*definitions)
    outer = sorted(set().union(*(block.body.captured for block in blocks)) - inside)
    inner_slots = [sorted(set(block.body.captured) & inside) for block in blocks]

    def run(frame: Frame) -> None:
        routing = _Routing(frame, outer, len(blocks))
        returned = Results(operation.results)
        routing.arrive(0, np.arange(frame.count), [])
        for index in order:
            lanes = routing.enter(index, blocks[index], inner_slots[index])
            if len(lanes):
                blocks[index].body.run(frame)
                routing.leave(index, blocks[index], targets[index], lanes, returned)
        routing.scope.restore()
        if operation.results:
            returned.assign(frame)

    return run


class _Routing:
    """Which lanes wait at which block, and the values that blocks pass to later blocks."""

    def __init__(self, frame: Frame, outer: Sequence[int], blocks: int) -> None:
        self._frame = frame
        self._total = frame.count
        self.scope = Scope(frame, outer)
        self._waiting: list[list[tuple[IntArray, list[Any]]]] = [[] for _ in range(blocks)]
        self._passed: dict[int, tuple[IntArray, Any]] = {}

    def arrive(self, block: int, lanes: IntArray, arguments: list[Any]) -> None:
        """`lanes` (ascending indices into all lanes) reach `block`."""
        if len(lanes):
            self._waiting[block].append((lanes, arguments))

    def enter(self, index: int, block: _Block, slots: Sequence[int]) -> IntArray:
        """Put the lanes that wait at a block into the frame, with the values that the block reads."""
        groups = self._waiting[index]
        if not groups:
            return np.empty(0, dtype=np.int64)
        lanes = np.sort(np.concatenate([lanes for lanes, _ in groups]))
        self.scope.select(slice(None) if len(lanes) == self._total else lanes)
        values, device = self._frame.values, self._frame.run.device
        for slot in slots:
            known, value = self._passed[slot]
            here: Lanes = slice(None) if len(known) == len(lanes) else np.searchsorted(known, lanes)
            (values[slot],) = cut_all([value], here, device)
        if block.arguments:
            arguments = Results(block.arguments)
            for waiting, passed in groups:
                arguments.add(waiting, passed)
            arguments.assign(self._frame)
        return lanes

    def leave(self, index: int, block: _Block, targets: Sequence[int], lanes: IntArray, returned: Results) -> None:
        """Send the lanes to the next block, with the values that they pass to it."""
        values, frame = self._frame.values, self._frame
        results = [values[slot] for slot in block.body.results]
        for slot, value in zip(block.crossing, results[block.operands :], strict=True):
            self._passed[slot] = (lanes, value)
        operands = results[: block.operands]
        if not targets:
            returned.add(lanes, operands)
        elif len(targets) == 1:
            self.arrive(targets[0], lanes, operands)
        else:
            taken = per_lane_bool(operands[0], frame.count)
            first = block.successors[0][1]
            for target, arguments, where in (
                (targets[0], operands[1 : 1 + first], np.flatnonzero(taken)),
                (targets[1], operands[1 + first :], np.flatnonzero(~taken)),
            ):
                self.arrive(target, lanes[where], cut_all(arguments, where, frame.run.device))
