"""Reads whose value is undefined: does one of them get anywhere? The launch runs again to see.

They are known from the first run, by the number of the access.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.trace.mask import BoolArray


@dataclass
class Suspects:
    """`elements` says by the number of the access which elements are suspected, [lanes, *shape]."""

    elements: dict[int, BoolArray]
    has_arrived: bool = False
    begun: int = 0
    """How many accesses there were before the load that runs."""
