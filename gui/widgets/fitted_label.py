"""One line of small print that is never cut in the middle: shorter wordings, then an ellipsis."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from core.contracts.text import Text
from gui import theme
from gui.translation import show_text

_FEW_LETTERS = 4


class FittedLabel(QLabel):
    """Takes the width that is there. `text` is the first wording; what is painted is the longest that fits, else the
    last with an ellipsis where `elide` says: an empty last wording leaves nothing where none fits."""

    def __init__(
        self,
        *wordings: Text | str,
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._elide = elide
        self._wordings: tuple[Text | str, ...] = ()
        self.setProperty("role", "small")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.set_wordings(*wordings)

    def set_wordings(self, *wordings: Text | str) -> None:
        """Longest first; none clears the label."""
        self._wordings = wordings or ("",)
        show_text(self.setText, self._wordings[0])
        show_text(self.setToolTip, self._wordings[0])

    @property
    def shown(self) -> str:
        """What is painted: nothing where only a few letters would be left."""
        metrics = self.fontMetrics()
        texts = [str(wording) for wording in self._wordings]
        fitting = (text for text in texts if metrics.horizontalAdvance(text) <= self.width())
        last = metrics.elidedText(texts[-1], self._elide, self.width())
        return next(fitting, last if len(last) > _FEW_LETTERS else "")

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setPen(QColor(theme.current().muted))
            painter.drawText(self.rect(), self.alignment() | Qt.AlignmentFlag.AlignVCenter, self.shown)
