"""tt.load and tt.store: check, record and execute accesses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from core.contracts.text import Value, tr
from core.interpreter.body import Step
from core.interpreter.collisions import Collisions, may_collide
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation, Type
from core.interpreter.memory import Memory, OutOfBounds, first_of, outside, read, write
from core.interpreter.ops.elementwise import scalar_tensor
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.several_tensors import joined, parts
from core.interpreter.values import Pointer, to_integer, to_predicate, to_torch, torch_dtype, zero_of
from core.sanitizer import kinds
from core.trace.affine import Affine, dense
from core.trace.mask import Mask, Predicate, both, from_array
from core.trace.record import Access, AccessKind, Fault

HOST_SCALARS = 1 << 16
"""Up to this many lanes, loaded scalar integers go to the host, since they become loop bounds and offsets."""


def record(
    frame: Frame, operation: Operation, kind: AccessKind, pointer: Pointer, keep: Predicate, shape: tuple[int, ...]
) -> Predicate:
    """Append an access to the trace before it touches memory. Returns the mask of the elements that may be touched.

    Elements outside the memory are a fault, which either raises or removes them from the mask.
    """
    if keep is False:
        return False
    assert not isinstance(pointer.buffer, Affine)
    memory = frame.run.memory(pointer.buffer, operation.operands[0].type.element_bytes)
    mask = keep if isinstance(keep, Mask) else None
    location = operation.location
    bad = outside(memory, pointer.offset, mask, frame.count, shape)
    if bad is not None:
        _out_of_bounds(frame, operation, kind, pointer.buffer, memory, first_of(bad, pointer.offset), int(bad.sum()))
        keep = both(keep, from_array(~bad))
        if keep is False:
            return False
        mask = keep if isinstance(keep, Mask) else None
    frame.run.record(
        Access(
            kind=kind,
            buffer=pointer.buffer,
            file=location.file,
            line=location.line,
            iteration=frame.iteration,
            programs=frame.programs,
            shape=shape,
            offset=pointer.offset,
            mask=mask,
            element_bytes=memory.element_bytes,
            order=frame.order,
        )
    )
    frame.order += 1
    return keep


def _out_of_bounds(
    frame: Frame,
    operation: Operation,
    kind: AccessKind,
    buffer: int,
    memory: Memory,
    first: OutOfBounds,
    count: int,
) -> None:
    location = operation.location
    details: dict[str, Value] = {
        "kind": kind,
        "kernel": frame.run.function,
        "location": location.label,
        "program": frame.describe_program(first.lane),
        "index": first.offset,
        "tensor": memory.buffer.name,
        "low": memory.low,
        "high": memory.high,
    }
    fault_kind, repair = kinds.OUT_OF_BOUNDS, tr("Mask the access or fix the index.")
    if memory.is_nothing:
        sentence = tr(
            "Illegal {kind} in {kernel} at {location}: program {program} accesses address {address}, which lies in no "
            "tensor.",
            address=hex(first.offset * memory.element_bytes),
            **{name: details[name] for name in ("kind", "kernel", "location", "program")},
        )
        repair = tr("Fix the table of addresses, or keep the tensor alive.")
    elif not memory.flat.numel():
        sentence = tr(
            "Illegal {kind} in {kernel} at {location}: program {program} accesses {tensor}, which is an empty tensor.",
            **{name: details[name] for name in ("kind", "kernel", "location", "program", "tensor")},
        )
        repair = tr("Mask the access or pass a tensor with elements.")
    elif memory.repeats and 0 <= first.offset < math.prod(memory.buffer.shape):
        fault_kind = kinds.WRONG_STRIDES
        shape, strides = str(list(memory.buffer.shape)), str(list(memory.buffer.strides))
        sentence = tr(
            "Illegal {kind} in {kernel} at {location}: program {program} reaches index {index} of {tensor}, which has "
            "shape {shape} and strides {strides}, so that its memory holds indices {low} to {high} only.",
            shape=shape,
            strides=strides,
            **details,
        )
        repair = tr("Pass {tensor}.contiguous(), or its strides, and use them.", tensor=memory.buffer.name)
    elif first.index:
        sentence = tr(
            "Illegal {kind} in {kernel} at {location}: program {program} reaches index {index} of {tensor} with "
            "element {element} of its tile, but the memory holds indices {low} to {high}.",
            element=str(list(first.index)),
            **details,
        )
    else:
        sentence = tr(
            "Illegal {kind} in {kernel} at {location}: program {program} reaches index {index} of {tensor} with a "
            "scalar access, but the memory holds indices {low} to {high}.",
            **details,
        )
    frame.run.diagnostics.fault(
        Fault(
            kind=fault_kind,
            access=kind,
            buffer=buffer,
            file=location.file,
            line=location.line,
            program=int(frame.programs[first.lane]),
            index=first.offset * memory.element_bytes // memory.buffer.element_bytes,
            count=count,
            sentence=sentence,
            iteration=frame.iteration,
            element=first.index,
            repair=repair,
        )
    )


@step("tt.load")
def _load(operation: Operation, _planner: StepPlanner) -> Step:
    slots = [value.slot for value in operation.operands]
    pointer_slot = slots[0]
    mask_slot = slots[1] if len(slots) > 1 else None
    other_slot = slots[2] if len(slots) > 2 else None
    result, type_ = operation.result.slot, operation.result.type
    zero, width = zero_of(type_), operation.operands[0].type.element_bytes

    def load(frame: Frame, pointer: Pointer, keep: Predicate, other: Any) -> Any:
        keep = record(frame, operation, "load", pointer, keep, type_.dims)
        if keep is False:
            return other
        mask = keep if isinstance(keep, Mask) else None
        tile = read(frame.run.memory(pointer.buffer, width), pointer.offset, mask, type_.rank)  # type: ignore[arg-type]
        tile = as_element(tile, type_.element)
        return tile if mask is None else _filled(tile, mask, other, type_)

    def run(frame: Frame) -> None:
        values = frame.values
        pointer: Pointer = values[pointer_slot]
        keep = True if mask_slot is None else to_predicate(values[mask_slot])
        other: Any = zero if other_slot is None else values[other_slot]
        if isinstance(pointer.buffer, Affine) and keep is not False:
            tile: Any = joined(
                frame, pointer, keep, type_, lambda part: load(part.frame, part.pointer, part.keep, zero)
            )
            tile = _filled(tile, keep, other, type_) if isinstance(keep, Mask) else tile
        else:
            tile = load(frame, pointer, keep, other)
        scalar = type_.rank == 0 and type_.is_integer and isinstance(tile, torch.Tensor)
        values[result] = on_host(tile, type_) if scalar and tile.numel() <= HOST_SCALARS else tile

    return run


def as_element(tile: torch.Tensor, element: str) -> torch.Tensor:
    """Reinterpret memory of another type of the same width (unsigned, bool) as the IR's element."""
    dtype = torch_dtype(element)
    return tile if tile.dtype == dtype else tile.view(dtype)


def on_host(tile: torch.Tensor, type_: Type) -> Any:
    """A loaded scalar as a structured value."""
    return to_predicate(tile) if type_.element == "i1" else to_integer(tile)


def _filled(tile: torch.Tensor, mask: Mask, other: Any, type_: Type) -> torch.Tensor:
    """`tile` with `other` where the mask is off."""
    where = to_torch(mask, type_.with_element("i1"))
    if isinstance(other, bool | int | float):
        return torch.where(where, tile, scalar_tensor(other, tile.dtype, tile.device))
    return torch.where(where, tile, to_torch(other, type_))


@step("tt.store")
def _store(operation: Operation, planner: StepPlanner) -> Step:
    pointer_slot, value_slot, *masks = (value.slot for value in operation.operands)
    mask_slot = masks[0] if masks else None
    type_ = operation.operands[1].type
    updating = operation in planner.updating

    width = operation.operands[0].type.element_bytes

    def store(frame: Frame, pointer: Pointer, keep: Predicate, value: Any) -> None:
        keep = record(frame, operation, "store", pointer, keep, type_.dims)
        if keep is False:
            return
        mask = keep if isinstance(keep, Mask) else None
        memory = frame.run.memory(pointer.buffer, width)  # type: ignore[arg-type]
        value = to_torch(value, type_)
        collisions = None
        if frame.run.diagnostics.sanitizes:
            frame.run.stored.add(frame.run.accesses[-1], value)
            frame.run.noticed.stored(operation.location, frame.programs, value, keep)
            if may_collide(pointer.offset, type_.dims):
                whole = value.expand(frame.count, *type_.dims)
                collisions = Collisions(frame, operation.location, memory, pointer, mask, whole, updating=updating)
        moved = value if value.dtype == memory.flat.dtype else value.view(memory.flat.dtype)
        with _changes_noted(frame, operation, memory, pointer, mask, type_.dims):
            write(memory, pointer.offset, mask, moved, frame.count, type_.dims)
        if collisions is not None:
            collisions.report()

    def run(frame: Frame) -> None:
        values = frame.values
        keep: Predicate = True if mask_slot is None else to_predicate(values[mask_slot])
        for part in parts(frame, values[pointer_slot], keep):
            store(part.frame, part.pointer, part.keep, part.cut(values[value_slot]))

    return run


@contextmanager
def _changes_noted(
    frame: Frame, operation: Operation, memory: Memory, pointer: Pointer, mask: Mask | None, dims: tuple[int, ...]
) -> Iterator[None]:
    """Where programs wait for each other, compare what memory holds before and after the block."""
    changes = frame.run.changes
    if changes is None:
        yield
        return
    full = (frame.count, *dims)
    where = np.broadcast_to(dense(pointer.offset, len(dims)), full) + memory.base
    programs = np.broadcast_to(frame.programs.reshape(-1, *(1,) * len(dims)), full)
    keep = np.broadcast_to(True if mask is None else mask.array, full)
    places, programs = where[keep], programs[keep]
    index = torch.from_numpy(places).to(memory.flat.device)
    before = memory.flat[index]
    yield
    addresses = memory.storage_range[0] + places * memory.element_bytes
    changes.compare(before, memory.flat[index], addresses, programs, operation.location)
