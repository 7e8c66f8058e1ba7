"""Compares two results, arrays included: `==` fails for dataclasses that hold arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts import archive


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and _same(archive.plain(one), archive.plain(other))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (one != one and other != other)
