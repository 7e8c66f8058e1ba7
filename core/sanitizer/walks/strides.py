"""Kernels that stay inside a tensor but walk through it by strides that are not its own."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.contracts.text import Text, Value, tr
from core.proofs.terms import Poly
from core.sanitizer import kinds
from core.sanitizer.layout import Layout
from core.sanitizer.views import as_packed
from core.sanitizer.walks.fitting import Meant, axes_of, meant_instead
from core.sanitizer.walks.walk import Part, Walk
from core.trace.affine import Affine
from core.trace.record import Access, Buffer, Fault, Launch, coordinates
from core.trace.rows import rows_of

Place = tuple[str, str, str, int]
"""Kind of access, parameter, file and line."""


def place_of(walk: Walk) -> Place:
    return walk.kind, walk.tensor, walk.file, walk.line


def accesses_by_place(launch: Launch) -> dict[Place, list[Access]]:
    """The accesses of a launch by where they are in the source."""
    found: dict[Place, list[Access]] = defaultdict(list)
    for access in launch.accesses:
        buffer = launch.buffers[access.buffer]
        if access.element_bytes == buffer.element_bytes:
            found[access.kind, buffer.name, access.file, access.line].append(access)
    return found


def wrong_strides(launch: Launch, walks: Sequence[Walk]) -> list[Fault]:
    """The walks that fit exactly what the tensor would be with other strides, and not the tensor."""
    buffers = {buffer.name: number for number, buffer in enumerate(launch.buffers)}
    by_place = None
    at: dict[Place, set[tuple[int, frozenset[tuple[int, object]]]]] = defaultdict(set)
    for walk in walks:
        at[place_of(walk)].add((walk.constant, walk.steps))
    found: dict[Place, Fault] = {}
    for walk in walks:
        place, number = place_of(walk), buffers.get(walk.tensor)
        if number is None or place in found or len(at[place]) > 1 or not walk.is_known or walk.constant:
            continue
        buffer = launch.buffers[number]
        meant, is_sure = meant_instead(walk.varying, axes_of(buffer)), True
        if meant is None and not _has_company(launch, walk, walks):
            meant, is_sure = meant_instead(_by_program(walk), axes_of(buffer)), False
        if meant is not None and Layout(buffer).dense:
            by_place = by_place or accesses_by_place(launch)
            if _reaches_all(walk, by_place[place]):
                fault = _finding(launch, walk, number, meant, by_place[place])
                found[place] = fault if is_sure else _as_remark(launch, fault, walk)
    return list(found.values())


def _by_program(walk: Walk) -> tuple[Part, ...]:
    """The parts of a walk by blocks that lie behind one another, if a block were a row: that of the program, and that
    of the tile. Empty for another walk."""
    if len(walk.varying) != 1 or len(walk.varying[0].index.terms) != 2:
        return ()
    (part,) = walk.varying
    programs = [monomial for monomial, factor in part.index.terms.items() if factor == part.block > 1]
    if len(programs) != 1 or not part.moves or math.isfinite(part.limit):
        return ()
    tile = Poly({monomial: factor for monomial, factor in part.index.terms.items() if monomial != programs[0]})
    last = (part.high + 1) / part.block - 1
    return (
        replace(part, stride=part.stride * part.block, index=Poly({programs[0]: 1}), high=last),
        replace(part, index=tile, high=part.block - 1),
    )


def _has_company(launch: Launch, walk: Walk, walks: Sequence[Walk]) -> bool:
    """Whether another tensor with the same shape and strides is walked through in the same way: element by element."""
    layouts = {buffer.name: axes_of(buffer) for buffer in launch.buffers}
    return any(
        other.tensor != walk.tensor and other.steps == walk.steps and layouts.get(other.tensor) == layouts[walk.tensor]
        for other in walks
    )


def _as_remark(launch: Launch, fault: Fault, walk: Walk) -> Fault:
    """The finding where a block that is as long as a row need be no row."""
    buffer = launch.buffers[fault.buffer]
    sentence = tr(
        "The {kind} in {kernel} at {location} gives each program {block} elements of {tensor} that lie behind one "
        "another, as many as a row has. With shape {shape} and strides {strides} they are no row: that is right only "
        "if rows do not matter.",
        kind=walk.kind,
        kernel=launch.function,
        location=walk.location,
        block=walk.varying[0].block,
        tensor=buffer.name,
        shape=str(list(buffer.shape)),
        strides=str(list(buffer.strides)),
    )
    return replace(fault, severity="remark", sentence=sentence)


def _reaches_all(walk: Walk, accesses: Sequence[Access]) -> bool:
    """Whether the ends of a walk were really reached, and nothing beyond them."""
    low, high = float("inf"), -float("inf")
    for access in accesses:
        rows = rows_of(access)
        starts, lengths = np.broadcast_arrays(rows.starts, rows.lengths)
        kept = lengths > 0
        if kept.any():
            low = min(low, float(starts[kept].min()))
            high = max(high, float((starts + lengths)[kept].max()) - 1)
    last = walk.constant + sum(part.stride * part.high for part in walk.parts)
    return (low, high) == (walk.constant, last)


def _finding(launch: Launch, walk: Walk, number: int, meant: Meant, accesses: Sequence[Access]) -> Fault:
    buffer = launch.buffers[number]
    axes = [axis for axis, size in enumerate(buffer.shape) if size > 1]
    taken = dict(zip(axes, meant.strides, strict=True))
    differing = next(axis for axis in reversed(axes) if taken[axis] != buffer.strides[axis])
    index = walk.constant + taken[differing]
    access, lane, element = reaching(accesses, index)
    program = int(access.programs[lane])
    details: dict[str, Value] = {
        "kind": walk.kind,
        "kernel": launch.function,
        "location": walk.location,
        "tensor": buffer.name,
        "shape": str(list(buffer.shape)),
        "strides": str(list(buffer.strides)),
        "element": str([int(axis == differing) for axis in range(len(buffer.shape))]),
        "program": coordinates(launch.grid, program),
        "index": index,
        "other": str(element_at(buffer, index)),
    }
    return Fault(
        kind=kinds.WRONG_STRIDES,
        access=walk.kind,
        buffer=number,
        file=walk.file,
        line=walk.line,
        program=program,
        index=index,
        count=sum(int(np.count_nonzero(access.active())) for access in accesses),
        sentence=_sentence(meant, details),
        iteration=access.iteration,
        element=element,
        repair=_unswapped(buffer) if meant.assumes == "swapped" else as_packed(buffer),
    )


def _sentence(meant: Meant, details: dict[str, Value]) -> Text:
    if meant.assumes == "packed":
        return tr(
            "The {kind} in {kernel} at {location} takes {tensor} as packed, but it has shape {shape} and strides "
            "{strides}: for element {element}, program {program} reaches index {index}, which is element {other}.",
            **details,
        )
    if meant.assumes == "inner":
        return tr(
            "The {kind} in {kernel} at {location} takes the last axis of {tensor} as contiguous, but it has shape "
            "{shape} and strides {strides}: for element {element}, program {program} reaches index {index}, which is "
            "element {other}.",
            **details,
        )
    return tr(
        "The {kind} in {kernel} at {location} swaps strides of {tensor}, which has shape {shape} and strides "
        "{strides}: for element {element}, program {program} reaches index {index}, which is element {other}.",
        **details,
    )


def _unswapped(buffer: Buffer) -> Text:
    return tr("Pass the strides of {tensor} in the order in which the kernel uses them.", tensor=buffer.name)


def reaching(accesses: Sequence[Access], index: int) -> tuple[Access, int, tuple[int, ...]]:
    """The first access that reaches an index, with the lane and the element of its tile; else the first access."""
    for access in accesses:
        offset = access.offset
        if isinstance(offset, Affine) and not offset.low <= index <= offset.high:
            continue
        hit = access.active() & (access.offsets() == index)
        if hit.any():
            lane, *element = (int(i) for i in np.unravel_index(int(hit.argmax()), hit.shape))
            return access, lane, tuple(element)
    return accesses[0], 0, ()


def element_at(buffer: Buffer, index: int) -> list[int]:
    """Which element of a tensor without overlaps lies at an offset."""
    element = [0] * len(buffer.shape)
    for axis in sorted(range(len(buffer.shape)), key=lambda axis: -buffer.strides[axis]):
        if buffer.shape[axis] > 1 and buffer.strides[axis]:
            element[axis], index = divmod(index, buffer.strides[axis])
    return element
