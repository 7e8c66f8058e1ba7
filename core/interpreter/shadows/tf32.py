"""Products of float32 tiles in TF32, Triton's default, that lose all but two digits.

TF32 rounds both factors to 11 bits, an error of 2^-11 each. Where the products of a whole tile cancel, that is a large
part of their sums. Tiles are compared by their Frobenius norms: |error| > 1 % of |result|.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from core.contracts.text import tr
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.shadows import marks
from core.interpreter.shadows.birth import Numbers
from core.interpreter.values import expanded, to_torch
from core.sanitizer import kinds
from core.trace.mask import BoolArray

TF32 = "shadow.birth.tf32"

_LARGE = 0.01
_UNIT = 2.0**-11
_MOST_LANES = 4
"""Programs of a chunk whose error is computed at each product, those with the highest bound first."""


def in_tf32(operation: Operation) -> bool:
    """Whether a product of two float32 tiles is computed in TF32."""
    a, b = (value.type for value in operation.operands[:2])
    return operation.attributes.get("inputPrecision") == "tf32" and a.element == b.element == "f32" and a.rank == 2


def rounded_to_tf32(tile: torch.Tensor) -> torch.Tensor:
    """A float32 tile with 10 bits of mantissa, rounded to nearest, as `cvt.rna.tf32` rounds."""
    return ((tile.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


@step(TF32)
def _tf32(operation: Operation, _planner: StepPlanner) -> Step:
    """The error is at most 2 u |a| |b|, which is small enough for most products. That of an accumulator adds up over a
    loop, and is compared with what the accumulator holds."""
    at: Operation = operation.attributes["at"]
    slots = [value.slot for value in operation.operands]
    types = [value.type for value in (*at.operands[:2], at.result)]
    result = operation.result.slot
    repair = tr('Pass `input_precision="ieee"`, or `"tf32x3"`, which is faster.')

    def run(frame: Frame) -> None:
        values, doubts = frame.values, frame.run.doubts
        id_ = doubts.id(kinds.TF32_ERROR, at, repair)
        errors: dict[int, torch.Tensor] = doubts[id_].remembered
        older = values[slots[4]]
        carried = np.zeros(frame.count, dtype=np.bool_)
        if not marks.is_clean(older):
            ids = marks.full(older, frame.count, types[2].dims)
            carried = (ids == id_).any(axis=(1, 2))
            older = marks.tidy(np.where(ids == id_, 0, ids), 2)
        tiles = [
            expanded(to_torch(values[slot], type_), type_.dims)
            for slot, type_ in zip((slots[0], slots[1], slots[3]), types, strict=True)
        ]
        bound = np.broadcast_to(_bounds(*tiles), frame.count)
        suspects = np.argsort(-bound, kind="stable")[:_MOST_LANES]
        bad: BoolArray = np.zeros((frame.count, 1, 1), dtype=np.bool_)
        numbers: Numbers = {name: np.zeros(bad.shape) for name in ("relative", "value", "rounded")}
        numbers |= {name: np.zeros(bad.shape, dtype=np.int64) for name in ("row", "column")}
        for lane in np.union1d(suspects[bound[suspects] > _LARGE], np.flatnonzero(carried)).tolist():
            program = int(frame.programs[lane])
            a, b, made = (tile[min(lane, len(tile) - 1)] for tile in tiles)
            error = rounded_to_tf32(a).double() @ rounded_to_tf32(b).double() - a.double() @ b.double()
            errors[program] = error = error + errors[program] if carried[lane] and program in errors else error
            relative = float(torch.linalg.vector_norm(error) / torch.linalg.vector_norm(made.double()))
            bad[lane] = relative > _LARGE
            row, column = divmod(int(error.abs().argmax()), error.shape[1])
            value = float(made[row, column])
            found = (relative, value, value + float(error[row, column]), row, column)
            for array, number in zip(numbers.values(), found, strict=True):
                array[lane] = number
        if bad.any():
            doubts.examples(id_, frame, bad, **numbers)
            older = marks.first((marks.where(bad, id_, 0, 2), older), 2)
        values[result] = older

    return run


def _bounds(a: torch.Tensor, b: torch.Tensor, made: torch.Tensor) -> Any:
    """By lane, a bound of the relative error."""
    of_a, of_b, of_made = (torch.linalg.vector_norm(tile, dim=(1, 2)) for tile in (a, b, made))
    error = 2 * _UNIT * of_a * of_b
    relative = torch.where(error > 0, error / of_made, 0.0)
    return relative.nan_to_num(nan=0.0, posinf=torch.inf).cpu().numpy()
