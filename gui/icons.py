"""Icons: the SVGs of resources/icons in a colour of the theme, sharp on any display."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

_FOLDER = Path(__file__).resolve().parents[1] / "resources" / "icons"
_SIDES_PX = (16, 24, 48)


def icon(name: str, colour: str, *, checked: str | None = None, disabled: str | None = None) -> QIcon:
    """The icon of that file name, stroked in `colour`, or in another while its button is on or disabled.

    An unknown name gets the icon 'topic', so that a new page has one before it has its own.
    """
    drawn = QIcon()
    for side in _SIDES_PX:
        drawn.addPixmap(_pixmap(name, colour, side))
        if checked is not None:
            drawn.addPixmap(_pixmap(name, checked, side), QIcon.Mode.Normal, QIcon.State.On)
        if disabled is not None:
            drawn.addPixmap(_pixmap(name, disabled, side), QIcon.Mode.Disabled)
    return drawn


@cache
def _source(name: str) -> str:
    path = _FOLDER / f"{name}.svg"
    return (path if path.exists() else _FOLDER / "topic.svg").read_text(encoding="utf-8")


def _pixmap(name: str, colour: str, side_px: int) -> QPixmap:
    renderer = QSvgRenderer(QByteArray(_source(name).replace("currentColor", colour).encode()))
    pixmap = QPixmap(QSize(side_px, side_px))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter)
    painter.end()
    return pixmap
