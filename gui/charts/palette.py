"""One colour a tensor, the same in every picture of a page: the series of the theme in turn."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QColor

from gui.theme import Theme


def tensor_inks(theme: Theme, names: Sequence[str]) -> dict[str, str]:
    """'#rrggbb' by name, in the order in which the names come."""
    return {name: theme.series[index % len(theme.series)] for index, name in enumerate(dict.fromkeys(names))}


def rgb(colour: str) -> tuple[int, int, int]:
    """The red, green and blue of a '#rrggbb'."""
    made = QColor(colour)
    return made.red(), made.green(), made.blue()
