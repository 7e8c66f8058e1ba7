"""Whether a walk fits a layout: each of its indices belongs to an axis, or to axes that lie behind one another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from core.sanitizer.walks.walk import Part
from core.trace.record import Buffer

Axis = tuple[int, int]
"""Size and stride (elements) of an axis with more than one element."""

_MOST_AXES = 6


Assumption = Literal["packed", "inner", "swapped"]


@dataclass(frozen=True)
class Meant:
    """Strides that a kernel seems to take for those of a tensor: of a packed one, with 1 for the last axis ('inner'),
    or in another order."""

    strides: tuple[int, ...]
    assumes: Assumption


def axes_of(buffer: Buffer) -> tuple[Axis, ...]:
    """The axes of a tensor with more than one element, outermost first."""
    return tuple((size, stride) for size, stride in zip(buffer.shape, buffer.strides, strict=True) if size > 1)


def may_be_its_own(parts: Sequence[Part], axes: Sequence[Axis]) -> bool:
    """Whether each part may walk along axes of its own, without leaving them."""
    ordered = sorted(axes, key=lambda axis: -axis[1])
    runs = [run for begin in range(len(ordered)) for run in _runs(ordered, begin)]

    def assigned(rest: Sequence[Part], used: frozenset[int]) -> bool:
        if not rest:
            return True
        for first, last in runs:
            taken = frozenset(range(first, last + 1))
            stride, count = ordered[last][1], math.prod(size for size, _ in ordered[first : last + 1])
            times, left = divmod(rest[0].stride, stride)
            stays = not left and rest[0].low >= 0 and times * rest[0].high < count
            if stays and not taken & used and assigned(rest[1:], used | taken):
                return True
        return False

    return assigned(parts, frozenset())


def exactly(parts: Sequence[Part], sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether the parts step by these strides, and have exactly as many values as the axes, all of them."""
    axes = list(zip(sizes, strides, strict=True))

    def covered(begin: int, rest: list[Part]) -> bool:
        if begin == len(axes):
            return not rest
        for _, last in _runs(axes, begin):
            count = math.prod(sizes[begin : last + 1])
            for part in rest:
                fits = part.stride == strides[last] and (part.low, part.high) == (0, count - 1)
                if fits and covered(last + 1, [other for other in rest if other is not part]):
                    return True
        return False

    return covered(0, list(parts))


def meant_instead(parts: Sequence[Part], axes: Sequence[Axis]) -> Meant | None:
    """Which other strides the parts fit exactly; None if they may fit those of the tensor, or no others.

    Considered are those of a packed tensor, those with 1 for the last axis, and the tensor's own in another order. An
    expanded tensor has no place for what such a walk would reach beyond it, so that nothing is said of it here.
    """
    sizes, own = tuple(size for size, _ in axes), tuple(stride for _, stride in axes)
    if not 2 <= len(axes) <= _MOST_AXES or len(parts) < 2 or 0 in own or may_be_its_own(parts, axes):
        return None
    return next((meant for meant in _others(sizes, own) if exactly(parts, sizes, meant.strides)), None)


def _others(sizes: tuple[int, ...], own: tuple[int, ...]) -> Iterator[Meant]:
    packed = packed_strides(sizes)
    if own != packed:
        yield Meant(packed, "packed")
    if own[-1] != 1:
        yield Meant((*own[:-1], 1), "inner")
    for order in itertools.permutations(own):
        if order != own:
            yield Meant(order, "swapped")


def packed_strides(sizes: Sequence[int]) -> tuple[int, ...]:
    """The strides of a tensor whose elements lie in row-major order without gaps."""
    return tuple(math.prod(sizes[axis + 1 :]) for axis in range(len(sizes)))


def _runs(axes: Sequence[Axis], begin: int) -> Iterator[tuple[int, int]]:
    """The axes from `begin` on that lie behind one another, as (first, last)."""
    yield begin, begin
    for last in range(begin + 1, len(axes)):
        if axes[last - 1][1] != axes[last][0] * axes[last][1]:
            return
        yield begin, last
