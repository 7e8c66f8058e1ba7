"""Whether things move by themselves: players, demos, and the effects of menus and lists.

The user's setting decides; without one, the system does. Qt 6.11 knows no preference of the system for this but
Windows' (“Animation effects”); elsewhere `gui.window.desktop_motion` asks the desktop.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

_reduced = False


def of_qt() -> bool:
    """Whether the system asks for reduced motion, as far as Qt knows."""
    return sys.platform == "win32" and not QApplication.isEffectEnabled(Qt.UIEffect.UI_General)


def is_reduced() -> bool:
    """Whether nothing moves by itself: players step once where they would play, demos wait for Next."""
    return _reduced


def use(*, reduced: bool) -> None:
    """Reduce motion from now on, or no longer. Needs the application."""
    global _reduced
    _reduced = reduced
    QApplication.setEffectEnabled(Qt.UIEffect.UI_General, not reduced)
