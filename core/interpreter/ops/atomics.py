"""Atomics, executed as if the lanes came one after another in the order of their program ids and elements.

If no address occurs twice, all lanes update at once; if few lanes share an address, they update in rounds; if many do,
an associative update is a segmented scan. A GPU's order is undefined, so float sums may differ in rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import quoted, tr
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation, Type
from core.interpreter.memory import Memory
from core.interpreter.ops.memory import HOST_SCALARS, on_host, record
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.several_tensors import Part, joined
from core.interpreter.values import Pointer, to_predicate, to_torch, torch_dtype
from core.trace.affine import Affine, dense
from core.trace.mask import Mask

Combine = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_ROUNDS = 32
"""Up to this many lanes at one address update in rounds; more use a scan."""


def _unsigned(function: Combine) -> Combine:
    """Compare as unsigned: flipping the sign bit maps the order of unsigned numbers to that of signed numbers."""

    def call(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        sign = torch.iinfo(a.dtype).min
        return function(a ^ sign, b ^ sign) ^ sign

    return call


_COMBINE: dict[str, Combine] = {
    "add": torch.add,
    "fadd": torch.add,
    "and": torch.bitwise_and,
    "or": torch.bitwise_or,
    "xor": torch.bitwise_xor,
    "max": torch.maximum,
    "min": torch.minimum,
    "umax": _unsigned(torch.maximum),
    "umin": _unsigned(torch.minimum),
    "exch": lambda old, new: new,
}


class _Targets:
    """The active addresses of an atomic, in order: indices into flat memory, and positions in the tile."""

    def __init__(self, frame: Frame, memory: Memory, pointer: Pointer, mask: Mask | None, type_: Type) -> None:
        self.full = (frame.count, *type_.dims)
        where = np.broadcast_to(dense(pointer.offset, type_.rank), self.full) + memory.base
        rows = np.argsort(frame.programs, kind="stable")
        places = np.arange(where.size).reshape(self.full)[rows].reshape(-1)
        if mask is not None:
            places = places[np.broadcast_to(mask.array, self.full).reshape(-1)[places]]
        device = memory.flat.device
        self.places = torch.from_numpy(places).to(device)
        self.index = torch.from_numpy(where.reshape(-1)[places]).to(device)
        self.memory = memory.flat.view(torch_dtype(type_.element))
        self.lanes = places // max(1, math.prod(type_.dims))

    def pick(self, value: Any, type_: Type) -> torch.Tensor:
        """The active elements of an operand."""
        return to_torch(value, type_).expand(self.full).reshape(-1)[self.places]

    def spread(self, old: torch.Tensor) -> torch.Tensor:
        """The previous memory values as a tile; 0 where the mask is off."""
        tile = torch.zeros(self.full, dtype=old.dtype, device=old.device)
        tile.view(-1)[self.places] = old
        return tile


def _ranks(index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(order, rank): `index[order]` is ascending and stable; `rank` counts equal ones before each, in that order."""
    ascending, order = index.sort(stable=True)
    _, counts = torch.unique_consecutive(ascending, return_counts=True)
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    return order, torch.arange(len(index), device=index.device) - starts


def _in_rounds(
    memory: torch.Tensor, index: torch.Tensor, update: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Update in rounds: `update(old, selected)` returns the new values of the elements `selected`. Returns the old
    values."""
    old = torch.empty(len(index), dtype=memory.dtype, device=memory.device)
    order, rank = _ranks(index)
    for turn in range(int(rank.max()) + 1 if len(rank) else 0):
        selected = order[rank == turn]
        targets = index[selected]
        old[selected] = memory[targets]
        memory[targets] = update(old[selected], selected)
    return old


def _scanned(memory: torch.Tensor, index: torch.Tensor, values: torch.Tensor, combine: Combine) -> torch.Tensor:
    """Hillis and Steele's scan within runs of equal addresses."""
    order, rank = _ranks(index)
    targets, first = index[order], rank == 0
    start = memory[targets]
    running = torch.where(first, combine(start, values[order]), values[order])
    distance = 1
    while distance <= int(rank.max()):
        further = combine(running[:-distance], running[distance:])
        running = torch.cat((running[:distance], torch.where(rank[distance:] >= distance, further, running[distance:])))
        distance *= 2
    before = torch.where(first, start, torch.cat((start[:1], running[:-1])))
    last = torch.cat((first[1:], first[:1]))
    memory[targets[last]] = running[last]
    old = torch.empty_like(before)
    old[order] = before
    return old


def _rounds_needed(index: torch.Tensor) -> int:
    return int(torch.unique(index, return_counts=True)[1].max()) if len(index) else 0


@step("tt.atomic_rmw")
def _rmw(operation: Operation, _planner: StepPlanner) -> Step:
    kind = str(operation.attributes["words"][0])
    combine = _COMBINE.get(kind)
    if combine is None:
        raise TilescopeError(
            tr(
                "{location} needs the atomic {name}, which Tilescope does not support: use another atomic.",
                location=operation.location.label,
                name=quoted(kind),
            )
        )
    return _atomic(operation, 1, combine, scans=True)


@step("tt.atomic_cas")
def _cas(operation: Operation, _planner: StepPlanner) -> Step:
    return _atomic(operation, 2, lambda old, expected, new: torch.where(old == expected, new, old))


def _atomic(operation: Operation, operands: int, outcome: Callable[..., torch.Tensor], *, scans: bool = False) -> Step:
    """Check, record and update. The operation has a pointer, `operands` values and optionally a mask.

    `outcome(old, *values)` is what memory holds afterwards; with `scans` it is associative.
    """
    pointer_slot, *slots = (value.slot for value in operation.operands)
    mask_slot = slots[operands] if len(slots) > operands else None
    type_ = operation.result.type if operation.results else operation.operands[1].type
    types = [value.type for value in operation.operands[1 : 1 + operands]]
    result = operation.result.slot if operation.results else None
    dtype = torch_dtype(type_.element)

    def update(targets: _Targets, values: list[torch.Tensor]) -> torch.Tensor:
        if scans and _rounds_needed(targets.index) > _ROUNDS:
            return _scanned(targets.memory, targets.index, values[0], outcome)
        return _in_rounds(
            targets.memory, targets.index, lambda old, selected: outcome(old, *(value[selected] for value in values))
        )

    def run(frame: Frame) -> None:
        values = frame.values
        pointer: Pointer = values[pointer_slot]
        keep = True if mask_slot is None else to_predicate(values[mask_slot])

        def access(part: Part) -> torch.Tensor:
            touched = record(part.frame, operation, "atomic", part.pointer, part.keep, type_.dims)
            if touched is False:
                return torch.zeros((1,) * (type_.rank + 1), dtype=dtype, device=frame.run.device)
            mask = touched if isinstance(touched, Mask) else None
            memory = frame.run.memory(part.pointer.buffer, type_.element_bytes)  # type: ignore[arg-type]
            targets = _Targets(part.frame, memory, part.pointer, mask, type_)
            given = [
                targets.pick(part.cut(values[slot]), given_type)
                for slot, given_type in zip(slots[:operands], types, strict=True)
            ]
            if frame.run.diagnostics.sanitizes:
                stored = part.cut(values[slots[operands - 1]])
                frame.run.noticed.stored(operation.location, part.frame.programs, stored, touched)
            old = update(targets, given)
            if frame.run.changes is not None:
                frame.run.changes.compare(
                    old,
                    outcome(old, *given),
                    memory.storage_range[0] + targets.index.cpu().numpy() * memory.element_bytes,
                    part.frame.programs[targets.lanes],
                    operation.location,
                )
            return targets.spread(old)

        if isinstance(pointer.buffer, Affine):
            old = joined(frame, pointer, keep, type_, access)
        else:
            old = access(Part(frame, slice(None), pointer, keep))
        if result is not None:
            scalar = type_.rank == 0 and type_.is_integer and old.numel() <= HOST_SCALARS
            values[result] = on_host(old, type_) if scalar else old

    return run
