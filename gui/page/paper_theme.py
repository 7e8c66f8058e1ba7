"""A window in the light theme for as long as it is printed: paper is white."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QDeadlineTimer, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from gui import theme
from gui.widgets.latest_work import LatestWork

_LIGHT = "light"
_REST_MS, _DRAWN_WITHIN_MS = 40, 5000
"""How long nothing is drawn until a picture is taken to be finished, and how long one waits for that at most."""


@contextmanager
def light_theme(picture: QWidget) -> Iterator[None]:
    """While active, everything has the colours of paper, also what is drawn in other threads. The screen does not show
    it: the window is not painted meanwhile."""
    before = theme.current().name
    app, window = QApplication.instance(), picture.window()
    if before == _LIGHT or not isinstance(app, QApplication):
        yield
        return
    window.setUpdatesEnabled(False)
    try:
        theme.apply(app, _LIGHT)
        _wait_until_drawn(picture)
        window.setUpdatesEnabled(True)  # without it, nothing is rendered; the screen is painted later
        yield
    finally:
        window.setUpdatesEnabled(False)
        theme.apply(app, before)
        window.setUpdatesEnabled(True)


def _wait_until_drawn(picture: QWidget) -> None:
    deadline = QDeadlineTimer(_DRAWN_WITHIN_MS)
    _rest()
    while any(work.busy for work in picture.findChildren(LatestWork)) and not deadline.hasExpired():
        _rest()


def _rest() -> None:
    loop = QEventLoop()
    QTimer.singleShot(_REST_MS, loop.quit)
    loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
