"""Where ticks are, and their texts."""

from __future__ import annotations

import math
from collections.abc import Iterable

from core.format import format_quantity


def nice_ticks(highest: float, most: int = 5) -> list[float]:
    """Round values from 0 up to `highest`, at most `most` besides 0, in steps of 1, 2 or 5 times a power of ten."""
    if not math.isfinite(highest) or highest <= 0:
        return [0.0]
    raw = highest / max(1, most)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    return [index * step for index in range(int(highest / step + 1e-9) + 1)]


def decade_ticks(lowest: float, highest: float, most: int = 6) -> list[float]:
    """Powers of ten within [lowest, highest], thinned to at most `most`. Both ends above zero."""
    first, last = math.ceil(math.log10(lowest) - 1e-9), math.floor(math.log10(highest) + 1e-9)
    stride = max(1, -(-(last - first + 1) // max(1, most)))
    return [10.0**exponent for exponent in range(first, last + 1, stride)]


def short_quantity(value: float, unit: str = "") -> str:
    """A quantity without the zeros that a tick or a headline does not need: '40 GB', '29.6 M' for a bare count."""
    if not unit and abs(value) >= 1e6:
        scale, prefix = (1e9, "G") if abs(value) >= 1e9 else (1e6, "M")
        return f"{short_quantity(value / scale)} {prefix}"
    if unit == "%":
        return f"{short_quantity(value)}%"
    number, _, rest = format_quantity(value, unit).partition(" ")
    if "." in number and "e" not in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number} {rest}".strip()


def positive_range(values: Iterable[float]) -> tuple[float, float] | None:
    """Whole decades around the values above zero, at least one wide; None if there are no such values."""
    usable = [value for value in values if math.isfinite(value) and value > 0]
    if not usable:
        return None
    low, high = math.floor(math.log10(min(usable))), math.ceil(math.log10(max(usable)))
    return 10.0**low, 10.0 ** max(high, low + 1)
