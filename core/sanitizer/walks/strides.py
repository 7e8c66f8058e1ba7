"""Kernels that stay inside a tensor but walk through it by strides that are not its own."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.contracts.text import EMPTY, Text, Value, tr
from core.proofs.terms import Poly
from core.sanitizer import kinds
from core.sanitizer.layout import Layout
from core.sanitizer.views import as_packed
from core.sanitizer.walks.fitting import Meant, axes_of, meant_instead
from core.sanitizer.walks.places import Place, Places, element_at, place_of
from core.sanitizer.walks.walk import Part, Walk
from core.trace.record import Access, Buffer, Fault, coordinates
from core.trace.rows import rows_of


def wrong_strides(places: Places, walks: Sequence[Walk]) -> list[Fault]:
    """The walks that fit exactly what the tensor would be with other strides, and not the tensor."""
    at: dict[Place, set[tuple[int, frozenset[tuple[int, Poly]]]]] = defaultdict(set)
    for walk in walks:
        at[place_of(walk)].add((walk.constant, walk.steps))
    found: dict[Place, Fault] = {}
    for walk in walks:
        place, buffer = place_of(walk), places.buffer(walk)
        if place in found or len(at[place]) > 1 or not walk.is_known or walk.constant:
            continue
        meant, is_sure = meant_instead(walk.varying, axes_of(buffer)), True
        if meant is None and not _has_company(places, walk, walks):
            meant, is_sure = meant_instead(_by_program(walk), axes_of(buffer)), False
        if meant is not None and Layout(buffer).dense and _reaches_all(walk, places.accesses(walk)):
            fault = _finding(places, walk, meant)
            found[place] = fault if is_sure else _as_remark(places, fault, walk)
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


def _has_company(places: Places, walk: Walk, walks: Sequence[Walk]) -> bool:
    """Whether another tensor with the same shape and strides is walked through in the same way: element by element."""
    own = axes_of(places.buffer(walk))
    alike = (other for other in walks if other.tensor != walk.tensor and other.steps == walk.steps)
    return any(axes_of(places.buffer(other)) == own for other in alike)


def _as_remark(places: Places, fault: Fault, walk: Walk) -> Fault:
    """The finding where a block that is as long as a row need be no row."""
    buffer = places.buffer(walk)
    sentence = tr(
        "The {kind} in {kernel} at {location} gives each program {block} elements of {tensor} that lie behind one "
        "another, as many as a row has. With shape {shape} and strides {strides} they are no row: that is right only "
        "if rows do not matter.",
        kind=walk.kind,
        kernel=places.launch.function,
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


def _finding(places: Places, walk: Walk, meant: Meant) -> Fault:
    buffer = places.buffer(walk)
    axes = [axis for axis, size in enumerate(buffer.shape) if size > 1]
    taken = dict(zip(axes, meant.strides, strict=True))
    differing = next(axis for axis in reversed(axes) if taken[axis] != buffer.strides[axis])
    fault = places.fault(walk, taken[differing], kind=kinds.WRONG_STRIDES, sentence=EMPTY)
    details: dict[str, Value] = {
        "kind": walk.kind,
        "kernel": places.launch.function,
        "location": walk.location,
        "tensor": buffer.name,
        "shape": str(list(buffer.shape)),
        "strides": str(list(buffer.strides)),
        "element": str([int(axis == differing) for axis in range(len(buffer.shape))]),
        "program": coordinates(places.launch.grid, fault.program),
        "index": fault.index,
        "other": str(element_at(buffer, fault.index)),
    }
    repair = _unswapped(buffer) if meant.assumes == "swapped" else as_packed(buffer)
    return replace(fault, sentence=_sentence(meant, details), repair=repair)


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
