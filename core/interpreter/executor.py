"""Runs a plan: binds the arguments, splits the programs into chunks of lanes, executes, collects the trace."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import numpy as np
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.interpreter.changes import Changes
from core.interpreter.descriptors import Descriptor
from core.interpreter.diagnostics import Diagnostics
from core.interpreter.frame import Frame, ProgressCallback, Run
from core.interpreter.grid import Grid
from core.interpreter.ir import Value
from core.interpreter.memory import Memory
from core.interpreter.ops.elementwise import rounded
from core.interpreter.parking import Parking, segments
from core.interpreter.partitioned import run_partitioned
from core.interpreter.plan import Plan
from core.interpreter.program_turns import ProgramTurns
from core.interpreter.refusal import unreadable
from core.interpreter.schedule import lane_order
from core.interpreter.serial import reads_data, waits
from core.interpreter.shadows.doubts import Doubts
from core.interpreter.shadows.float_instrument import with_float_shadows
from core.interpreter.shadows.instrument import with_shadows
from core.interpreter.shadows.number_doubts import NumberDoubts
from core.interpreter.shadows.suspects import Suspects
from core.interpreter.stuck import NoProgress
from core.interpreter.unwritten import UnwrittenStores
from core.interpreter.values import Pointer, on_device
from core.trace.affine import IntArray
from core.trace.record import WatchRecorder
from core.trace.size import TraceSize

_CACHE_BYTES = 1 << 20
"""Size of one tile over all lanes of a chunk. About an L2 cache; 1/2 MiB and 2 MiB were slower."""

_LEAST_BYTES_PER_PROGRAM = 16
"""A trace holds the number of each program, and an offset of it."""


def execute(
    plan: Plan,
    arguments: Sequence[Any],
    grid: Grid,
    *,
    memory_budget_bytes: int,
    watcher: WatchRecorder,
    progress: ProgressCallback | None = None,
    diagnostics: Diagnostics | None = None,
    unwritten: UnwrittenStores | None = None,
    size: TraceSize | None = None,
    suspects: Suspects | None = None,
    floats_of: IntArray | Literal["all"] | None = None,
) -> tuple[list[Memory], Run]:
    """Run every program of `grid`. `arguments` are those of the IR's function: tensors and numbers, in order.

    Results are written to the tensors. Faults and prints go to `diagnostics`; without it the first illegal access
    raises TilescopeError, before that operation touches memory. A launch that would never end is stopped:
    `Run.stopped`. Passes on what `progress` raises. `unwritten` are the stores that earlier launches of an
    addresses-only trace skipped. `size` counts the accesses, and may raise TraceTooLarge. `suspects` are for a
    `plan` that follows them. `floats_of` are programs to be executed alone, with a shadow beside every float.
    """
    if floats_of is not None:
        plan = with_float_shadows(plan)
    elif diagnostics is not None and diagnostics.sanitizes and suspects is None:
        plan = with_shadows(plan)
    memories: list[Memory] = []
    bound = [
        _bind(plan, value, argument, memories)
        for value, argument in zip(plan.function.arguments, arguments, strict=True)
    ]
    if unwritten is not None and reads_data(plan.function):
        for memory in memories:
            unwritten.check_whole(memory, plan.function.name)
    device = memories[0].flat.device if memories else torch.device("cpu")
    programs = math.prod(grid)
    run = Run(plan.function.name, grid, device, memories, watcher, advance=lambda fraction: None)
    run.diagnostics = diagnostics or run.diagnostics
    run.doubts = Doubts() if floats_of is None else NumberDoubts()
    run.unwritten = unwritten if unwritten is not None else run.unwritten
    run.size = size or run.size
    run.suspects = suspects
    run.size.require(_LEAST_BYTES_PER_PROGRAM * programs, plan.function.name)
    order = lane_order(plan, bound, run, programs)
    chunk = chunk_lanes(plan.tile_bytes, plan.index_bytes, memory_budget_bytes, on_cpu=device.type == "cpu")
    parts = segments(plan)
    if isinstance(floats_of, np.ndarray):
        order, programs = floats_of, len(floats_of)
    parking: Parking | None = None
    turns: ProgramTurns | None = None
    phase = tr("tracing {kernel}", kernel=plan.function.name)

    def run_chunk(number: int) -> None:
        first = number * chunk
        lanes = order[first : first + chunk]
        run.advance = _reporter(progress, first, len(lanes), programs, phase)
        run.advance(0.0)
        run_partitioned(plan, run, lanes, partial(_run_chunk, plan, bound, run, parking))

    waiting = waits(plan.function, _shared(plan, bound, memories))
    if waiting:
        order = np.arange(programs)
        run.changes = Changes()
        if parts is None or waiting != waits(plan.function):
            chunk = 1
            run.turns = turns = ProgramTurns(programs, run_chunk, run.changes)
        else:
            parking = Parking(parts, run.changes)
    try:
        with on_device(device), _plain_arithmetic():
            if turns is not None:
                turns.run()
            else:
                for number in range(-(-programs // chunk)):
                    run_chunk(number)
            if parking is not None:
                parking.finish()
    except NoProgress as error:
        run.stopped = error
    if progress is not None:
        progress(programs, programs, phase)
    return memories, run


def _reporter(progress: ProgressCallback | None, first: int, lanes: int, programs: int, phase: Text) -> Any:
    """Reports the progress of a chunk in programs; it never goes backwards."""
    furthest = 0.0

    def advance(fraction: float) -> None:
        nonlocal furthest
        furthest = max(furthest, fraction)
        if progress is not None:
            progress(first + furthest * lanes, programs, phase)

    return advance


def _run_chunk(plan: Plan, bound: Sequence[Any], run: Run, parking: Parking | None, lanes: IntArray) -> None:
    frame = Frame(run, plan.function.slots, lanes)
    for value, argument in zip(plan.function.arguments, bound, strict=True):
        frame.values[value.slot] = argument
    if parking is None:
        plan.body.run(frame)
    else:
        parking.start(frame)


def _bind(plan: Plan, value: Value, argument: Any, memories: list[Memory]) -> Any:
    """An argument as a value: a pointer to the start of its tensor, or a uniform number."""
    if value.type.pointer:
        return _pointer(plan, value, argument, memories)
    if value.type.space == "global":
        pointer = _pointer(plan, value, argument.tensor, memories)
        return Descriptor(pointer, argument.shape, argument.strides, argument.nan_padding)
    if value.type.is_float:
        return rounded(float(argument), value.type.element)
    if value.type.element == "i1":
        return bool(argument)
    half = 1 << (value.type.bits - 1)
    return (int(argument) + half) % (2 * half) - half


def _shared(plan: Plan, bound: Sequence[Any], memories: Sequence[Memory]) -> frozenset[frozenset[int]]:
    """The slots of pointer arguments that are in one storage, by storage."""
    slots: dict[int, set[int]] = {}
    for value, argument in zip(plan.function.arguments, bound, strict=True):
        if isinstance(argument, Pointer) and isinstance(argument.buffer, int):
            slots.setdefault(memories[argument.buffer].storage_range[0], set()).add(value.slot)
    return frozenset(frozenset(each) for each in slots.values() if len(each) > 1)


def _pointer(plan: Plan, value: Value, tensor: torch.Tensor, memories: list[Memory]) -> Pointer:
    problem = unreadable(plan.function.name, value.name, tensor)
    if problem:
        raise TilescopeError(problem)
    memories.append(Memory(value.name, tensor))
    return Pointer(len(memories) - 1, 0)


def chunk_lanes(tile_bytes: Sequence[int], index_bytes: int, memory_budget_bytes: int, *, on_cpu: bool) -> int:
    """How many lanes fit the budget in the worst case: all tiles alive at once and no structured index.

    On a CPU, one tile over all lanes must also fit in the cache, since each operation reads what the last one wrote.
    """
    lanes = memory_budget_bytes // max(1, sum(tile_bytes) + index_bytes)
    if on_cpu:
        lanes = min(lanes, _CACHE_BYTES // max(1, *tile_bytes, 1))
    return max(1, lanes)


@contextmanager
def _plain_arithmetic() -> Iterator[None]:
    """Torch with one thread and exact float32 products inside the block.

    The operations are short, so a second thread saves little. If another process (such as the window) uses that core,
    every operation waits for a time slice at its end, which was measured 30 times slower.
    """
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
