"""Places the window so that all of it is on a screen. Rectangles are in logical pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QRect, QSize
from PySide6.QtGui import QGuiApplication

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_TITLE_BAR_PX = 36
"""Space for the title bar: it is above a window's geometry, and its height is unknown until the window is shown."""


def place_window(window: QWidget, size: QSize, remembered: QByteArray | None) -> None:
    """Place the window where it was last, or in the middle of the primary screen; all of it is visible."""
    window.setGeometry(centred(size, _screens()[0]))
    if remembered is not None:
        window.restoreGeometry(remembered)
    keep_on_screen(window)


def keep_on_screen(window: QWidget) -> None:
    """Shrink and move the window until all of it is visible, as far as what it shows allows: larger texts may have made
    it wider than its screen, and smaller ones leave it so."""
    if not window.isMaximized() and not window.isFullScreen():
        window.setGeometry(fitted(window.geometry(), _screens()))


def centred(size: QSize, screen: QRect) -> QRect:
    """A window of that size, or of the size that fits, in the middle of a screen's available geometry."""
    space = _below_title_bar(screen)
    geometry = QRect(space.topLeft(), size.boundedTo(space.size()))
    geometry.moveCenter(space.center())
    return geometry


def fitted(geometry: QRect, screens: Sequence[QRect]) -> QRect:
    """The geometry, moved and shrunk until it fits into the screen that shows most of it.

    `screens` are the available geometries, the primary one first. A window that is on none of them moves to the middle
    of the primary one.
    """
    if any(_below_title_bar(screen).contains(geometry) for screen in screens):
        return geometry
    screen = max(screens, key=lambda screen: _area(screen.intersected(geometry)))
    if not screen.intersects(geometry):
        return centred(geometry.size(), screen)
    space = _below_title_bar(screen)
    size = geometry.size().boundedTo(space.size())
    left = min(max(geometry.left(), space.left()), space.right() + 1 - size.width())
    top = min(max(geometry.top(), space.top()), space.bottom() + 1 - size.height())
    return QRect(left, top, size.width(), size.height())


def _screens() -> list[QRect]:
    """The available geometries, the primary one first."""
    primary = QGuiApplication.primaryScreen()
    others = [screen for screen in QGuiApplication.screens() if screen is not primary]
    return [screen.availableGeometry() for screen in (primary, *others)]


def _below_title_bar(screen: QRect) -> QRect:
    return screen.adjusted(0, _TITLE_BAR_PX, 0, 0)


def _area(rectangle: QRect) -> int:
    return rectangle.width() * rectangle.height() if rectangle.isValid() else 0
