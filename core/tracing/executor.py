"""Runs a plan: binds the arguments, splits the programs into chunks of lanes, executes, collects the trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from core.tracing.affine import IntArray
from core.tracing.frame import Frame, Run, Tick
from core.tracing.ir import Function, Value
from core.tracing.memory import Memory
from core.tracing.ops.lifting import rounded
from core.tracing.plan import Plan
from core.tracing.record import Access, WatchRecorder
from core.tracing.schedule import lane_order
from core.tracing.values import Pointer

Grid = tuple[int, int, int]


def execute(
    plan: Plan,
    arguments: Sequence[Any],
    grid: Grid,
    *,
    memory_budget_bytes: int,
    watcher: WatchRecorder,
    tick: Tick | None = None,
) -> tuple[list[Memory], list[Access]]:
    """Run every program of `grid`. `arguments` are those of the IR's function: tensors and numbers, in order.

    Results are written to the tensors. Raises TilescopeError at the first illegal access, before that operation
    touches memory, and whatever `tick` raises.
    """
    memories: list[Memory] = []
    bound = [
        _bind(value, argument, memories) for value, argument in zip(plan.function.arguments, arguments, strict=True)
    ]
    device = memories[0].flat.device if memories else torch.device("cpu")
    programs = math.prod(grid)
    run = Run(plan.function.name, grid, device, memories, watcher, advance=lambda fraction: None)
    order = lane_order(plan, bound, run, programs)
    size = chunk_lanes(plan.function, memory_budget_bytes)
    phase = f"tracing {plan.function.name}"
    for first in range(0, programs, size):
        lanes = order[first : first + size]
        run.advance = _reporter(tick, first, len(lanes), programs, phase)
        run.advance(0.0)
        _run_chunk(plan, bound, run, lanes)
    if tick is not None:
        tick(programs, programs, phase)
    return memories, run.accesses


def _reporter(tick: Tick | None, first: int, lanes: int, programs: int, phase: str) -> Any:
    """Progress of a chunk in programs; never goes backwards."""
    furthest = 0.0

    def advance(fraction: float) -> None:
        nonlocal furthest
        furthest = max(furthest, fraction)
        if tick is not None:
            tick(first + furthest * lanes, programs, phase)

    return advance


def _run_chunk(plan: Plan, bound: Sequence[Any], run: Run, lanes: IntArray) -> None:
    frame = Frame(run, plan.function.slots, lanes)
    for value, argument in zip(plan.function.arguments, bound, strict=True):
        frame.values[value.slot] = argument
    plan.body.run(frame)


def _bind(value: Value, argument: Any, memories: list[Memory]) -> Any:
    """An argument as a value: a pointer to the start of its tensor, or a uniform number."""
    if value.type.pointer:
        memories.append(Memory(value.name, argument))
        return Pointer(len(memories) - 1, 0)
    if value.type.is_float:
        return rounded(float(argument), value.type.element)
    if value.type.element == "i1":
        return bool(argument)
    half = 1 << (value.type.bits - 1)
    return (int(argument) + half) % (2 * half) - half


def chunk_lanes(function: Function, memory_budget_bytes: int) -> int:
    """How many lanes fit the budget, if every tile of floating point data were alive at once."""
    per_lane = 1
    for operation in function.body.walk():
        for result in operation.results:
            if result.type.is_float:
                per_lane += math.prod(result.type.dims) * max(result.type.bits, 8) // 8
    return max(1, memory_budget_bytes // per_lane)
