"""Lanes of one program that store different values to one place with a single store."""

from __future__ import annotations

import numpy as np
import torch

from core.contracts.text import Value, tr
from core.interpreter.frame import Frame
from core.interpreter.ir import Location
from core.interpreter.memory import Memory, read
from core.interpreter.stored_values import differ, shown
from core.interpreter.values import Pointer
from core.sanitizer import kinds
from core.trace.affine import Integer, dense
from core.trace.mask import Mask
from core.trace.record import Fault
from core.trace.window import window

_RECENT = 64
"""Accesses before a store among which a load of the same places is looked for."""


def may_collide(offset: Integer, shape: tuple[int, ...]) -> bool:
    """Whether two elements of a program's tile may be one place, as far as the steps of its axes tell."""
    view = window(offset, len(shape))
    if view is None:
        return True
    reached = 0
    for step, size in sorted(zip(view.steps, shape, strict=True)):
        if size > 1 and step <= reached:
            return True
        reached += step * (size - 1)
    return False


def look_for_collisions(
    frame: Frame, location: Location, memory: Memory, pointer: Pointer, mask: Mask | None, value: torch.Tensor
) -> None:
    """Report what a store of `value` ([lanes, *shape]) has just lost to another lane of its program.

    Lanes that load a place and store equal values to it are a remark: each may have been meant to add to it.
    """
    held = read(memory, pointer.offset, mask, value.dim() - 1).view(value.dtype)
    lost = differ(held, value).expand(value.shape).cpu().numpy()
    active = np.broadcast_to(np.True_ if mask is None else mask.array, value.shape)
    updates = any(access.kind == "load" and access.offset is pointer.offset for access in frame.run.accesses[-_RECENT:])
    if not updates and not (lost & active).any():
        return
    lane, *_ = where = np.nonzero(active)
    place = np.broadcast_to(dense(pointer.offset, value.dim() - 1), value.shape)[where]
    stored = value.cpu()[tuple(map(torch.from_numpy, where))]
    order = np.lexsort((place, lane))
    one, other = order[:-1], order[1:]
    same = (lane[one] == lane[other]) & (place[one] == place[other])
    one, other = one[same], other[same]
    apart = differ(stored[torch.from_numpy(one)], stored[torch.from_numpy(other)]).numpy()
    if not len(one) or not (updates or apart.any()):
        return
    is_fault = bool(apart.any())
    one, other = (one[apart], other[apart]) if is_fault else (one, other)
    first, second = int(one[0]), int(other[0])
    elements = [tuple(int(axis[each]) for axis in where[1:]) for each in (first, second)]
    buffer, index, of_lane = memory.buffer, int(place[first]), int(lane[first])
    details: dict[str, Value] = {
        "program": frame.describe_program(of_lane),
        "kernel": frame.run.function,
        "value": shown(stored[first]),
        "index": index,
        "tensor": buffer.name,
        "location": location.label,
        "element": str(list(elements[0])),
        "other_element": str(list(elements[1])),
    }
    if is_fault:
        sentence = tr(
            "Program {program} of {kernel} stores {value} and {other_value} to index {index} of {tensor} at "
            "{location} with elements {element} and {other_element} of one tile: any of them may stay.",
            other_value=shown(stored[second]),
            **details,
        )
    else:
        sentence = tr(
            "Program {program} of {kernel} loads index {index} of {tensor} and stores {value} to it at {location} with "
            "elements {element} and {other_element} of one tile: if each is meant to add to it, one addition is lost.",
            **details,
        )
    assert isinstance(pointer.buffer, int)
    frame.run.diagnostics.fault(
        Fault(
            kind=kinds.LANES_COLLIDE,
            access="store",
            buffer=pointer.buffer,
            file=location.file,
            line=location.line,
            program=int(frame.programs[of_lane]),
            index=index * memory.element_bytes // buffer.element_bytes,
            count=len(one),
            sentence=sentence,
            severity="fault" if is_fault else "remark",
            iteration=frame.iteration,
            element=elements[0],
            value=shown(stored[first]),
            repair=tr("Use an atomic, or give each element of the tile a place of its own."),
        )
    )
