"""Shadows as data: 0, the id of a doubt for all elements, or a structured integer of ids.

Ids of wrapped offsets are negative, those of other integers that wrap are `WRAPPED` and more. `SUSPECT` stands for
all reads that a launch runs again for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from core.interpreter.ir import Type
from core.interpreter.shadows.flow import Stays
from core.interpreter.values import to_torch
from core.trace import affine
from core.trace.affine import Affine, IntArray, Integer
from core.trace.mask import BoolArray, Mask, Predicate

SUSPECT, WRAPPED = 1 << 31, 1 << 32


def is_clean(mark: Integer) -> bool:
    return not isinstance(mark, Affine) and mark == 0


def tidy(array: npt.NDArray[Any], rank: int) -> Integer:
    """The shadow with the ids of `array`, [lanes or 1, *dims or 1]."""
    return affine.from_array(array, rank) if array.any() else 0


def staying(mark: Integer, stays: Stays) -> Integer:
    """The shadow after an operation that not every doubt survives."""
    lowest = -WRAPPED if stays == "offset" else 0
    highest = 2 * WRAPPED if stays != "doubt" else WRAPPED - 1
    if not isinstance(mark, Affine):
        return mark if lowest <= mark <= highest else 0
    if lowest <= mark.low and mark.high <= highest:
        return mark
    array = mark.dense()
    return tidy(np.where((array >= lowest) & (array <= highest), array, 0), mark.rank)


def first(marks: Iterable[Integer], rank: int) -> Integer:
    """Per element, the first id that is not 0."""
    doubtful = [mark for mark in marks if not is_clean(mark)]
    if not doubtful:
        return 0
    result = doubtful[0]
    for mark in doubtful[1:]:
        if isinstance(result, Affine):
            array = result.dense()
            result = tidy(np.where(array != 0, array, affine.dense(mark, rank)), rank)
    return result


def where(condition: BoolArray, mark: Integer, other: Integer, rank: int) -> Integer:
    condition = condition.reshape(-1, *(1,) * rank) if condition.ndim < rank + 1 else condition
    return tidy(np.where(condition, affine.dense(mark, rank), affine.dense(other, rank)), rank)


def off(keep: Predicate, rank: int) -> BoolArray | None:
    """The elements that a mask leaves out; None if there are none."""
    if not isinstance(keep, Mask):
        return None if keep else np.ones((1,) * (rank + 1), dtype=np.bool_)
    left: BoolArray = ~keep.array
    return left if left.any() else None


def equals(value: Any, number: float, type_: Type) -> BoolArray:
    """Where `value` is `number`, on the host."""
    result: BoolArray = (to_torch(value, type_) == number).cpu().numpy()
    return result


def along(mark: Integer, axis: int) -> Integer:
    """The highest id along an axis of the tile, which keeps size 1."""
    return tidy(mark.dense().max(axis=axis + 1, keepdims=True), mark.rank) if isinstance(mark, Affine) else mark


def full(mark: Integer, lanes: int, dims: tuple[int, ...]) -> IntArray:
    """All ids, [lanes, *dims]."""
    return np.broadcast_to(affine.dense(mark, len(dims)), (lanes, *dims))
