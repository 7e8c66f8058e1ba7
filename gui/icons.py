"""Icons: the SVGs of resources/icons in a colour of the theme, sharp on any display."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

_FOLDER = Path(__file__).resolve().parents[1] / "resources" / "icons"
_SIDES_PX = (16, 24, 48)


def icon(name: str, colour: str, *, checked: str | None = None, disabled: str | None = None) -> QIcon:
    """The icon of that file name, stroked in `colour`, or in another while its button is on or disabled.

    An unknown name gets the icon 'topic', so that a new page has one before it has its own.
    """
    drawn = QIcon()
    for side in _SIDES_PX if _is_fine() else _SIDES_PX[:-1]:
        drawn.addPixmap(_pixmap(name, colour, side))
        if checked is not None:
            drawn.addPixmap(_pixmap(name, checked, side), QIcon.Mode.Normal, QIcon.State.On)
        if disabled is not None:
            drawn.addPixmap(_pixmap(name, disabled, side), QIcon.Mode.Disabled)
    return drawn


def application_icon() -> QIcon:
    """The icon of the program, in its own colours."""
    return QIcon(str(_FOLDER / "tilescope.svg"))


def _is_fine() -> bool:
    """Whether a screen has several pixels where a size has one: the largest is for them."""
    app = QGuiApplication.instance()
    return isinstance(app, QGuiApplication) and app.devicePixelRatio() > 1


@cache
def _source(name: str) -> str:
    path = _FOLDER / f"{name}.svg"
    return (path if path.exists() else _FOLDER / "topic.svg").read_text(encoding="utf-8")


@cache
def _shape(name: str, side_px: int) -> QPixmap:
    """Black where the icon is, as opaque as the icon is there."""
    renderer = QSvgRenderer(QByteArray(_source(name).replace("currentColor", "#000000").encode()))
    shape = QPixmap(QSize(side_px, side_px))
    shape.fill(Qt.GlobalColor.transparent)
    painter = QPainter(shape)
    renderer.render(painter)
    painter.end()
    return shape


def _pixmap(name: str, colour: str, side_px: int) -> QPixmap:
    pixmap = QPixmap(QSize(side_px, side_px))
    pixmap.fill(Qt.GlobalColor.transparent)  # now it can be see-through
    pixmap.fill(QColor(colour))
    painter = QPainter(pixmap)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationIn)
    painter.drawPixmap(0, 0, _shape(name, side_px))
    painter.end()
    return pixmap
