"""Numbers and pictures that the user saves as a file: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QRect, QSize
from PySide6.QtGui import QImage
from PySide6.QtSvg import QSvgGenerator

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.files import reason_of, write_whole


def write_numbers(path: str, text: str) -> None:
    """Write a table as text, whole or not at all. Raises TilescopeError where it cannot be written."""
    try:
        write_whole(Path(path), text.encode())
    except OSError as error:
        raise TilescopeError(
            tr(
                "The numbers cannot be written to {path} ({reason}): save them elsewhere.",
                path=path,
                reason=reason_of(error),
            )
        ) from error


def write_picture(path: Path, picture: QImage | bytes) -> None:
    """Write an image in the file type of the path, or the bytes of an SVG. Raises TilescopeError if that fails."""
    data = encoded(picture, path) if isinstance(picture, QImage) else picture
    try:
        write_whole(path, data)
    except OSError as error:
        raise TilescopeError(
            tr(
                "The picture cannot be written to {path} ({reason}): save it elsewhere.",
                path=str(path),
                reason=reason_of(error),
            )
        ) from error


def svg_of(paint: Callable[[QSvgGenerator], None], size: QSize, title: str) -> bytes:
    """An SVG of this size that `paint` draws. On the GUI thread."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(size)
    generator.setViewBox(QRect(0, 0, size.width(), size.height()))
    generator.setTitle(title)
    paint(generator)
    return bytes(buffer.data().data())


def encoded(image: QImage, path: Path) -> bytes:
    """The image in the file type of the path. Raises TilescopeError for a type that Qt does not write."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    kind = path.suffix.removeprefix(".").upper()
    if not kind or not image.save(buffer, kind):
        raise TilescopeError(
            tr("{file} cannot be written in its file type: save the picture as .png or .svg.", file=path.name)
        )
    return bytes(buffer.data().data())
