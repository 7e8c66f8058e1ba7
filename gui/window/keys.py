"""The shortcuts of the window, and the controls that need the same keys themselves."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QPlainTextEdit,
    QSlider,
    QTabBar,
    QTextEdit,
    QWidget,
)

from core.contracts.text import tr

SHORTCUTS = (
    ("F5, Ctrl+R", tr("Run")),
    ("Esc", tr("Cancel the run, close the message or restore a maximised plot")),
    ("Space", tr("Play or pause")),
    ("Left, Right", tr("Step back or forward")),
    ("Ctrl+1 … Ctrl+9", tr("Open a page")),
    ("Ctrl+Z, Ctrl+Shift+Z", tr("Undo or redo a parameter change")),
    ("Ctrl+B", tr("Show or hide the parameters")),
    ("Ctrl+J", tr("Expand or collapse the tabs")),
    ("Ctrl+S", tr("Save a picture of the window")),
    ("Ctrl+T", tr("Switch between dark and light")),
    ("Ctrl+L", tr("Switch between English and Chinese")),
    ("F1", tr("Show the keyboard shortcuts")),
    ("Ctrl+Q", tr("Quit")),
)
_ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right)
_NEED_ARROWS = (QSlider, QTabBar, QComboBox, QAbstractItemView, QTextEdit, QPlainTextEdit)
_NEED_SPACE = (QAbstractButton, QComboBox, QAbstractItemView)


def shortcuts_as_html() -> str:
    """A table of the keys and their actions."""
    rows = "".join(
        f"<tr><td><code>{keys}</code>&nbsp;&nbsp;&nbsp;</td><td>{action}</td></tr>" for keys, action in SHORTCUTS
    )
    return f"<table cellpadding='3'>{rows}</table>"


class KeyGuard(QObject):
    """A focused button keeps its Space key and a focused slider its arrow keys, although both are shortcuts.

    Qt sends the focused widget a ShortcutOverride before it triggers a shortcut; accepting it gives the key to the
    widget. The guard filters only the events of the focused widget: filtering those of the whole application in Python
    would add a millisecond or more to every redraw.
    """

    def follow(self, old: QWidget | None, new: QWidget | None) -> None:
        """Slot of QApplication.focusChanged."""
        if old is not None:
            old.removeEventFilter(self)
        if isinstance(new, (*_NEED_ARROWS, *_NEED_SPACE)):
            new.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and not event.modifiers():
            wants_arrow = event.key() in _ARROWS and isinstance(watched, _NEED_ARROWS)
            wants_space = event.key() == Qt.Key.Key_Space and isinstance(watched, _NEED_SPACE)
            if wants_arrow or wants_space:
                event.accept()
                return True
        return False
