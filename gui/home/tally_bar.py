"""How many questions have been checked on this machine, and how that turned out: a bar in the colours of verdicts."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.contracts.text import listed, tr
from gui import theme
from gui.home.standing import Tally
from gui.translation import show_text

_HEIGHT_PX = 6


class TallyBar(QWidget):
    """Each verdict has its share of the bar; what is left was not run here yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tally = Tally(0, ())
        self.setFixedHeight(_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.notifier().changed.connect(self.update)

    def show_tally(self, tally: Tally) -> None:
        self._tally = tally
        counts = [tr("{count} {verdict}", count=count, verdict=verdict.label) for verdict, count in tally.by_verdict]
        rest = tr("{count} not run here yet", count=tally.total - tally.checked)
        for setter in (self.setToolTip, self.setAccessibleName):
            show_text(setter, listed([*counts, rest]))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, _HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = theme.current()
        whole = QRectF(self.rect())
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            rounded = QPainterPath()
            rounded.addRoundedRect(whole, _HEIGHT_PX / 2, _HEIGHT_PX / 2)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.raised))
            painter.drawPath(rounded)
            painter.setClipPath(rounded)
            left = 0.0
            for verdict, count in self._tally.by_verdict:
                width = whole.width() * count / max(1, self._tally.total)
                painter.fillRect(QRectF(left, 0, width, _HEIGHT_PX), QColor(colours.verdicts[verdict]))
                left += width
