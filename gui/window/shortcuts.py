"""The list of keyboard shortcuts, from the table of actions."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui.palette.key_caps import KeyCaps
from gui.translation import show_text
from gui.window.actions import PAGE_PREFIX, Action, Menu, actions_in

_COLUMNS = 2
"""One would be higher than a small window."""


class ShortcutsDialog(QDialog):
    """The keys of every action that has some, and what it does."""

    def __init__(self, menus: Iterable[Menu], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        show_text(self.setWindowTitle, tr("Keyboard shortcuts"))
        listed = shortcuts(menus)
        rows = -(-len(listed) // _COLUMNS)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        for place, (keys, what) in enumerate(listed):
            row, column = place % rows, 3 * (place // rows)
            grid.addLayout(_caps(keys), row, column)
            grid.addWidget(_label(what), row, column + 1)
        grid.setColumnMinimumWidth(2, 24)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 14)
        layout.setSpacing(16)
        layout.addLayout(grid)
        layout.addWidget(buttons)


def shortcuts(menus: Iterable[Menu]) -> list[tuple[tuple[str, ...], Text]]:
    """Keys and what they do, in the order of the menus. The keys of the pages are one row for each modifier: the first
    and the last."""
    rows: list[tuple[tuple[str, ...], Text]] = []
    for modifier, group in groupby((each for each in actions_in(menus) if each.keys), _modifier_of_page):
        if modifier:
            rows.append((_range(list(group)), tr("Open a page")))
        else:
            rows += [(action.keys, action.description) for action in group]
    return rows


def _modifier_of_page(action: Action) -> str:
    """What is held down to open a page; empty for an action that opens none."""
    return action.keys[0].rpartition("+")[0] if action.id.startswith(PAGE_PREFIX) else ""


def _range(pages: list[Action]) -> tuple[str, ...]:
    first, last = pages[0].keys[0], pages[-1].keys[0]
    return (first,) if first == last else (first, "…", last)


def _caps(keys: tuple[str, ...]) -> QHBoxLayout:
    """Alternatives beside each other; what is no key stays a sign."""
    layout = QHBoxLayout()
    layout.setSpacing(8)
    for key in keys:
        layout.addWidget(QLabel(key) if key == "…" else KeyCaps(key))
    layout.addStretch(1)
    return layout


def _label(text: Text) -> QLabel:
    label = QLabel()
    show_text(label.setText, text)
    return label
