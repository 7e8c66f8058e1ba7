"""The second look at floats: each operation marks what it makes NaN or infinite of finite numbers.

NaN is born where no operand is NaN, infinity where all operands are finite. Neither is where an operand comes from what
was read as NaN or infinite (`GIVEN`), or is undefined for another reason. An infinity of the kernel's own (a constant,
`other`) is no birth; NaN that is made of it is one. All arrays are whole, [lanes, *dims], as only few programs run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation, Type, Value
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.shadows import marks
from core.interpreter.shadows.float_wording import repair
from core.interpreter.shadows.number_doubts import GIVEN, NumberDoubts
from core.interpreter.values import to_predicate, to_torch, torch_dtype
from core.sanitizer import kinds
from core.trace.affine import IntArray
from core.trace.mask import BoolArray, Mask
from core.trace.record import Severity

ELEMENTS, ALONG, PRODUCT = "shadow.float.elements", "shadow.float.along", "shadow.float.product"
KEPT, READ = "shadow.float.kept", "shadow.float.read"

CASTS = ("arith.truncf", "tt.fp_to_fp", "arith.sitofp", "arith.uitofp")

Floats = npt.NDArray[np.float64]


def numbers_of(value: Any, type_: Type, lanes: int) -> Floats:
    """A value as float64, [lanes, *dims]."""
    array: Floats = np.broadcast_to(to_torch(value, type_).cpu().double().numpy(), (lanes, *type_.dims))
    return array


def beyond(numbers: Any, type_: Type) -> Any:
    """Where finite numbers are farther from 0 than what is rounded to the largest number of an 8-bit type."""
    info = torch.finfo(torch_dtype(type_.element))
    half_step = info.eps * 2.0 ** np.floor(np.log2(info.max)) / 2
    return abs(numbers) > info.max + half_step


class _Looked:
    """What the birth of an element depends on, elementwise: the marks that reach it, and what its operands are."""

    def __init__(self, doubts: NumberDoubts, values: Floats, given: Sequence[IntArray]) -> None:
        self.tainted = np.zeros(values.shape, dtype=np.bool_)
        self.mark = np.zeros(values.shape, dtype=np.int64)
        self.causes = np.zeros(values.shape, dtype=np.int64)
        for each in reversed(given):
            marked = np.broadcast_to(each, values.shape)
            self.tainted |= marked == GIVEN
            infinite = np.isin(marked, [id_ for id_ in np.unique(marked).tolist() if doubts.is_infinity(id_)])
            self.causes = np.where(infinite, marked, self.causes)
            own = doubts.believed(np.where(marked == GIVEN, 0, marked), values)
            self.mark = np.where(own != 0, own, self.mark)
        self.foreign = self.tainted | ((self.mark != 0) & (self.mark != self.causes))


def _born(
    frame: Frame, at: Operation, values: Floats, looked: _Looked, no_nan: BoolArray, finite: BoolArray,
    numbers: dict[str, Floats],
) -> IntArray:  # fmt: skip
    """The marks of a result. `no_nan` and `finite` say of each element whether its operands are so."""
    doubts = _doubts(frame)
    mark = np.where(looked.mark != 0, looked.mark, np.where(looked.tainted, GIVEN, 0))
    numbers = {name: np.broadcast_to(array, values.shape) for name, array in (*numbers.items(), ("value", values))}
    is_cast = at.name in CASTS
    saturates = is_cast and at.result.type.bits == 8  # too large numbers become the largest one, as in hardware
    overflow = np.isinf(values) | (saturates and beyond(numbers["a"], at.result.type))
    severity: Severity | None = "remark" if saturates else None
    for kind, bad in (
        (kinds.NAN_BORN, np.isnan(values) & no_nan),
        (kinds.CAST_OVERFLOW if is_cast else kinds.INFINITY_BORN, overflow & finite),
    ):
        bad = bad & ~looked.foreign
        if bad.any():
            id_ = doubts.born(kind, at, repair(kind, at), frame, bad, numbers, severity)
            if kind == kinds.NAN_BORN:
                doubts.caused(id_, looked.causes[bad])
            mark = np.where(bad, id_, mark)
    return mark


def _doubts(frame: Frame) -> NumberDoubts:
    doubts = frame.run.doubts
    assert isinstance(doubts, NumberDoubts)
    return doubts


def _slots(values: Sequence[Value]) -> list[int]:
    return [value.slot for value in values]


@step(ELEMENTS)
def _elements(operation: Operation, _planner: StepPlanner) -> Step:
    """Of an operation whose elements depend on the same elements of its operands."""
    at: Operation = operation.attributes["at"]
    types, type_ = [value.type for value in at.operands], at.result.type
    count = len(types)
    slots, result = _slots(operation.operands), operation.result.slot

    def run(frame: Frame) -> None:
        values = [frame.values[slot] for slot in slots]
        made = numbers_of(values[count], type_, frame.count)
        given = [marks.full(mark, frame.count, type_.dims) for mark in values[count + 1 :]]
        arrays = [
            numbers_of(value, each, frame.count)
            for value, each in zip(values[:count], types, strict=True)
            if not each.pointer
        ]
        looked = _Looked(_doubts(frame), made, given)
        no_nan = ~np.any([np.isnan(array) for array in arrays], axis=0)
        finite = np.all([np.isfinite(array) for array in arrays], axis=0)
        mark = _born(frame, at, made, looked, no_nan, finite, dict(zip("abc", arrays, strict=False)))
        frame.values[result] = marks.tidy(mark, type_.rank)

    return run


@step(ALONG)
def _along(operation: Operation, _planner: StepPlanner) -> Step:
    """Of a reduction or a scan. What was read as infinite taints a result that is not finite, or depends on nothing
    else."""
    at: Operation = operation.attributes["at"]
    count, scans, axis = len(at.operands), at.name == "tt.scan", at.attributes["axis"] + 1
    types = [value.type for value in at.operands]
    slots, results = _slots(operation.operands), _slots(operation.results)
    backwards = bool(at.attributes.get("reverse", False))

    def gathered(array: Any, function: np.ufunc) -> Any:
        if not scans:
            return function.reduce(array, axis=axis)
        array = np.flip(array, axis) if backwards else array
        array = function.accumulate(array, axis=axis)
        return np.flip(array, axis) if backwards else array

    def run(frame: Frame) -> None:
        doubts = _doubts(frame)
        values = [frame.values[slot] for slot in slots]
        given = [marks.full(mark, frame.count, types[0].dims) for mark in values[2 * count :]]
        tainted = np.any([each == GIVEN for each in given], axis=0)
        own = np.max([np.where(each == GIVEN, 0, each) for each in given], axis=0)
        for place, result in enumerate(results):
            type_ = at.results[place].type
            all_own = gathered(own, np.maximum)
            if not type_.is_float:
                frame.values[result] = marks.tidy(all_own, type_.rank)
                continue
            array = numbers_of(values[place], types[place], frame.count)
            made = numbers_of(values[count + place], type_, frame.count)
            taint = gathered(tainted, np.logical_and) | (gathered(tainted, np.logical_or) & ~np.isfinite(made))
            looked = _Looked(doubts, made, [np.where(taint, GIVEN, 0), all_own])
            no_nan = ~gathered(np.isnan(array), np.logical_or)
            finite = gathered(np.isfinite(array), np.logical_and)
            ends = {"a": gathered(array, np.minimum), "b": gathered(array, np.maximum)}
            frame.values[result] = marks.tidy(_born(frame, at, made, looked, no_nan, finite, ends), type_.rank)

    return run


@step(PRODUCT)
def _product(operation: Operation, _planner: StepPlanner) -> Step:
    """Of a product of tiles, [.., M, K] times [.., K, N] plus [.., M, N]."""
    at: Operation = operation.attributes["at"]
    types, type_ = [value.type for value in at.operands[:3]], at.result.type
    slots, result = _slots(operation.operands), operation.result.slot

    def run(frame: Frame) -> None:
        values = [frame.values[slot] for slot in slots]
        made = numbers_of(values[3], type_, frame.count)
        a, b, c = (numbers_of(value, each, frame.count) for value, each in zip(values[:3], types, strict=True))
        of_a, of_b, of_c = (
            marks.full(mark, frame.count, each.dims) for mark, each in zip(values[4:], types, strict=True)
        )
        tainted = np.zeros(made.shape, dtype=np.bool_)
        own: list[IntArray] = []
        for each, axis in ((of_a, -1), (of_b, -2)):
            given = each == GIVEN
            tainted |= given.all(axis=axis, keepdims=True) | (given.any(axis=axis, keepdims=True) & ~np.isfinite(made))
            own.append(np.where(given, 0, each).max(axis=axis, keepdims=True))
        looked = _Looked(_doubts(frame), made, [np.where(tainted, GIVEN, 0), *own, of_c])
        no_nan = ~(np.isnan(a).any(axis=-1, keepdims=True) | np.isnan(b).any(axis=-2, keepdims=True) | np.isnan(c))
        finite = np.isfinite(a).all(axis=-1, keepdims=True) & np.isfinite(b).all(axis=-2, keepdims=True)
        largest = {"a": abs(a).max(axis=-1, keepdims=True), "b": abs(b).max(axis=-2, keepdims=True)}
        mark = _born(frame, at, made, looked, no_nan, finite & np.isfinite(c), largest)
        frame.values[result] = marks.tidy(mark, type_.rank)

    return run


@step(KEPT)
def _kept(operation: Operation, _planner: StepPlanner) -> Step:
    """The marks of a value, without those of NaN and infinity where it is neither."""
    value, shadow = operation.operands
    result = operation.result.slot

    def run(frame: Frame) -> None:
        made = numbers_of(frame.values[value.slot], value.type, frame.count)
        mark = marks.full(frame.values[shadow.slot], frame.count, value.type.dims)
        frame.values[result] = marks.tidy(_doubts(frame).believed(mark, made), value.type.rank)

    return run


@step(READ)
def _read(operation: Operation, _planner: StepPlanner) -> Step:
    """What is read, or comes from where nothing is followed: the kernel did not make its infinities and NaN. Operands
    are the value, and of a load its mask and shadow."""
    value, *others = operation.operands
    result = operation.result.slot

    def run(frame: Frame) -> None:
        made = numbers_of(frame.values[value.slot], value.type, frame.count)
        mark = marks.full(frame.values[others[-1].slot] if others else 0, frame.count, value.type.dims)
        keep = to_predicate(frame.values[others[0].slot]) if len(others) == 2 else True
        is_read = keep.array if isinstance(keep, Mask) else np.bool_(keep)
        kept = np.where((mark == 0) & ~np.isfinite(made) & is_read, GIVEN, mark)
        frame.values[result] = marks.tidy(kept, value.type.rank)

    return run
