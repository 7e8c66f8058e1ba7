"""Shadows of operations that move elements in ways of their own: gathers, histograms, and pairs that change places."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.interpreter.ir import Operation, Value
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.shadows import marks
from core.interpreter.values import to_predicate, to_torch
from core.trace import affine
from core.trace.affine import Integer
from core.trace.mask import Mask

GATHER, HISTOGRAM, EXCHANGE = "shadow.gather", "shadow.histogram", "shadow.exchange"


@pure(GATHER)
def _gather(operation: Operation) -> PureFunction:
    """Each element is as doubtful as the one that its index names, or as the index."""
    at: Operation = operation.attributes["at"]
    source, indices = (value.type for value in at.operands)
    rank, axis = indices.rank, at.attributes["axis"] + 1

    def call(index: Any, of_source: Integer, of_index: Integer) -> Integer:
        moved: Integer = marks.staying(of_source, "wrapped")
        if isinstance(moved, affine.Affine):
            places = to_torch(index, indices).cpu().numpy().astype(np.int64)
            lanes = max(places.shape[0], moved.dense().shape[0])
            places = np.broadcast_to(places, (lanes, *indices.dims))
            moved = marks.tidy(np.take_along_axis(marks.full(moved, lanes, source.dims), places, axis), rank)
        return marks.first((moved, marks.staying(of_index, "wrapped")), rank)

    return call


@pure(HISTOGRAM)
def _histogram(operation: Operation) -> PureFunction:
    """An element that is counted, or may be, makes all counts doubtful."""

    def call(*given: Any) -> Integer:
        shadows = given[len(given) // 2 :]
        keep = to_predicate(given[1]) if len(given) > 2 else True
        active = keep.array if isinstance(keep, Mask) else np.bool_(keep)
        of_values = marks.where(np.atleast_2d(active), shadows[0], 0, 1)
        found = marks.first((of_values, *shadows[1:]), 1)
        return marks.staying(marks.along(found, 0), "wrapped")

    return call


@pure(EXCHANGE)
def _exchange(operation: Operation) -> PureFunction:
    axis, rank = operation.attributes["axis"] + 1, operation.result.type.rank

    def call(mark: Integer) -> Integer:
        if isinstance(mark, affine.Affine) and mark.dense().shape[axis] > 1:
            return marks.tidy(np.flip(mark.dense(), axis), rank)
        return mark

    return call


def exchanged(operation: Operation, makers: dict[int, Operation]) -> tuple[Value, int] | None:
    """The operand and the axis of `y ^ xor_sum(y)` over an axis of two, which exchanges its halves; None for anything
    else. `tl.flip` and `tl.sort` move elements like that. `makers` are the operations by the slots of their results.
    """
    for value, other in (operation.operands, operation.operands[::-1]):
        made = [makers.get(other.slot)]
        while made[-1] is not None and made[-1].name in ("tt.broadcast", "tt.expand_dims", "tt.reshape"):
            made.append(makers.get(made[-1].operands[0].slot))
        last = made[-1]
        if last is None or last.name != "tt.reduce" or last.operands[0].slot != value.slot:
            continue
        axis, inside = last.attributes["axis"], [each.name for each in last.regions[0].operations]
        if value.type.dims[axis] == 2 and inside[:-1] == ["arith.xori"]:
            return value, axis
    return None
