"""The step that checks one operation, as soon as it has given its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import torch

from core.contracts.text import Text, Value
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.shadows import marks
from core.interpreter.values import to_torch
from core.trace.affine import Integer
from core.trace.mask import BoolArray

Numbers = dict[str, npt.NDArray[Any]]
Check = Callable[..., tuple[BoolArray, Numbers] | None]
"""Maps operands and result to the bad elements and their numbers, [lanes or 1, *dims or 1]; None if all are good."""


def birth(operation: Operation, kind: str, repair: Text, check: Check, **details: Value) -> Step:
    """A step that looks for bad elements, and marks them. `details` are more numbers for the sentence."""
    at: Operation = operation.attributes["at"]
    count, rank = len(at.operands), at.result.type.rank
    slots = [value.slot for value in operation.operands[: count + 1]]
    older_slot = operation.operands[count + 1].slot if len(operation.operands) > count + 1 else None
    result = operation.result.slot

    def run(frame: Frame) -> None:
        values = frame.values
        older: Integer = 0 if older_slot is None else values[older_slot]
        found = check(*(values[slot] for slot in slots))
        if found is None:
            values[result] = older
            return
        bad, numbers = found
        doubts = frame.run.doubts
        id_ = doubts.id(kind, at, repair)
        doubts[id_].details = details
        doubts.examples(id_, frame, bad, **numbers)
        values[result] = marks.first((older, marks.where(bad, id_, 0, rank)), rank)

    return run


def number_array(value: Any, type_: Any) -> npt.NDArray[Any]:
    """A number of any representation on the host: integers as int64, floats as float64."""
    tensor = to_torch(value, type_).cpu()
    return (tensor.to(torch.int64) if type_.is_integer else tensor.to(torch.float64)).numpy()
