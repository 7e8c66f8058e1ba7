"""Fills a menu bar from a table: the text of each action, what it does, and its keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenuBar

Entry = tuple[str, Callable[[], object], tuple[str, ...]] | None
"""Text, what it does, its keys; None is a separator."""


def build_menus(bar: QMenuBar, menus: Mapping[str, Sequence[Entry]]) -> None:
    """One menu per title, one action per entry."""
    for title, entries in menus.items():
        menu = bar.addMenu(title)
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            text, work, keys = entry
            action = menu.addAction(text)
            action.setShortcuts([QKeySequence(key) for key in keys])
            action.triggered.connect(lambda _=False, work=work: work())
