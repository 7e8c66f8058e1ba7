"""The tokens that prove a finding, in as many lines as the width asks for. A click shows them in the conversation."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from core.chat.doctor import Evidence
from core.contracts.text import tr
from gui import theme as themes
from gui.pages.dialogue.token_source import visible_token
from gui.theme import Theme, mix
from gui.translation import show_text
from gui.widgets.figure import Canvas
from gui.widgets.keyboard_nav import PICKS
from gui.zoom import Px

_LINE_PX, _CHIP_PX, _GAP_PX, _PAD_PX = Px(20), Px(17), Px(2.0), Px(4.0)


class EvidenceStrip(Canvas):
    """`picked` carries the Evidence when it is of the page's conversation and was clicked, or chosen with Enter."""

    picked = Signal(object)

    def __init__(self, evidence: Evidence, *, is_own: bool, parent: QWidget | None = None) -> None:
        """`is_own`: the tokens are of the conversation that the page shows."""
        super().__init__(parent)
        self.evidence, self.is_own = evidence, is_own
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        show_text(self.setAccessibleName, evidence.note)
        if is_own:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
            self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            show_text(self.setToolTip, tr("Click to see these tokens in the conversation."))

    def sizeHint(self) -> QSize:
        return QSize(200, self.heightForWidth(200))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, _LINE_PX)

    def heightForWidth(self, width: int) -> int:
        boxes = self.boxes(width)
        return round(boxes[-1].top()) + _LINE_PX if boxes else 0

    @property
    def texts(self) -> list[str]:
        """The tokens as they are shown; an ellipsis at the end where there are more."""
        evidence = self.evidence
        shown = [visible_token(token) or "∅" for token in evidence.tokens]
        return [*shown, "…"] if evidence.end - evidence.start > len(shown) else shown

    def boxes(self, width: float) -> list[QRectF]:
        metrics = QFontMetricsF(themes.mono_font("small"))
        found, x, y = [], 0.0, 0.0
        for text in self.texts:
            wide = min(width, metrics.horizontalAdvance(text) + 2 * _PAD_PX)
            if x and x + wide > width:
                x, y = 0.0, y + _LINE_PX
            found.append(QRectF(x, y + 1, wide, _CHIP_PX))
            x += wide + _GAP_PX
        return found

    def paint(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(themes.mono_font("small"))
        targets = (*self.evidence.targets, *[False] * len(self.texts))
        for text, box, is_target in zip(self.texts, self.boxes(self.width()), targets, strict=False):
            painter.setPen(QPen(QColor(theme.accent if self.hasFocus() else theme.border), 1))
            painter.setBrush(QColor(mix(theme.sunken, theme.good, 0.30) if is_target else theme.sunken))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
            painter.setPen(QColor(theme.text))
            fitted = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width() - 2))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, fitted)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.is_own and event.button() is Qt.MouseButton.LeftButton:
            self.picked.emit(self.evidence)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in PICKS:
            self.picked.emit(self.evidence)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()
