"""The grid of a launch as three numbers, checked against the limits of CUDA before anything runs."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Set
from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr, verbatim

Grid = tuple[int, int, int]

MAX_GRID: Grid = ((1 << 31) - 1, 65535, 65535)
"""The most programs that CUDA launches along x, y and z."""

_EXACT_BITS = 64


def checked_grid(kernel: str, grid: Any, bound: dict[str, Any]) -> Grid:
    """What stands between the brackets of `kernel[grid](...)`, which may be a function of the arguments, as (x, y, z).

    Missing sides are 1; more than three are ignored, as Triton does. Raises TilescopeError for what is not a grid of
    whole numbers, and for one that CUDA cannot launch.
    """
    sides = _sides(kernel, grid(bound) if callable(grid) else grid)
    x, y, z = (*sides, 1, 1)[:3]
    shown = {name: _shown(side) for name, side in zip("xyz", (x, y, z), strict=True)}
    if min(x, y, z) < 0:
        raise TilescopeError(
            tr("A grid of {x} x {y} x {z} programs cannot be launched: every side must be 0 or more.", **shown)
        )
    if any(side > most for side, most in zip((x, y, z), MAX_GRID, strict=True)):
        most_x, most_y, _ = MAX_GRID
        raise TilescopeError(
            tr(
                "A grid of {x} x {y} x {z} programs cannot be launched: CUDA allows at most {most_x:,} along x and "
                "{most_y:,} along y and z.",
                most_x=most_x,
                most_y=most_y,
                **shown,
            )
        )
    return x, y, z


def _sides(kernel: str, grid: Any) -> tuple[int, ...]:
    """One to three sides. A number alone is a grid of one side."""
    try:
        if isinstance(grid, str | bytes | Mapping | Set):
            raise TypeError
        is_number = not hasattr(grid, "__len__") or getattr(grid, "shape", None) == ()
        sides = (grid,) if is_number else tuple(grid)[:3]
        numbers = tuple(operator.index(side) for side in sides)
    except TypeError:
        raise TilescopeError(
            tr(
                "The grid of {kernel} is {grid}, but a grid has one to three whole numbers: write "
                "kernel[(programs,)](...).",
                kernel=kernel,
                grid=_described(grid),
            )
        ) from None
    if not numbers:
        raise TilescopeError(tr("The grid of {kernel} is empty: write kernel[(programs,)](...).", kernel=kernel))
    return numbers


def _described(grid: Any) -> Text:
    """The value, shortened; only its type where it cannot be written."""
    try:
        text = repr(grid)
    except Exception:
        text = type(grid).__name__
    return verbatim(text if len(text) <= 60 else f"{text[:57]}...")


def _shown(side: int) -> Text:
    """Python does not write numbers of thousands of digits, and nobody reads them."""
    if side.bit_length() <= _EXACT_BITS:
        return verbatim(side)
    return verbatim(f"{'-' if side < 0 else ''}2^{side.bit_length() - 1}…")
