"""Loads and stores that go through tensors of one shape in one way, but meet different elements of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.contracts.text import Value, tr
from core.interpreter.ir import Function
from core.proofs.terms import Poly
from core.sanitizer import kinds
from core.sanitizer.layout import Layout
from core.sanitizer.views import as_packed
from core.sanitizer.walks.fitting import axes_of
from core.sanitizer.walks.places import Places, element_at
from core.sanitizer.walks.walk import Walk
from core.trace.record import Buffer, Fault

_REARRANGES = ("tt.dot", "tt.trans", "tt.reshape", "tt.gather", "tt.cat", "tt.join", "tt.split", "tt.descriptor_")
"""Operations (by prefix) after which an element of a tile may come from another one."""

_SAYS_SO = ("trans", "permute", "swap", "_t_", "rot")
"""What the name of a kernel has that transposes on purpose."""

Pair = tuple[Walk, Buffer, Walk, Buffer]
"""A load and its tensor, a store and its tensor."""


def mismatched(places: Places, walks: Sequence[Walk], function: Function) -> list[Fault]:
    """The pairs of a load and a store by the same offsets, of tensors with the same shape and other strides; and, as
    remarks, the loads that reach the transpose of what is stored."""
    found: dict[tuple[str, str, int], Fault] = {}
    pairs = list(_pairs(places, walks))
    for load, source, store, target in pairs:
        place = load.tensor, load.file, load.line
        if place in found or load.constant or store.constant:
            continue
        read, written = _along(source, load), _along(target, store)
        ours = [pair for pair in pairs if pair[0].tensor == load.tensor]
        if read is not None and written is not None:
            if _transposed(read, written) and not _is_meant(function, ours):
                found[place] = _transpose(places, load, target)
        elif load.steps == store.steps and not any(_alike(pair) for pair in ours):
            found[place] = _other_elements(places, load, store)
    return list(found.values())


def _pairs(places: Places, walks: Sequence[Walk]) -> Iterator[Pair]:
    """Loads and stores of different tensors of the same shape, without gaps, of which the load's is not stored to."""
    stored = {walk.tensor for walk in walks if walk.kind != "load"}
    plain = [(walk, places.buffer(walk)) for walk in walks if walk.is_known and _is_plain(places.buffer(walk))]
    stores = [(walk, buffer) for walk, buffer in plain if walk.kind == "store"]
    for walk, source in plain if stores else ():
        if walk.kind == "load" and walk.tensor not in stored:
            for store, target in stores:
                if source.shape == target.shape:
                    yield walk, source, store, target


def _is_plain(buffer: Buffer) -> bool:
    axes = axes_of(buffer)
    return len(axes) >= 2 and all(stride for _, stride in axes) and Layout(buffer).dense


def _along(buffer: Buffer, walk: Walk) -> tuple[Poly, ...] | None:
    """The index along each axis of a tensor, if each part steps along one of them; None otherwise."""
    by_stride = {part.stride: part for part in walk.varying}
    found = []
    for size, stride in axes_of(buffer):
        part = by_stride.pop(stride, None)
        if part is None or part.low < 0 or part.high >= size:
            return None
        found.append(part.index)
    return None if by_stride or len(walk.varying) != len(found) else tuple(found)


def _transposed(read: tuple[Poly, ...], written: tuple[Poly, ...]) -> bool:
    """Whether two axes, and no others, have changed places between a load and a store."""
    differ = [axis for axis, (a, b) in enumerate(zip(read, written, strict=True)) if a != b]
    if len(differ) != 2:
        return False
    one, other = differ
    return read[one] == written[other] and read[other] == written[one]


def _is_meant(function: Function, pairs: Sequence[Pair]) -> bool:
    """Whether a kernel tells that it transposes: by its name, by its operations, or by a second load that does not."""
    if any(word in f"{function.name}_".lower() for word in _SAYS_SO):
        return True
    if any(operation.name.startswith(_REARRANGES) for operation in function.body.walk()):
        return True
    return any(_along(source, load) == _along(target, store) for load, source, store, target in pairs)


def _alike(pair: Pair) -> bool:
    """Whether a load and a store reach the same offsets of tensors with the same strides."""
    load, source, store, target = pair
    return load.steps == store.steps and axes_of(source) == axes_of(target)


def _transpose(places: Places, load: Walk, output: Buffer) -> Fault:
    buffer = places.buffer(load)
    return places.fault(
        load,
        load.varying[-1].stride,
        kind=kinds.WRONG_STRIDES,
        severity="remark",
        sentence=tr(
            "The load in {kernel} at {location} reads {tensor} (shape {shape}, strides {strides}) as the transpose of "
            "{output}: two axes of equal size have changed places, and no bounds tell whether their strides were "
            "swapped by mistake.",
            kernel=places.launch.function,
            location=load.location,
            tensor=buffer.name,
            shape=str(list(buffer.shape)),
            strides=str(list(buffer.strides)),
            output=output.name,
        ),
        repair=(
            tr("Swap the strides of {tensor} if no transpose is meant.", tensor=buffer.name)
            if Layout(buffer).packed
            else as_packed(buffer)
        ),
    )


def _other_elements(places: Places, load: Walk, store: Walk) -> Fault:
    buffer, output = places.buffer(load), places.buffer(store)
    culprit, walk = (output, store) if Layout(buffer).packed else (buffer, load)
    index = next(i for i in range(1, Layout(buffer).count) if element_at(buffer, i) != element_at(output, i))
    details: dict[str, Value] = {
        "kernel": places.launch.function,
        "location": walk.location,
        "tensor": buffer.name,
        "shape": str(list(buffer.shape)),
        "strides": str(list(buffer.strides)),
        "element": str(element_at(buffer, index)),
        "output": output.name,
        "other_strides": str(list(output.strides)),
        "other": str(element_at(output, index)),
        "index": index,
    }
    return places.fault(
        walk,
        index,
        kind=kinds.WRONG_STRIDES,
        sentence=tr(
            "{kernel} at {location} takes {tensor} and {output} as laid out alike, but with shape {shape} their "
            "strides are {strides} and {other_strides}: index {index} is element {element} of {tensor}, and element "
            "{other} of {output}.",
            **details,
        ),
        repair=as_packed(culprit),
    )
