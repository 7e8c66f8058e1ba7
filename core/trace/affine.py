"""Structured integers: a constant plus a sum of small arrays that broadcast against each other.

Most index arithmetic of kernels has this form: `pid * 64 + arange(64)[:, None] * stride + arange(64)[None, :]` is one
number per lane, one per row and one per column. Kept separate, 4,096 offsets of 64 lanes are three arrays of 64
numbers; they are summed only where every element is needed.

Axis 0 of every array is the lane (one program instance each); axis i + 1 is axis i of the tensor. Values are exact in
int64; `fit` wraps to the declared width where a value can leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
LANE = 1
"""The bit of the lane axis in `Term.axes`; tensor axis i is bit i + 1."""


class Term:
    """One array of the sum: int64, `rank + 1` axes, size 1 on every axis whose bit is not in `axes`."""

    __slots__ = ("_irregular", "_step", "array", "axes", "high", "low")

    def __init__(self, axes: int, array: IntArray, low: int, high: int, step: int | None = None) -> None:
        self.axes = axes
        self.array = array
        self.low = low
        self.high = high
        self._step = step
        self._irregular = False

    @property
    def step(self) -> int | None:
        """The common difference if the array is an arithmetic progression along its one axis, else None."""
        if self._step is None and not self._irregular:
            self._step = _progression(self.array)
            self._irregular = self._step is None
        return self._step

    @property
    def known_step(self) -> int | None:
        """`step` if it is known without reading the array, else None."""
        return self._step

    def tight(self) -> Term:
        """The same term with exact bounds."""
        return Term(self.axes, self.array, int(self.array.min()), int(self.array.max()), self._step)


def _progression(array: IntArray) -> int | None:
    flat = array.ravel()
    if flat.size != max(array.shape):
        return None
    if flat.size == 1:
        return 0
    difference = int(flat[1]) - int(flat[0])
    return difference if bool((np.diff(flat) == difference).all()) else None


class Affine:
    """`constant` plus the sum of `terms`, whose `axes` all differ. Immutable. An Affine without terms is an int."""

    __slots__ = ("constant", "high", "low", "rank", "terms")

    def __init__(self, rank: int, constant: int, terms: tuple[Term, ...]) -> None:
        self.rank = rank
        self.constant = constant
        self.terms = terms
        low = high = constant
        for term in terms:
            low += term.low
            high += term.high
        self.low = low
        self.high = high

    @property
    def axes(self) -> int:
        """The bits of all axes along which the value varies."""
        bits = 0
        for term in self.terms:
            bits |= term.axes
        return bits

    def dense(self) -> IntArray:
        """The sum as one array; axes along which it does not vary have size 1."""
        total: Any = self.constant
        for term in self.terms:
            total = total + term.array
        return np.asarray(total)

    def cut(self, lanes: slice | IntArray) -> Integer:
        """The value for some of the lanes."""
        terms = tuple(
            Term(t.axes, t.array[lanes], t.low, t.high, t.known_step if t.axes != LANE else None)
            if t.axes & LANE
            else t
            for t in self.terms
        )
        return Affine(self.rank, self.constant, terms)

    def tight(self) -> Affine:
        """The same value with exact bounds of each term (and so of the sum, where terms share no axis)."""
        return Affine(self.rank, self.constant, tuple(term.tight() for term in self.terms))


Integer = int | Affine
"""A lane-uniform scalar or splat (int), or a structured value."""


def arange(start: int, end: int) -> Integer:
    """`tt.make_range`: one tensor axis."""
    if end - start == 1:
        return start
    array = np.arange(start, end, dtype=np.int64)[None, :]
    return Affine(1, 0, (Term(2, array, start, end - 1, 1),))


def from_array(array: npt.NDArray[Any], rank: int) -> Integer:
    """The value whose `dense` is `array` ([lane, *dims], size 1 where it does not vary)."""
    if array.size == 1:
        return int(array.reshape(-1)[0])
    axes = 0
    for axis, size in enumerate(array.shape):
        if size != 1:
            axes |= 1 << axis
    exact = array.astype(np.int64, copy=False)
    return Affine(rank, 0, (Term(axes, exact, int(exact.min()), int(exact.max())),))


def dense(value: Integer, rank: int) -> IntArray:
    """`value` as an array of `rank + 1` axes."""
    if isinstance(value, Affine):
        return value.dense()
    return np.full((1,) * (rank + 1), value, dtype=np.int64)


def add(a: Integer, b: Integer) -> Integer:
    if not isinstance(a, Affine):
        if not isinstance(b, Affine):
            return a + b
        return Affine(b.rank, a + b.constant, b.terms) if a else b
    if not isinstance(b, Affine):
        return Affine(a.rank, a.constant + b, a.terms) if b else a
    merged = {term.axes: term for term in a.terms}
    for term in b.terms:
        other = merged.get(term.axes)
        merged[term.axes] = term if other is None else _sum(other, term)
    terms = tuple(term for term in merged.values() if term.low != 0 or term.high != 0)
    constant = a.constant + b.constant
    return Affine(a.rank, constant, terms) if terms else constant


def _sum(a: Term, b: Term) -> Term:
    step = None if a.known_step is None or b.known_step is None else a.known_step + b.known_step
    total = Term(a.axes, a.array + b.array, a.low + b.low, a.high + b.high, step)
    # If two terms cancel, interval arithmetic would keep bounds that no element reaches.
    return total.tight()


def scale(a: Integer, factor: int) -> Integer:
    if not isinstance(a, Affine):
        return a * factor
    if factor == 1:
        return a
    if factor == 0:
        return 0
    return Affine(a.rank, a.constant * factor, tuple(_scaled(term, factor) for term in a.terms))


def _scaled(term: Term, factor: int) -> Term:
    low, high = (term.low, term.high) if factor > 0 else (term.high, term.low)
    step = None if term.known_step is None else term.known_step * factor
    return Term(term.axes, term.array * factor, low * factor, high * factor, step)


def subtract(a: Integer, b: Integer) -> Integer:
    return add(a, scale(b, -1))


def multiply(a: Integer, b: Integer) -> Integer:
    if not isinstance(b, Affine):
        return scale(a, b)
    if not isinstance(a, Affine):
        return scale(b, a)
    product: Integer = a.constant * b.constant
    product = add(product, scale(Affine(a.rank, 0, a.terms), b.constant))
    product = add(product, scale(Affine(b.rank, 0, b.terms), a.constant))
    for left in a.terms:
        for right in b.terms:
            corners = [x * y for x in (left.low, left.high) for y in (right.low, right.high)]
            term = Term(left.axes | right.axes, left.array * right.array, min(corners), max(corners))
            product = add(product, Affine(a.rank, 0, (term,)))
    return product


def apply(function: Callable[..., npt.NDArray[Any]], *values: Integer) -> Integer:
    """`function` of the dense values, of which at least one is not an int."""
    rank = next(v.rank for v in values if isinstance(v, Affine))
    return from_array(function(*(dense(v, rank) for v in values)), rank)


def wrap(value: int, bits: int) -> int:
    """`value` as a two's complement integer of `bits`."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half


def fit(value: Integer, bits: int) -> Integer:
    """`value` wrapped to a signed integer of `bits`, as in hardware."""
    half = 1 << (bits - 1)
    if not isinstance(value, Affine):
        return value if -half <= value < half else wrap(value, bits)
    if -half <= value.low and value.high < half:
        return value
    value = value.tight()
    if -half <= value.low and value.high < half:
        return value
    if bits == 64:  # the arrays wrapped as they were summed
        return from_array(value.dense(), value.rank)
    dtype = {8: np.int8, 16: np.int16, 32: np.int32}[bits]
    return from_array(value.dense().astype(dtype), value.rank)


def reshaped(value: Integer, rank: int, axis_of: Iterable[int]) -> Integer:
    """`value` with tensor axis i moved to `axis_of[i]` of a tensor of `rank` axes (the others have size 1)."""
    if not isinstance(value, Affine):
        return value
    target = tuple(axis_of)
    return Affine(rank, value.constant, tuple(_moved(term, rank, target) for term in value.terms))


def _moved(term: Term, rank: int, target: tuple[int, ...]) -> Term:
    array = move_axes(term.array, rank, target)
    axes = term.axes & LANE
    for axis, new in enumerate(target):
        if term.axes >> (axis + 1) & 1:
            axes |= 1 << (new + 1)
    return Term(axes, array, term.low, term.high, term.known_step)


def move_axes(array: npt.NDArray[Any], rank: int, target: tuple[int, ...]) -> npt.NDArray[Any]:
    """Tensor axis i of `array` ([lane, *dims]) becomes axis `target[i]` of `rank` tensor axes."""
    order = sorted(range(len(target)), key=target.__getitem__)
    shape = [1] * (rank + 1)
    shape[0] = array.shape[0]
    for axis, new in enumerate(target):
        shape[new + 1] = array.shape[axis + 1]
    if order != list(range(len(target))):
        array = array.transpose([0, *(axis + 1 for axis in order)])
    return array.reshape(shape)
