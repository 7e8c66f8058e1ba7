"""Reduced motion where the desktop asks for it, and the user has not chosen in the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from gui import motion
from gui.widgets.latest_work import LatestWork

if TYPE_CHECKING:
    from gui.window.settings import Settings


class DesktopMotion(QObject):
    """Asks once, beside the GUI thread: other programs answer."""

    def __init__(self, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self._settings = settings
        self._asking = LatestWork(self)
        self._asking.done.connect(self._follow)

    def ask(self) -> None:
        """Nothing is asked where the user has chosen."""
        if self._settings.reduced_motion is None:
            self._asking.request(_asks_for_less)

    def _follow(self, asks: bool) -> None:
        if asks and self._settings.reduced_motion is None:
            motion.use(reduced=True)


def _asks_for_less() -> bool:
    from core.desktop import asks_for_less_motion  # the window comes first

    return asks_for_less_motion()
