"""Keys drawn as the caps of a keyboard."""

from __future__ import annotations

import re

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QKeySequence, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui import theme
from gui.zoom import Px

_PAD_PX, _GAP_PX, _RADIUS_PX = Px(5.0), Px(3.0), 3.0
_SIGNS = {"Up": "↑", "Down": "↓", "Left": "←", "Right": "→", "Return": "⏎"}
_CAP = re.compile(r"[^+]+|(?<=\+)\+$|^\+$")


def caps_of(keys: str) -> list[str]:
    """The caps of a shortcut in Qt's portable form, named as on this system: ['Ctrl', 'K']."""
    shown = _CAP.findall(QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) or keys)
    return [_SIGNS.get(cap, cap) for cap in shown]


def width_of(caps: list[str]) -> float:
    """The width of the caps side by side, in pixels."""
    widths = [_cap_width(cap) for cap in caps]
    return sum(widths) + _GAP_PX * max(0, len(widths) - 1)


def height_px() -> float:
    return QFontMetricsF(theme.ui_font("small")).height() + 2


def paint_caps(painter: QPainter, left: float, middle: float, caps: list[str]) -> None:
    """Paint caps from `left`, around the height `middle`."""
    colours = theme.current()
    painter.save()
    painter.setFont(theme.ui_font("small"))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for cap in caps:
        box = QRectF(left + 0.5, middle - height_px() / 2 + 0.5, _cap_width(cap) - 1, height_px() - 1)
        painter.setPen(QPen(QColor(colours.border_strong), 1))
        painter.setBrush(QColor(colours.raised))
        painter.drawRoundedRect(box, _RADIUS_PX, _RADIUS_PX)
        painter.drawLine(box.bottomLeft() + QPointF(2, 1), box.bottomRight() + QPointF(-2, 1))
        painter.setPen(QColor(colours.muted))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, cap)
        left += _cap_width(cap) + _GAP_PX
    painter.restore()


class KeyCaps(QWidget):
    """The caps of keys, for a line of hints."""

    def __init__(self, *keys: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._caps = [cap for each in keys for cap in caps_of(each)]
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(round(width_of(self._caps)) + 1, round(height_px()) + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_caps(painter, 0, self.height() / 2, self._caps)
        painter.end()


def _cap_width(cap: str) -> float:
    return max(height_px(), QFontMetricsF(theme.ui_font("small")).horizontalAdvance(cap) + 2 * _PAD_PX)
