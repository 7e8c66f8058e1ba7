"""Colours of data: one per tensor, the same in every picture of a page, and maps from values to colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor

from gui.theme import Theme

THEME_TENSORS = ("Q", "K", "V", "S", "P", "O", "LSE")
_RANGES = {"inferno": (0.08, 0.95), "viridis": (0.0, 0.98)}
"""The part of each colour map that stands out from the background of a plot."""


def tensor_colours(theme: Theme, names: Sequence[str]) -> dict[str, str]:
    """'#rrggbb' by name: the theme's own colours of its tensors (Q, K, S, ...), its series in turn for the others."""
    others = [name for name in dict.fromkeys(names) if name not in THEME_TENSORS]
    series = {name: theme.series[index % len(theme.series)] for index, name in enumerate(others)}
    return {name: series[name] if name in series else theme.tensor(name) for name in dict.fromkeys(names)}


def rgb(colour: str) -> tuple[int, int, int]:
    """The red, green and blue of a '#rrggbb'."""
    parsed = QColor(colour)
    return parsed.red(), parsed.green(), parsed.blue()


def colour_table(theme: Theme, name: str) -> np.ndarray:
    """uint8 [256, 3] of 'inferno' or 'viridis', from the colour nearest to the background to the farthest."""
    return _table(name) if theme.is_dark else _table(name)[::-1]


def colour_map(theme: Theme, name: str, steps: int = 256) -> pg.ColorMap:
    """The same as a colour map of pyqtgraph; with fewer `steps`, that many blocks of one colour each."""
    return _map(name, steps, theme.is_dark)


@cache
def _map(name: str, steps: int, is_dark: bool) -> pg.ColorMap:
    """Cached: making one takes longer than drawing a map with it, and a slider asks for it at each move."""
    table = _table(name) if is_dark else _table(name)[::-1]
    shades = np.linspace(0, 255, steps).round().astype(np.intp)
    blocks = np.arange(256) * steps // 256
    return pg.ColorMap(np.linspace(0, 1, 256), table[shades[blocks]])


@cache
def _table(name: str) -> np.ndarray:
    return np.asarray(pg.colormap.get(name).getLookupTable(*_RANGES[name], 256))[:, :3].astype(np.uint8)
