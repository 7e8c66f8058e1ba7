"""Promises about tiles (`tl.multiple_of`, `tl.max_contiguous`, `tl.max_constancy`) that make a GPU reach other places.

A promise alone does no harm: an index that wraps with a remainder breaks it in every tutorial. It does where the
compiler then accesses several elements at once, from the address of the first (`axes`), and they do not lie there. A
store that goes elsewhere is a finding, and so is an address that is not aligned. What a load gets wrong is a doubt,
which becomes a finding where it arrives: elements that a mask drops later may be anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.contracts.text import Text, Value, listed, tr
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Function, Operation
from core.interpreter.ir import Value as Slot
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.shadows import marks
from core.interpreter.shadows.axes import CONSTANCY, CONTIGUITY, DIVISIBILITY, tile_hints, vectors
from core.interpreter.shadows.checks import access_kind
from core.interpreter.shadows.flow import Edge, reached
from core.interpreter.values import Pointer, to_predicate
from core.sanitizer import kinds
from core.trace import affine
from core.trace.mask import BoolArray, Mask
from core.trace.record import Fault

VECTOR = "shadow.vector"

_REPAIR = tr("Remove the promise, or pass sizes for which it holds.")

_CALLS = {
    CONTIGUITY: "tl.max_contiguous",
    DIVISIBILITY: "tl.multiple_of",
    CONSTANCY: "tl.max_constancy",
}


class Vectors:
    """The accesses of a function that promises make wider, and the promise that each depends on."""

    def __init__(self, function: Function, edges: Sequence[Edge]) -> None:
        operations = list(function.body.walk())
        accesses = [each for each in operations if access_kind(each) in ("load", "store")]
        self._sizes = vectors(function, accesses)
        self._hints = [each for each in operations if tile_hints(each)] if self._sizes else []
        self._back = [(b.slot, a.slot) for a, b, _ in edges] if self._sizes else []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._sizes)

    @property
    def read(self) -> list[Slot]:
        """What is loaded."""
        return [value for operation in self._sizes if access_kind(operation) == "load" for value in operation.results]

    def check(self, operation: Operation) -> Operation | None:
        """The operation that checks an access, to precede it. Its result, if it gets one, is the shadow of a load."""
        if operation not in self._sizes:
            return None
        axis, size = self._sizes[operation]
        looked = [operation.operands[0], *(each for each in operation.operands[1:] if each.type.element == "i1")][:2]
        before = reached(self._back, [value.slot for value in looked])
        hint = next((each for each in reversed(self._hints) if each.result.slot in before), None)
        if hint is None:
            return None
        attributes = {"at": operation, "hint": hint, "axis": axis, "size": size}
        return Operation(VECTOR, (), tuple(looked), attributes, (), operation.location)


@step(VECTOR)
def _vector(operation: Operation, _planner: StepPlanner) -> Step:
    attributes = operation.attributes
    at, hint, axis, size = (attributes[name] for name in ("at", "hint", "axis", "size"))
    slots, results = [value.slot for value in operation.operands], [value.slot for value in operation.results]
    dims, width, kind = at.operands[0].type.dims, at.operands[0].type.element_bytes, access_kind(at)

    def run(frame: Frame) -> None:
        values = frame.values
        for result in results:
            values[result] = 0
        pointer: Pointer = values[slots[0]]
        if isinstance(pointer.buffer, affine.Affine):
            return
        keep = to_predicate(values[slots[1]]) if len(slots) > 1 else True
        shape = (frame.count, *dims)
        active = np.broadcast_to(keep.array if isinstance(keep, Mask) else np.bool_(keep), shape)
        offsets = np.broadcast_to(affine.dense(pointer.offset, len(dims)), shape)
        groups, kept = (_grouped(array, axis + 1, size) for array in (offsets, active))
        first, decides = groups[..., :1], kept[..., :1]
        start = frame.run.memory(pointer.buffer, width).start(width)
        rest = (start + first * width) % (size * width)
        tensor = frame.run.memories[pointer.buffer].buffer.name
        place = _Place(frame, at, hint, size, tensor)

        def ungrouped(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
            moved = (*shape[: axis + 1], *shape[axis + 2 :], shape[axis + 1])
            return np.moveaxis(np.broadcast_to(array, groups.shape).reshape(moved), -1, axis + 1)

        askew = decides & (rest != 0) & (np.arange(size) == 0)
        if askew.any():
            place.misaligned(ungrouped(askew), ungrouped(rest), size * width)
        expected = first + np.arange(size)
        elsewhere = decides & kept & (groups != expected)
        if kind == "load":
            if elsewhere.any() and results:  # with addresses only, it is not known where they arrive
                bad, doubts = ungrouped(elsewhere), frame.run.doubts
                id_ = doubts.id(kinds.BROKEN_HINT, hint, _REPAIR)
                doubts[id_].details = place.promise
                doubts.examples(id_, frame, bad, value=offsets, expected=ungrouped(expected))
                values[results[0]] = marks.where(bad, id_, 0, len(dims))
            return
        if elsewhere.any():
            place.stored(ungrouped(elsewhere), offsets, ungrouped(expected))
        if (kept != decides).any():
            place.masked(ungrouped(kept != decides))

    return run


def _grouped(array: npt.NDArray[Any], axis: int, size: int) -> npt.NDArray[Any]:
    """[..., groups, size] of neighbours along an axis, which becomes the last."""
    moved = np.moveaxis(array, axis, -1)
    return moved.reshape(*moved.shape[:-1], -1, size)


@dataclass(frozen=True)
class _Place:
    """Where a promise is broken: `hint` makes it, and `at` accesses `size` elements of `tensor` at once."""

    frame: Frame
    at: Operation
    hint: Operation
    size: int
    tensor: str

    @property
    def promise(self) -> dict[str, Value]:
        """For sentences."""
        calls = listed([f"`{_CALLS[name]}`" for name in tile_hints(self.hint)])
        return {"hint": calls, "size": self.size, "tensor": self.tensor, "access": self.at.location.label}

    def misaligned(self, bad: BoolArray, rest: npt.NDArray[Any], bytes_: int) -> None:
        self._report(
            bad,
            tr(
                "In {kernel} at {location}, a promise to the compiler does not hold ({hint}): a GPU may access {bytes} "
                "bytes of {tensor} at once at {access}, but in program {program} the address of element {element} of "
                "the tile is {rest} bytes after a multiple of {bytes}.",
                **self._details(bad), bytes=bytes_, rest=int(rest[_first(bad)]),
            ),
        )  # fmt: skip

    def stored(self, bad: BoolArray, offsets: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
        self._report(
            bad,
            tr(
                "In {kernel} at {location}, a promise to the compiler does not hold ({hint}): a GPU may store {size} "
                "elements at once at {access}, and element {element} of the tile then reaches index {expected:,} of "
                "{tensor} in program {program}, not index {value:,}.",
                **self._details(bad), value=int(offsets[_first(bad)]), expected=int(expected[_first(bad)]),
            ),
        )  # fmt: skip

    def masked(self, bad: BoolArray) -> None:
        self._report(
            bad,
            tr(
                "In {kernel} at {location}, a promise to the compiler does not hold ({hint}): a GPU may store {size} "
                "elements of {tensor} at once at {access}, if the mask of the first holds; in program {program}, that "
                "of element {element} of the tile is another one.",
                **self._details(bad),
            ),
        )

    def _details(self, bad: BoolArray) -> dict[str, Value]:
        lane, *element = _first(bad)
        return {
            **self.promise,
            "kernel": self.frame.run.function,
            "location": self.hint.location.label,
            "program": self.frame.describe_program(lane),
            "element": str(element),
        }

    def _report(self, bad: BoolArray, sentence: Text) -> None:
        lane, *element = _first(bad)
        self.frame.run.diagnostics.fault(
            Fault(
                kind=kinds.BROKEN_HINT,
                file=self.hint.location.file,
                line=self.hint.location.line,
                program=int(self.frame.programs[lane]),
                count=int(np.count_nonzero(bad)),
                sentence=sentence,
                iteration=self.frame.iteration,
                element=tuple(element),
                repair=_REPAIR,
            )
        )


def _first(bad: BoolArray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
