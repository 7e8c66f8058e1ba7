"""The menu bar: every action of the window with its keys, in one table a menu."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QKeySequence

from core.contracts.topic import Topic
from gui.page.engine_bridge import EngineBridge

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow

Entry = tuple[str, Callable[[], object], tuple[str, ...]] | None
"""Text, what it does, its keys; None is a separator."""


def build_menus(window: MainWindow, bridge: EngineBridge, topics: Mapping[str, Topic]) -> None:
    """Fill the window's menu bar."""
    pages: list[Entry] = [
        (topic.title.en, partial(window.open_page, topic.id), (f"Ctrl+{number}",) if number <= 9 else ())
        for number, topic in enumerate(topics.values(), start=1)
    ]
    menus: dict[str, list[Entry]] = {
        "&File": [
            ("Save picture…", window.save_picture, ("Ctrl+S",)),
            None,
            ("Quit", window.close, ("Ctrl+Q",)),
        ],
        "&Edit": [
            ("Undo", window.undo, ("Ctrl+Z",)),
            ("Redo", window.redo, ("Ctrl+Shift+Z",)),
            ("Default parameters", window.reset_params, ()),
        ],
        "&Run": [
            ("Run", window.run, ("F5", "Ctrl+R")),
            ("Cancel", window.escape, ("Esc",)),
            ("Clear result", window.clear, ()),
            None,
            ("Restart worker", bridge.restart, ()),
        ],
        "&Play": [
            ("Play or pause", window.toggle_play, ("Space",)),
            ("Step back", partial(window.step, -1), ("Left",)),
            ("Step on", partial(window.step, 1), ("Right",)),
        ],
        "&View": [
            *pages,
            None,
            ("Show or hide parameters", window.toggle_side, ("Ctrl+B",)),
            ("Open or collapse the tabs", window.toggle_tabs, ("Ctrl+J",)),
            ("Dark or light", window.toggle_theme, ("Ctrl+T",)),
            ("English or Chinese", window.toggle_language, ("Ctrl+L",)),
        ],
        "&Help": [("Keys", window.show_shortcuts, ("F1",))],
    }
    for title, entries in menus.items():
        menu = window.menuBar().addMenu(title)
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            text, work, keys = entry
            action = menu.addAction(text)
            action.setShortcuts([QKeySequence(key) for key in keys])
            action.triggered.connect(lambda _=False, work=work: work())
