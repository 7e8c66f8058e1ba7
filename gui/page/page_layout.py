"""The remembered layout of a page, checked: what comes from a file may be anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_MAX_PX = 1 << 16
_MAX_PARTS = 100
"""Cards of a page, tabs, columns of a row."""

_MAX_TEXT = 200


def is_layout(state: object) -> bool:
    """Whether all of a state has the types that `Page.save_state` gives; what is absent has its default."""
    return isinstance(state, Mapping) and all(fits(state[name]) for name, fits in _FITS.items() if name in state)


def _is_sizes(value: object) -> bool:
    return isinstance(value, list) and len(value) <= _MAX_PARTS and all(_is_whole(px, _MAX_PX) for px in value)


def _is_whole(value: object, largest: int) -> bool:
    return type(value) is int and 0 <= value <= largest


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "params": lambda value: isinstance(value, dict),
    "plots": lambda value: isinstance(value, list) and len(value) <= _MAX_PARTS and all(map(_is_sizes, value)),
    "vertical": _is_sizes,
    "tab": lambda value: _is_whole(value, _MAX_PARTS),
    "tabs_open": lambda value: value is None or isinstance(value, bool),
    "side": lambda value: isinstance(value, bool),
    "device": lambda value: isinstance(value, str) and len(value) <= _MAX_TEXT,
}
