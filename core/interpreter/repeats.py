"""Finds lanes of a loop that begin an iteration with the values of an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from core.interpreter.ops.scopes import cut_all
from core.interpreter.values import Handle, Lanes, Pointer, bit_array, bits, varies
from core.trace import affine
from core.trace.affine import Affine
from core.trace.mask import BoolArray, Mask


class Repeats:
    """The values of one iteration, to which later ones are compared: of the first, and of those that are 1, 2, 4, 8,
    ... later, so that a cycle of any length is found (Brent)."""

    def __init__(self, values: Sequence[Any], iteration: int = 0) -> None:
        self.iteration = self._first = iteration
        self._values = list(values)

    def look(self, values: Sequence[Any], iteration: int, lanes: int) -> BoolArray | None:
        """The lanes whose values are those of `self.iteration`, [lanes]; None if there are none."""
        same = _same_lanes(self._values, values, lanes)
        count = iteration - self._first
        if same is None and count & (count - 1) == 0:
            self.iteration, self._values = iteration, list(values)
        return same

    def cut(self, lanes: Lanes, device: torch.device) -> None:
        """Go on with some of the lanes."""
        self._values = cut_all(self._values, lanes, device)


def _same_lanes(old: Sequence[Any], new: Sequence[Any], lanes: int) -> BoolArray | None:
    """Numbers first: most loops count, and what they count differs in every lane."""
    if any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(old, new, strict=True)):
        return None
    same = np.ones(lanes, dtype=np.bool_)
    for a, b in sorted(zip(old, new, strict=True), key=lambda pair: isinstance(pair[1], torch.Tensor)):
        if a is b:
            continue
        same = np.asarray(same & _same(a, b))
        if not same.any():
            return None
    return same


def _same(a: Any, b: Any) -> BoolArray | bool:
    """Per lane, or for all lanes, whether two values are the same, bit for bit."""
    if isinstance(a, Pointer) and isinstance(b, Pointer):
        return _same(a.buffer, b.buffer) & _same(a.offset, b.offset)
    if isinstance(a, Handle) and isinstance(b, Handle):
        same: Any = a.same_as(b)
        for x, y in zip(a.numbers(), b.numbers(), strict=True):
            same = same & _same(x, y)
        return same  # type: ignore[no-any-return]
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return _all((bits(a) == bits(b)).cpu().numpy())
    if isinstance(a, Affine | Mask | int) and isinstance(b, Affine | Mask | int):
        rank = max(_rank(a), _rank(b))
        return _all(np.asarray(_dense(a, rank) == _dense(b, rank)))
    if isinstance(a, float) and isinstance(b, float):
        return a.hex() == b.hex()
    return not varies(a) and not varies(b) and type(a) is type(b) and bool(a == b)


def _all(same: BoolArray) -> BoolArray | bool:
    """Over all axes but that of the lanes."""
    rows = np.asarray(same.reshape(len(same), -1).all(axis=1))
    return rows if len(rows) > 1 else bool(rows[0])


def _rank(value: Any) -> int:
    return value.rank if isinstance(value, Affine) else value.array.ndim - 1 if isinstance(value, Mask) else 0


def _dense(value: Any, rank: int) -> Any:
    if isinstance(value, Mask | bool):
        return bit_array(value, rank)
    return affine.dense(value, rank)
