"""Fills a menu bar from a table: the text of each action, what it does, and its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenuBar

from core.contracts.text import Text
from gui.translation import show_text

Entry = tuple[Text, Callable[[], object], tuple[str, ...]] | None
"""Text, what it does, its keys; None is a separator."""


def build_menus(bar: QMenuBar, menus: Iterable[tuple[Text, Sequence[Entry]]]) -> None:
    """One menu per title, one action per entry."""
    for title, entries in menus:
        menu = bar.addMenu("")
        show_text(menu.setTitle, title)
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            text, work, keys = entry
            action = menu.addAction("")
            show_text(action.setText, text)
            action.setShortcuts([QKeySequence(key) for key in keys])
            action.triggered.connect(lambda _=False, work=work: work())
