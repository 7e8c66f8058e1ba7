"""Structured masks: conjunctions of conditions on structured integers, evaluated only when needed.

A mask such as `(rows < N)[:, None] & (columns <= rows)` stays a list of comparisons. Bounds decide most of them without
evaluating an element: a tile that lies fully inside the tensor has no mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from core.trace.affine import LANE, Affine, IntArray, Integer, add, move_axes, reshaped, scale, subtract

BoolArray = npt.NDArray[np.bool_]


class Condition:
    """`difference < 0`, `== 0` or `!= 0`; or a precomputed array if `difference` is None."""

    __slots__ = ("_array", "difference", "relation")

    def __init__(self, relation: str, difference: Affine | None, array: BoolArray | None = None) -> None:
        self.relation = relation
        self.difference = difference
        self._array = array

    @property
    def array(self) -> BoolArray:
        """[lane, *dims], size 1 where it does not vary."""
        if self._array is None:
            assert self.difference is not None
            self._array = _evaluate(self.relation, self.difference)
        return self._array

    @property
    def axes(self) -> int:
        if self.difference is not None:
            return self.difference.axes
        assert self._array is not None
        return sum(1 << axis for axis, size in enumerate(self._array.shape) if size != 1)

    def arrays(self) -> list[npt.NDArray[Any]]:
        """The arrays that it holds in memory."""
        arrays: list[npt.NDArray[Any]] = [] if self._array is None else [self._array]
        return arrays + ([] if self.difference is None else [term.array for term in self.difference.terms])

    def cut(self, lanes: slice | IntArray) -> Condition:
        array = self._array
        if array is not None and array.shape[0] != 1:
            array = array[lanes]
        difference = self.difference
        if difference is not None:
            cut = difference.cut(lanes)
            assert isinstance(cut, Affine)
            difference = cut
        return Condition(self.relation, difference, array)

    def negated(self) -> Condition:
        difference, array = self.difference, None if self._array is None else ~self._array
        if difference is None:
            return Condition(self.relation, None, array)
        if self.relation == "<":
            opposite = add(scale(difference, -1), -1)
            assert isinstance(opposite, Affine)
            return Condition("<", opposite, array)
        return Condition("!=" if self.relation == "==" else "==", difference, array)

    def holds_for(self) -> BoolArray:
        """Per lane ([lanes] or [1]): True if bounds show that it holds for the whole tile."""
        difference = self.difference
        if difference is None or self.relation != "<":
            return np.asarray(self.array.all(axis=tuple(range(1, self.array.ndim))))
        highest: Any = difference.constant
        for term in difference.terms:
            highest = highest + (
                term.array.reshape(-1) if term.axes == LANE else term.array.max(axis=tuple(range(1, term.array.ndim)))
            )
        return np.asarray(highest < 0).reshape(-1)


def _evaluate(relation: str, difference: Affine) -> BoolArray:
    """Compare the last term with the sum of the others, in one pass over the result without wide temporaries."""
    last = max(difference.terms, key=lambda term: term.axes)
    rest: Any = difference.constant
    for term in difference.terms:
        if term is not last:
            rest = rest + term.array
    compare = {"<": np.less, "==": np.equal, "!=": np.not_equal}[relation]
    result: BoolArray = compare(rest, -last.array)
    return result


class Mask:
    """The conjunction of `conditions`, which is never empty: an always-true mask is the bool True."""

    __slots__ = ("_array", "conditions", "device_copy")

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        self.conditions = conditions
        self.device_copy: Any = None
        """The array as a torch tensor, once it has been requested."""
        self._array: BoolArray | None = None

    @property
    def array(self) -> BoolArray:
        """[lane, *dims], size 1 where it does not vary."""
        if self._array is None:
            total = self.conditions[0].array
            for condition in self.conditions[1:]:
                total = total & condition.array
            self._array = total
        return self._array

    @property
    def own_array(self) -> BoolArray | None:
        """`array` if it has been evaluated and is not that of a condition."""
        return self._array if len(self.conditions) > 1 else None

    @property
    def axes(self) -> int:
        bits = 0
        for condition in self.conditions:
            bits |= condition.axes
        return bits

    def cut(self, lanes: slice | IntArray) -> Mask:
        mask = Mask(tuple(condition.cut(lanes) for condition in self.conditions))
        if self._array is not None:
            mask._array = self._array[lanes] if self._array.shape[0] != 1 else self._array
        return mask

    def full_lanes(self) -> BoolArray:
        """Per lane ([lanes] or [1]): True if the mask holds for the whole tile."""
        total = self.conditions[0].holds_for()
        for condition in self.conditions[1:]:
            total = total & condition.holds_for()
        return total


Predicate = bool | Mask
"""A lane-uniform bool, or a structured mask."""


def from_array(array: npt.NDArray[Any]) -> Predicate:
    """The mask with the values of `array` ([lane, *dims])."""
    if array.size == 1:
        return bool(array.reshape(-1)[0])
    return Mask((Condition("array", None, array.astype(np.bool_, copy=False)),))


def compare(predicate: str, a: Integer, b: Integer) -> Predicate:
    """Signed comparison 'lt', 'le', 'gt', 'ge', 'eq' or 'ne' of structured integers."""
    if predicate in ("gt", "ge"):
        a, b, predicate = b, a, {"gt": "lt", "ge": "le"}[predicate]
    difference = subtract(a, b)
    if predicate == "le":
        difference = add(difference, -1)
    if not isinstance(difference, Affine):
        return {"lt": difference < 0, "le": difference < 0, "eq": difference == 0, "ne": difference != 0}[predicate]
    if predicate in ("lt", "le"):
        if difference.high < 0:
            return True
        return False if difference.low >= 0 else Mask((Condition("<", difference),))
    apart = difference.low > 0 or difference.high < 0
    if apart:
        return predicate == "ne"
    return Mask((Condition("==" if predicate == "eq" else "!=", difference),))


def both(a: Predicate, b: Predicate) -> Predicate:
    if isinstance(a, bool):
        return b if a else False
    if isinstance(b, bool):
        return a if b else False
    return Mask(a.conditions + b.conditions)


def invert(a: Predicate) -> Predicate:
    if isinstance(a, bool):
        return not a
    if len(a.conditions) == 1:
        return Mask((a.conditions[0].negated(),))
    return from_array(~a.array)


def moved(a: Predicate, rank: int, target: tuple[int, ...]) -> Predicate:
    """`a` with tensor axis i moved to `target[i]` of a tensor of `rank` axes."""
    if isinstance(a, bool):
        return a
    conditions = []
    for condition in a.conditions:
        if condition.difference is None:
            conditions.append(Condition("array", None, move_axes(condition.array, rank, target)))
            continue
        difference = reshaped(condition.difference, rank, target)
        assert isinstance(difference, Affine)
        conditions.append(Condition(condition.relation, difference))
    return Mask(tuple(conditions))
