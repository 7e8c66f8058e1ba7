"""Fills the menus of a menu bar from the table of actions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtGui import QKeySequence

from gui.translation import show_text
from gui.window.actions import Action, Menu, Submenu

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMenu, QMenuBar


def fill_menus(bar: QMenuBar, menus: Iterable[Menu]) -> None:
    """One item per action, with the id of the action as its object name, in the menus that `name_menus` made. A menu
    that has its items keeps them."""
    for named, each in zip(bar.actions(), menus, strict=True):
        menu = named.menu()
        if menu.isEmpty():
            for entry in each.entries:
                _add_entry(menu, entry)


def _add_entry(menu: QMenu, entry: Action | Submenu | None) -> None:
    if entry is None:
        menu.addSeparator()
    elif isinstance(entry, Submenu):
        _add_submenu(menu, entry)
    else:
        _add(menu, entry)


def _add(menu: QMenu, action: Action) -> None:
    item = menu.addAction("")
    item.setObjectName(action.id)
    show_text(item.setText, action.text)
    item.setShortcuts([QKeySequence(key) for key in action.keys])
    item.triggered.connect(lambda _=False: action.work())


def _add_submenu(menu: QMenu, entry: Submenu) -> None:
    submenu = menu.addMenu("")
    show_text(submenu.setTitle, entry.title)

    def fill() -> None:
        submenu.clear()
        for action in entry.actions():
            _add(submenu, action)

    submenu.aboutToShow.connect(fill)
    menu.aboutToShow.connect(lambda: submenu.setEnabled(bool(entry.actions())))
