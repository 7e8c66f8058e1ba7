"""The one way to write a number with its unit."""

from __future__ import annotations

import math

_DECIMAL = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_BINARY = ((1024.0**4, "Ti"), (1024.0**3, "Gi"), (1024.0**2, "Mi"), (1024.0, "Ki"), (1.0, ""))
_TIME = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_SECONDS_IN = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PREFIXED = {
    "bytes": "B",
    "B": "B",
    "bytes/s": "B/s",
    "B/s": "B/s",
    "FLOP": "FLOP",
    "FLOPs": "FLOP",
    "FLOP/s": "FLOP/s",
    "Hz": "Hz",
}
_ABSENT = "–"


def format_value(value: float, unit: str = "") -> str:
    """A value as text, e.g. (4.4e9, 'bytes') -> '4.40 GB', (0.0123, 'ms') -> '12.3 µs', (1234, '') -> '1,234'.

    Decimal prefixes, as GPU data sheets and papers use them. NaN, a value that was not obtained, is a dash.
    """
    if math.isnan(value):
        return _ABSENT
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}∞ {unit}".rstrip()
    if unit in _SECONDS_IN:
        return format_time(value * _SECONDS_IN[unit])
    if unit in _PREFIXED:
        return _scaled(value, _DECIMAL, _PREFIXED[unit])
    if unit == "%":
        return f"{significant(value)}%"
    return f"{significant(value)} {unit}".rstrip()


def format_bytes(value: float, *, binary: bool = False) -> str:
    """Bytes with decimal prefixes, or binary ones (KiB, MiB) for what comes in powers of two, like SRAM."""
    if math.isnan(value):
        return _ABSENT
    return _scaled(value, _BINARY if binary else _DECIMAL, "B")


def format_time(seconds: float) -> str:
    """A duration in the unit that keeps one to three digits before the point; minutes from 120 s on."""
    if math.isnan(seconds):
        return _ABSENT
    if seconds == 0:
        return "0 s"
    if abs(seconds) >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    size, unit = next((step for step in _TIME if abs(seconds) >= step[0]), _TIME[-1])
    return f"{_three_digits(seconds / size)} {unit}"


def significant(value: float) -> str:
    """Three or four digits that matter: '1,234', '12.3', '0.0123', '3.1e-06'."""
    magnitude = abs(value)
    if value == 0:
        return "0"
    if float(value).is_integer() and magnitude < 1e9:
        return f"{int(value):,}"
    if magnitude >= 1e9 or magnitude < 1e-3:
        return f"{value:.2e}"
    if magnitude >= 1000:
        return f"{value:,.0f}"
    return _three_digits(value)


def _three_digits(value: float) -> str:
    magnitude = abs(value)
    if magnitude >= 100:
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"
    if magnitude >= 10:
        return f"{value:.1f}"
    if magnitude >= 1:
        return f"{value:.2f}"
    return f"{value:.3g}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...], unit: str) -> str:
    size, prefix = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    if size == 1.0 and float(value).is_integer():
        return f"{int(value)} {unit}"
    return f"{_three_digits(value / size)} {prefix}{unit}"
