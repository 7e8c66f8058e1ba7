"""One line of text that is never cut in the middle: shorter wordings, then an ellipsis."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from core.contracts.text import Text
from core.outside import shown_label
from gui import theme
from gui.translation import show_text
from gui.zoom import Px

_FEW_LETTERS = 4
_LEAST_PX = Px(24)


class FittedLabel(QLabel):
    """Takes the width that is there. `text` is the first wording; what is painted is the longest that fits, else the
    last with an ellipsis on the side that `elide` says: an empty last wording leaves nothing where none fits."""

    def __init__(
        self,
        *wordings: Text | str,
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        role: Literal["small", "title", "question"] = "small",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._elide, self._role = elide, role
        self._wordings: tuple[Text | str, ...] = ()
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.set_wordings(*wordings)

    def hug_text(self) -> None:
        """Take no more width than the text needs, and less where there is less."""
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def set_wordings(self, *wordings: Text | str) -> None:
        """Longest first; none clears the label."""
        self._wordings = wordings or ("",)
        show_text(self.setText, self._wordings[0])
        show_text(self.setToolTip, self._wordings[0])

    @property
    def shown(self) -> str:
        """What is painted: nothing where only a few letters would be left."""
        metrics = self.fontMetrics()
        texts = [shown_label(str(wording)) for wording in self._wordings]
        fitting = (text for text in texts if metrics.horizontalAdvance(text) <= self.width())
        last = metrics.elidedText(texts[-1], self._elide, self.width())
        return next(fitting, last if len(last) > _FEW_LETTERS else "")

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST_PX, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = theme.current()
        with QPainter(self) as painter:
            painter.setPen(QColor(colours.text if self._role == "title" else colours.muted))
            painter.drawText(self.rect(), self.alignment() | Qt.AlignmentFlag.AlignVCenter, self.shown)
