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


class Collisions:
    """A store of `value` ([lanes, *shape]) to places that may meet. It is made before the store, and asked after it.

    Lanes that load a place and store equal values to it are a fault where what they do to it twice is another change
    than once (`updating`): nothing orders the load of one thread and the store of another. Otherwise they are a remark.
    """

    def __init__(
        self,
        frame: Frame,
        location: Location,
        memory: Memory,
        pointer: Pointer,
        mask: Mask | None,
        value: torch.Tensor,
        *,
        updating: bool,
    ) -> None:
        self._frame, self._location, self._memory, self._pointer = frame, location, memory, pointer
        self._mask, self._value = mask, value
        place = (pointer.buffer, pointer.offset)
        self._loaded = any(
            access.kind == "load" and access.buffer == place[0] and access.offset is place[1]
            for access in frame.run.accesses[-_RECENT:]
        )
        self._before = self._held() if updating and self._loaded else None

    def report(self) -> None:
        """Report what the store has just lost of one lane to another lane of its program."""
        value, mask = self._value, self._mask
        active = np.broadcast_to(np.True_ if mask is None else mask.array, value.shape)
        lost = differ(self._held(), value).expand(value.shape).cpu().numpy()
        if not self._loaded and not (lost & active).any():
            return
        lane, *_ = where = np.nonzero(active)
        place = np.broadcast_to(dense(self._pointer.offset, value.dim() - 1), value.shape)[where]
        stored = value.cpu()[tuple(map(torch.from_numpy, where))]
        order = np.lexsort((place, lane))
        one, other = order[:-1], order[1:]
        same = (lane[one] == lane[other]) & (place[one] == place[other])
        one, other = one[same], other[same]
        apart = differ(stored[torch.from_numpy(one)], stored[torch.from_numpy(other)]).numpy()
        wrong = apart
        if self._before is not None:
            changed = differ(self._before, value).expand(value.shape).cpu().numpy()[where]
            wrong = apart | changed[one]
        if not len(one) or not (self._loaded or wrong.any()):
            return
        if wrong.any():
            one, other, apart = one[wrong], other[wrong], apart[wrong]
        first, second = int(one[0]), int(other[0])
        self._fault(
            lane=int(lane[first]),
            place=int(place[first]),
            count=len(one),
            elements=[tuple(int(axis[each]) for axis in where[1:]) for each in (first, second)],
            values=(shown(stored[first]), shown(stored[second])) if apart[0] else (shown(stored[first]),),
            is_fault=bool(wrong.any()),
        )

    def _held(self) -> torch.Tensor:
        """What the places of the store hold."""
        held = read(self._memory, self._pointer.offset, self._mask, self._value.dim() - 1)
        return held.view(self._value.dtype)

    def _fault(
        self,
        *,
        lane: int,
        place: int,
        count: int,
        elements: list[tuple[int, ...]],
        values: tuple[str, ...],
        is_fault: bool,
    ) -> None:
        frame, memory, location = self._frame, self._memory, self._location
        details: dict[str, Value] = {
            "program": frame.describe_program(lane),
            "kernel": frame.run.function,
            "value": values[0],
            "index": place,
            "tensor": memory.buffer.name,
            "location": location.label,
            "element": str(list(elements[0])),
            "other_element": str(list(elements[1])),
        }
        if len(values) > 1:
            sentence = tr(
                "Program {program} of {kernel} stores {value} and {other_value} to index {index} of {tensor} at "
                "{location} with elements {element} and {other_element} of one tile: any of them may stay.",
                other_value=values[1],
                **details,
            )
        elif is_fault:
            sentence = tr(
                "Program {program} of {kernel} loads index {index} of {tensor}, changes it and stores {value} to it at "
                "{location} with elements {element} and {other_element} of one tile: one of the two changes is lost.",
                **details,
            )
        else:
            sentence = tr(
                "Program {program} of {kernel} loads index {index} of {tensor} and stores {value} to it at {location} "
                "with elements {element} and {other_element} of one tile: if each is meant to add to it, one addition "
                "is lost.",
                **details,
            )
        assert isinstance(self._pointer.buffer, int)
        frame.run.diagnostics.fault(
            Fault(
                kind=kinds.LANES_COLLIDE,
                access="store",
                buffer=self._pointer.buffer,
                file=location.file,
                line=location.line,
                program=int(frame.programs[lane]),
                index=place * memory.element_bytes // memory.buffer.element_bytes,
                count=count,
                sentence=sentence,
                severity="fault" if is_fault else "remark",
                iteration=frame.iteration,
                element=elements[0],
                value=values[0],
                repair=tr("Use an atomic, or give each element of the tile a place of its own."),
            )
        )
