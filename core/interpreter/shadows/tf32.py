"""Products of float32 tiles in TF32, Triton's default: rows of the result that lose all but two digits.

TF32 rounds both factors to 11 bits, an error of 2^-11 of each product. Where the products of a row cancel, that is a
large part of their sum. Rows are compared by their Euclidean norms: |error| > 1 % of |row|.
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
    """The error of a row is at most 2 u |a| |B|, which most products show to be small enough at once. The error of an
    accumulator adds up over a loop, and is compared with what the accumulator holds."""
    at: Operation = operation.attributes["at"]
    slots = [value.slot for value in operation.operands]
    types = [value.type for value in (*at.operands[:2], at.result)]
    rows, result = at.result.type.dims[0], operation.result.slot
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
        bad: BoolArray = np.zeros((frame.count, rows, 1), dtype=np.bool_)
        numbers: Numbers = {name: np.zeros(bad.shape) for name in ("relative", "value", "rounded")}
        numbers |= {name: np.zeros(bad.shape, dtype=np.int64) for name in ("row", "column")}
        for lane in np.union1d(suspects[bound[suspects] > _LARGE], np.flatnonzero(carried)).tolist():
            program = int(frame.programs[lane])
            a, b, made = (tile[min(lane, len(tile) - 1)] for tile in tiles)
            error = rounded_to_tf32(a).double() @ rounded_to_tf32(b).double() - a.double() @ b.double()
            errors[program] = error = error + errors[program] if carried[lane] and program in errors else error
            _compare(error, made.double(), bad[lane], {name: array[lane] for name, array in numbers.items()})
        if bad.any():
            doubts.examples(id_, frame, bad, **numbers)
            older = marks.first((marks.where(bad, id_, 0, 2), older), 2)
        values[result] = older

    return run


def _bounds(a: torch.Tensor, b: torch.Tensor, made: torch.Tensor) -> Any:
    """By lane, a bound of the relative error of the worst row."""
    norm = torch.linalg.vector_norm
    error = 2 * _UNIT * norm(a, dim=-1) * norm(b, dim=(-2, -1))[:, None]
    relative = torch.where(error > 0, error / norm(made, dim=-1), 0.0)
    return relative.nan_to_num(nan=0.0, posinf=torch.inf).amax(dim=-1).cpu().numpy()


def _compare(error: torch.Tensor, made: torch.Tensor, bad: BoolArray, numbers: Numbers) -> None:
    """Set which rows, [rows, 1], are lost, and the element of each that is farthest off."""
    relative = torch.linalg.vector_norm(error, dim=-1) / torch.linalg.vector_norm(made, dim=-1)
    columns = error.abs().argmax(dim=-1, keepdim=True)
    value = made.gather(1, columns)
    bad[:] = (relative > _LARGE).cpu().numpy()[:, None]
    found = (relative[:, None], value, value + error.gather(1, columns), torch.arange(len(made))[:, None], columns)
    for array, column in zip(numbers.values(), found, strict=True):
        array[:] = column.cpu().numpy()
