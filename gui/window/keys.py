"""The controls that need the keys of the window's shortcuts themselves."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QSlider,
    QTabBar,
    QTextEdit,
    QWidget,
)

_PALETTE = QKeySequence("Ctrl+K")
"""On some systems a text deletes the end of its line with it."""
_ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right)
_NEED_ARROWS = (QSlider, QTabBar, QComboBox, QAbstractItemView, QTextEdit, QPlainTextEdit)
_TEXTS = (QLineEdit, QAbstractSpinBox, QTextEdit, QPlainTextEdit)
_NEED_SPACE = (QAbstractButton, QComboBox, QAbstractItemView)


def _is_one_of_a_row(watched: QObject) -> bool:
    """Whether it is one of several buttons of which one is chosen, and was reached by keyboard: the arrows choose.
    After a click they are still those of the page."""
    if not isinstance(watched, QAbstractButton):
        return False
    group = watched.group()
    is_exclusive = watched.autoExclusive() if group is None else group.exclusive()
    return is_exclusive and watched.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange)


class KeyGuard(QObject):
    """A focused button keeps its Space key and a focused slider its arrow keys, although both are shortcuts.
    A text leaves the key of the command palette to the window.

    Qt sends the focused widget a ShortcutOverride before it triggers a shortcut; accepting it gives the key to the
    widget. The guard filters only the events of the focused widget: filtering those of the whole application in Python
    would add a millisecond or more to every redraw.
    """

    def follow(self, old: QWidget | None, new: QWidget | None) -> None:
        """Slot of QApplication.focusChanged."""
        if old is not None:
            old.removeEventFilter(self)
        if isinstance(new, (*_NEED_ARROWS, *_NEED_SPACE, *_TEXTS)):
            new.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
            return False
        if QKeySequence(event.keyCombination()) == _PALETTE:
            event.ignore()
            return True
        if not event.modifiers():
            wants_arrow = event.key() in _ARROWS and (isinstance(watched, _NEED_ARROWS) or _is_one_of_a_row(watched))
            wants_space = event.key() == Qt.Key.Key_Space and isinstance(watched, _NEED_SPACE)
            if wants_arrow or wants_space:
                event.accept()
                return True
        return False
