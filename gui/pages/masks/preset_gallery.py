"""A row of thumbnails with names: one click applies a preset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from gui import theme as themes
from gui.charts.palette import rgb
from gui.widgets.wrapped_text import wrapped
from gui.zoom import Px

_PICTURE_PX, _HEIGHT_PX = Px(32), Px(74)
_NARROW_PX = Px(100)


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A title, a description, and a picture: shares float32 [height, width], 0 to 1."""

    id: str
    title: str
    about: str
    shares: np.ndarray


class PresetGallery(QWidget):
    """`chosen` carries the id of the clicked preset."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, _Thumb] = {}
        self._group = QButtonGroup(self)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(6, 3, 6, 2)
        self._row.setSpacing(2)

    def set_thumbnails(self, thumbnails: Sequence[Thumbnail]) -> None:
        """Show these thumbnails; those that exist take new texts."""
        for thumbnail in thumbnails:
            if thumbnail.id not in self.buttons:
                self.buttons[thumbnail.id] = self._add(thumbnail.id)
            self.buttons[thumbnail.id].show_thumbnail(thumbnail)

    def mark(self, preset_id: str | None) -> None:
        """Mark the preset that is applied unchanged; None if the mask is a different one."""
        self._group.setExclusive(False)
        for thumb_id, button in self.buttons.items():
            button.setChecked(thumb_id == preset_id)
        self._group.setExclusive(preset_id is not None)

    def _add(self, preset_id: str) -> _Thumb:
        button = _Thumb()
        button.clicked.connect(lambda: self.chosen.emit(preset_id))
        self._group.addButton(button)
        self._row.addWidget(button)
        return button


class _Thumb(QAbstractButton):
    """The picture above, the name in two lines below."""

    def __init__(self) -> None:
        super().__init__()
        self._shares, self._title = np.zeros((1, 1), np.float32), ""
        self._hovered = False
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_thumbnail(self, thumbnail: Thumbnail) -> None:
        self._shares, self._title = thumbnail.shares, thumbnail.title
        self.setAccessibleName(thumbnail.title)
        self.setToolTip(f"{thumbnail.title}\n{thumbnail.about}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(92, _HEIGHT_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(64, _HEIGHT_PX)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        super().leaveEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = themes.current()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self.isChecked() or self._hovered or self.hasFocus():
                on = self.isChecked()
                painter.setBrush(QColor(theme.accent_soft if on else theme.hover))
                ringed = on or self.hasFocus()
                ring = QColor(theme.text if on and self.hasFocus() else theme.accent)
                painter.setPen(QPen(ring, 1) if ringed else Qt.PenStyle.NoPen)
                painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 5, 5)
            box = QRectF((self.width() - _PICTURE_PX) / 2, 5, _PICTURE_PX, _PICTURE_PX)
            painter.drawImage(box, _image(self._shares, rgb(theme.sunken), rgb(theme.tiles["full"])))
            painter.setPen(QPen(QColor(theme.border_strong), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box)
            font = themes.ui_font("small")
            if self.width() < _NARROW_PX:
                font.setPixelSize(font.pixelSize() - 1)
            painter.setFont(font)
            painter.setPen(QColor(theme.text if self.isChecked() else theme.muted))
            flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
            lines = wrapped(self._title, font, self.width() - 4, 2)
            below = QRectF(2, box.bottom() + 4, self.width() - 4, self.height() - box.bottom() - 5)
            painter.drawText(below, int(flags), "\n".join(lines))


def _image(shares: np.ndarray, hidden: tuple[int, int, int], seen: tuple[int, int, int]) -> QImage:
    low, high = np.array(hidden, np.float32), np.array(seen, np.float32)
    pixels = np.ascontiguousarray(np.rint(low + shares[..., None] * (high - low)).astype(np.uint8))
    height, width, _ = pixels.shape
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
