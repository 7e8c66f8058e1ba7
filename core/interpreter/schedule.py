"""The order of the lanes: programs with long loops first, so that the active lanes stay a prefix.

Trip counts usually depend only on program ids and scalar arguments. They are then computed here for all programs at
once, before anything runs. If they depend on loaded data, the lanes are sorted at the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from core.interpreter.body import Step
from core.interpreter.frame import Frame, Run
from core.interpreter.ir import Operation
from core.interpreter.ops.control import trip_counts
from core.interpreter.ops.registry import PURE
from core.interpreter.plan import Plan
from core.interpreter.planner import Planner
from core.interpreter.values import to_integer
from core.trace.affine import IntArray

_TOGETHER = 1 << 20
"""Programs whose trip counts are computed together, which bounds the memory."""

_PROGRAM = ("tt.get_program_id", "tt.get_num_programs")


def lane_order(plan: Plan, bound: Sequence[Any], run: Run, programs: int) -> IntArray:
    """Linear program ids, sorted by iterations of the outermost loops (most first), then in launch order."""
    order = np.arange(programs, dtype=np.int64)
    loops = _predictable_loops(plan)
    if not loops or programs < 2:
        return order
    total = np.zeros(programs, dtype=np.int64)
    for first in range(0, programs, _TOGETHER):
        lanes = order[first : first + _TOGETHER]
        frame = Frame(run, plan.function.slots, lanes)
        for value, argument in zip(plan.function.arguments, bound, strict=True):
            frame.values[value.slot] = argument
        for steps, slots in loops:
            for step in steps:
                step(frame)
            low, high, stride = (to_integer(frame.values[slot]) for slot in slots)
            total[first : first + _TOGETHER] += trip_counts(low, high, stride, len(lanes))
    return order if bool((total == total[0]).all()) else np.argsort(-total, kind="stable")


@lru_cache(maxsize=256)
def _predictable_loops(plan: Plan) -> tuple[tuple[tuple[Step, ...], tuple[int, ...]], ...]:
    """For each outermost loop with predictable bounds: the steps that compute them, and their slots."""
    planner = Planner()
    loops = []
    for operation in plan.function.body.operations:
        needed = _slice(plan, operation) if operation.name == "scf.for" else None
        if needed is not None:
            slots = tuple(value.slot for value in operation.operands[:3])
            loops.append((tuple(map(planner.step, needed)), slots))
    return tuple(loops)


def _slice(plan: Plan, loop: Operation) -> list[Operation] | None:
    """The scalar operations that the bounds of `loop` depend on, in order; None if they depend on anything else."""
    slots = {value.slot for value in loop.operands[:3]}
    needed: list[Operation] = []
    before = plan.function.body.operations[: plan.function.body.operations.index(loop)]
    for operation in reversed(before):
        if not slots & {value.slot for value in operation.results}:
            continue
        known = operation.name in PURE or operation.name in _PROGRAM
        if not known or any(value.type.shape is not None for value in operation.operands):
            return None
        needed.append(operation)
        slots |= {value.slot for value in operation.operands}
    return needed[::-1]
