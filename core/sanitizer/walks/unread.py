"""Inputs of which a kernel reads whole blocks only, so that less than a block at the end is never read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from core.contracts.text import Value, tr
from core.sanitizer import kinds
from core.sanitizer.walks.fitting import Axis, axes_of
from core.sanitizer.walks.places import Places, place_of
from core.sanitizer.walks.walk import Part, Walk
from core.trace.record import Buffer, Fault, Launch


def unread_ends(places: Places, walks: Sequence[Walk]) -> list[Fault]:
    """One remark per tensor that is read from its start in whole blocks along one axis, and completely along all
    others, but not to its end. Kernels that choose what they read (by data, a mask or a part) are silent, and so
    are those that store in the same blocks: their output shows it."""
    launch = places.launch
    stored = {part.index for walk in walks if walk.kind != "load" for part in walk.parts}
    shared = [buffer.storage for buffer in launch.buffers if buffer.storage >= 0]
    found = []
    for number, buffer in enumerate(launch.buffers):
        uses = [walk for walk in walks if walk.tensor == buffer.name]
        is_input = places.of_tensor(buffer.name) == {place_of(walk) for walk in uses if walk.kind == "load"}
        if uses and is_input and shared.count(buffer.storage) <= 1:
            ends = [_end(walk, axes_of(buffer)) for walk in uses]
            read = [end for end in ends if end is not None]
            is_one = len(read) == len(ends) and len({(part.stride, size, part.high) for part, size in read}) == 1
            if is_one and stored.isdisjoint(part.index for part, _ in read):
                found.append(_finding(launch, number, uses[0], *read[0]))
    return [fault for fault in found if fault is not None]


def _end(walk: Walk, axes: Sequence[Axis]) -> tuple[Part, int] | None:
    """The part of a walk that ends less than a block before the end of its axis, and the size of that axis; None if
    the walk is not of that kind."""
    if walk.constant or not walk.is_known or not walk.varying:
        return None
    for runs in _divided(sorted(axes, key=lambda axis: -axis[1])):
        sizes = {axes_[-1][1]: math.prod(size for size, _ in axes_) for axes_ in runs}
        if {part.stride for part in walk.varying} == sizes.keys() and len(walk.varying) == len(sizes):
            short = [part for part in walk.varying if part.high < sizes[part.stride] - 1]
            if len(short) == 1 and all(part.low == 0 for part in walk.varying) and _is_cut(short[0], sizes):
                return short[0], sizes[short[0].stride]
    return None


def _is_cut(part: Part, sizes: dict[int, int]) -> bool:
    """Whether only whole blocks are read, and no mask says that this is all."""
    size, read = sizes[part.stride], part.high + 1
    whole = read == size // part.block * part.block > 0
    return whole and part.limit + 1 != read and (part.moves or part.limit + 1 == size)


def _divided(axes: Sequence[Axis]) -> Iterator[list[Sequence[Axis]]]:
    """The axes (from the outermost in memory) as groups that lie behind one another."""
    if not axes:
        yield []
    for end in range(1, len(axes) + 1):
        if all(axes[i][1] == axes[i + 1][0] * axes[i + 1][1] for i in range(end - 1)):
            for rest in _divided(axes[end:]):
                yield [axes[:end], *rest]


def _finding(launch: Launch, number: int, walk: Walk, part: Part, size: int) -> Fault | None:
    buffer = launch.buffers[number]
    missing = size - int(part.high) - 1
    index = (int(part.high) + 1) * part.stride
    others = math.prod(buffer.shape) // size
    axis = _axis(buffer, part.stride, size)
    details: dict[str, Value] = {
        "kernel": launch.function,
        "location": walk.location,
        "tensor": buffer.name,
        "shape": str(list(buffer.shape)),
        "missing": missing,
        "size": size,
        "block": part.block,
        "index": index,
    }
    if axis is None:
        sentence = tr(
            "{kernel} never reads the last {missing} of {size} elements of {tensor} (shape {shape}), from index "
            "{index} on: at {location} it reads whole blocks of {block}.",
            **details,
        )
    else:
        sentence = tr(
            "{kernel} never reads the last {missing} of {size} elements of {tensor} (shape {shape}) along axis {axis}, "
            "from index {index} on: at {location} it reads whole blocks of {block}.",
            axis=axis,
            **details,
        )
    return Fault(
        kind=kinds.UNREAD_INPUT,
        access="load",
        buffer=number,
        file=walk.file,
        line=walk.line,
        program=-1,
        index=index,
        count=missing * others,
        severity="remark",
        sentence=sentence,
        repair=tr("Round the number of blocks up, and mask the last one, if all of it is meant to be read."),
    )


def _axis(buffer: Buffer, stride: int, size: int) -> int | None:
    axes = [axis for axis, each in enumerate(buffer.shape) if (each, buffer.strides[axis]) == (size, stride)]
    return axes[0] if axes and len(buffer.shape) > 1 else None
