"""Files dropped on the window, wherever on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QDropEvent

from core.demos.finding import SUFFIX as DEMO_SUFFIX
from core.run_files.names import SUFFIX
from gui.widgets.dragged_file import dragged_file

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_TAKEN_FIRST = (SUFFIX, DEMO_SUFFIX)
_DRAGS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)


class FileDrops(QObject):
    """Gives `open` the path of a dropped file.

    A saved run and a demo are taken before any field or picture under the mouse is asked: no parameter is one. Any
    other file gets here only if nothing under the mouse takes it.
    """

    def __init__(self, window: QWidget, open: Callable[[str], object]) -> None:
        super().__init__(window)
        self._window, self._open = window, open
        window.setAcceptDrops(True)
        window.installEventFilter(self)
        if window.windowHandle() is not None:
            window.windowHandle().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and watched is self._window:
            self._window.windowHandle().installEventFilter(self)  # it sees drags first; it exists from now on
        if event.type() not in _DRAGS or not isinstance(event, QDropEvent):
            return False
        path = dragged_file(event.mimeData())
        if path is None or (watched is not self._window and not path.lower().endswith(_TAKEN_FIRST)):
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self._open(path)
        return True
