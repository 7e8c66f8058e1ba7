"""A picture of a widget as a PNG or SVG, with a footer that says how its numbers were obtained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPaintDevice, QPainter

from core import run_files
from core.contracts.text import listed, tr
from core.outside import shown_label
from core.wording import backend
from gui import theme
from gui.page.export import svg_of, write_picture

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from core.contracts.result import Result
    from core.run_files import SavedRun

FOOTER_PX = 24
_SCALE = 2.0
"""Device pixels per logical pixel in a PNG: sharp text on any display."""


def save_picture(content: QWidget, footer: str, path: Path, scale: float = _SCALE) -> None:
    """The widget and the footer as a PNG or, where the name ends in .svg, an SVG. Raises TilescopeError."""
    write_picture(path, picture_of(content, footer, path, scale))


def picture_of(content: QWidget, footer: str, path: Path, scale: float = _SCALE) -> QImage | bytes:
    """What `write_picture` writes to `path`."""
    size = QSize(content.width(), content.height() + FOOTER_PX)
    if path.suffix.lower() == ".svg":
        return svg_of(lambda device: _paint(device, content, size, footer), size, f"Tilescope: {path.stem}")
    image = QImage(size * scale, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(scale)
    _paint(image, content, size, footer)
    return image


def footer_text(topic_id: str | None, result: Result | None, recorded: SavedRun | None = None) -> str:
    """The topic of a page, and how the numbers of its result were obtained; where and when, if it is a recorded run."""
    if topic_id is None:
        return "Tilescope"
    if result is None:
        return "  ·  ".join(("Tilescope", topic_id, str(tr("modelled, nothing was run"))))
    environment = result.environment
    metrics = result.metrics if recorded is None else run_files.as_recorded(result.metrics)
    provenances = sorted({metric.provenance for metric in metrics.values()})
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
    parts = [
        "Tilescope",
        result.topic,
        environment.device if recorded is None else str(run_files.place_and_time(recorded)),
        str(backend(environment)),
        str(listed(each.label for each in provenances)),
        versions,
    ]
    return "  ·  ".join(part for part in parts if part)


def _paint(device: QPaintDevice, content: QWidget, size: QSize, footer: str) -> None:
    colours = theme.current()
    painter = QPainter(device)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(QRect(QPoint(), size), QColor(colours.background))
    content.render(painter, QPoint())
    bar = QRect(0, size.height() - FOOTER_PX, size.width(), FOOTER_PX)
    painter.fillRect(bar, QColor(colours.surface))
    painter.setPen(QColor(colours.border))
    painter.drawLine(bar.topLeft(), bar.topRight())
    painter.setPen(QColor(colours.muted))
    painter.setFont(theme.ui_font("small"))
    text = painter.fontMetrics().elidedText(shown_label(footer), Qt.TextElideMode.ElideRight, size.width() - 24)
    painter.drawText(bar.adjusted(12, 0, -12, 0), Qt.AlignmentFlag.AlignVCenter, text)
    painter.end()
