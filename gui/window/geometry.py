"""Where a window goes: whole on a screen, whatever was remembered. Rectangles are in logical pixels."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QByteArray, QRect, QSize
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

_TITLE_BAR_PX = 36
"""Room for the title bar, which stands above a window's geometry and is only known once the window is shown."""


def place_window(window: QWidget, size: QSize, remembered: QByteArray | None) -> None:
    """Where the window was last, or in the middle of the primary screen; whole on a screen in both cases."""
    primary = QGuiApplication.primaryScreen()
    others = [screen for screen in QGuiApplication.screens() if screen is not primary]
    screens = [screen.availableGeometry() for screen in (primary, *others)]
    window.setGeometry(centred(size, screens[0]))
    if remembered is not None:
        window.restoreGeometry(remembered)
    if not window.isMaximized() and not window.isFullScreen():
        window.setGeometry(fitted(window.geometry(), screens))


def centred(size: QSize, screen: QRect) -> QRect:
    """A window of that size, or as much as fits, in the middle of a screen's available geometry."""
    room = _room(screen)
    placed = QRect(room.topLeft(), size.boundedTo(room.size()))
    placed.moveCenter(room.center())
    return placed


def fitted(geometry: QRect, screens: Sequence[QRect]) -> QRect:
    """The geometry moved and made smaller until it is whole on the screen that shows most of it.

    `screens` are the available geometries, the primary one first: a window that is on none goes to its middle.
    """
    if any(_room(screen).contains(geometry) for screen in screens):
        return geometry
    screen = max(screens, key=lambda screen: _area(screen.intersected(geometry)))
    if not screen.intersects(geometry):
        return centred(geometry.size(), screen)
    room = _room(screen)
    size = geometry.size().boundedTo(room.size())
    left = min(max(geometry.left(), room.left()), room.right() + 1 - size.width())
    top = min(max(geometry.top(), room.top()), room.bottom() + 1 - size.height())
    return QRect(left, top, size.width(), size.height())


def _room(screen: QRect) -> QRect:
    return screen.adjusted(0, _TITLE_BAR_PX, 0, 0)


def _area(rectangle: QRect) -> int:
    return rectangle.width() * rectangle.height() if rectangle.isValid() else 0
