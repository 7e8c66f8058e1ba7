"""Numbers with their units as text, the same way in the window, on the command line and in pictures."""

from __future__ import annotations

import math
from functools import lru_cache

from core import language
from core.contracts.text import Text, tr_in, verbatim
from core.units import UNITS

_DECIMAL_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_SMALL_PREFIXES = ("", "m", "µ", "n", "p")
_PREFIXED_UNITS = {
    "bytes": "B",
    "B": "B",
    "FLOP": "FLOP",
    "FLOPs": "FLOP",
    "FLOP/s": "FLOP/s",
    "FLOP/B": "FLOP/B",
    "B/s": "B/s",
    "s": "s",
    "elements": "elements",
}


def format_quantity(value: float, unit: str = "", digits: int = 3) -> str:
    """The `quantity` in the current language, for what is drawn at once."""
    return _written(value, unit, digits, language.current())


@lru_cache(8192)
def _written(value: float, unit: str, digits: int, code: str) -> str:
    """A chart writes each number at every redraw, and most of them are the same as before."""
    return quantity(value, unit, digits).in_language(code)


def quantity(value: float, unit: str = "", digits: int = 3) -> Text:
    """`value` with `digits` significant digits and its unit, e.g. '40.3 GB', '24 ms', '1,024 tokens'.

    Bytes take decimal prefixes (1 GB = 10^9 B), as data sheets and the FlashAttention paper do.
    NaN is an em dash: there is no value.
    """
    if math.isnan(value):
        return verbatim("—")
    if math.isinf(value):
        return _with_unit(f"{'-' if value < 0 else ''}∞", unit)
    if unit in _PREFIXED_UNITS:
        return verbatim(_prefixed(value, _PREFIXED_UNITS[unit], digits, small=unit == "s"))
    if unit == "ms":
        return verbatim(_prefixed(value / 1e3, "s", digits, small=True))
    if unit == "x":
        return verbatim(f"{_plain(value, digits)}×")
    if unit == "%":
        return verbatim(f"{_plain(value, digits)}%")
    return _with_unit(_plain(value, digits), unit)


def exact_quantity(value: float, unit: str = "") -> Text:
    """Every digit of `value`, with its unit."""
    return _with_unit(repr(value), unit)


def _with_unit(number: str, unit: str) -> Text:
    if unit in UNITS:
        return tr_in("quantity", "{number} {unit}", number=number, unit=UNITS[unit])
    return verbatim(f"{number} {unit}".strip())


def _plain(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -3 or magnitude >= 9:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - magnitude)}f}"


def _prefixed(value: float, unit: str, digits: int, small: bool) -> str:
    if value == 0:
        return f"0 {unit}"
    # Round first, so that 999.96 becomes 1 k and not 1000.
    rounded = float(f"{value:.{digits - 1}e}")
    step = math.floor(math.log10(abs(rounded)) / 3)
    if small and step < 0:
        step = max(step, 1 - len(_SMALL_PREFIXES))
        scaled, prefix = rounded * 1000.0**-step, _SMALL_PREFIXES[-step]
    else:
        step = min(max(step, 0), len(_DECIMAL_PREFIXES) - 1)
        scaled, prefix = rounded / 1000.0**step, _DECIMAL_PREFIXES[step]
    magnitude = math.floor(math.log10(abs(scaled)))
    text = f"{scaled:.{max(0, digits - 1 - magnitude)}f}" if magnitude >= -3 else f"{scaled:.{digits - 1}e}"
    if step == 0 and scaled == int(scaled):
        text = f"{int(scaled)}"
    return f"{text} {prefix}{unit}"
