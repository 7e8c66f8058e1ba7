"""The words beside what a tour lights, and the buttons that move it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from gui.tour.stop import Stop
from gui.translation import show_text
from gui.zoom import Px

_WIDTH_PX, _EDGE_PX, _GAP_PX = Px(340), Px(14), Px(8)


class Bubble(QFrame):
    """Shows a stop. The buttons ask for the next stop, the one before, or the end."""

    next_requested = Signal()
    back_requested = Signal()
    end_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "bubble")
        self.title, self.text, self.advice, self._place = (QLabel() for _ in range(4))
        self.title.setProperty("role", "title")
        self._place.setProperty("role", "small")
        for label in (self.text, self.advice):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
        self._end, self._back, self.next = QPushButton(), QPushButton(), QPushButton()
        self.next.setProperty("role", "primary")
        show_text(self._end.setText, tr("Close"))
        show_text(self._end.setToolTip, tr("{action} ({key})", action=tr("Close"), key="Esc"))
        show_text(self._back.setText, tr("Back"))
        self._end.clicked.connect(self.end_requested)
        self._back.clicked.connect(self.back_requested)
        self.next.clicked.connect(self.next_requested)
        self._lay_out()

    def show_stop(self, stop: Stop, index: int, count: int) -> None:
        """A screen reader reads the whole stop as what the button in focus is about."""
        show_text(self.title.setText, stop.title)
        show_text(self.text.setText, stop.text)
        show_text(self.advice.setText, tr("Try: {advice}", advice=stop.advice) if stop.advice else "")
        self.advice.setVisible(bool(stop.advice))
        show_text(self._place.setText, tr("{number} of {count}", number=index + 1, count=count))
        show_text(self.next.setText, tr("Done") if index + 1 == count else tr("Next"))
        show_text(self.next.setAccessibleDescription, _read_aloud(stop))
        self._back.setEnabled(index > 0)

    @property
    def buttons(self) -> tuple[QPushButton, ...]:
        return self._end, self._back, self.next

    def take_focus(self) -> None:
        self.next.setFocus(Qt.FocusReason.OtherFocusReason)

    def fitted(self) -> QSize:
        """The size that the words need at the width of a bubble."""
        self.ensurePolished()
        width = round(_WIDTH_PX)
        return QSize(width, self.layout().heightForWidth(width))

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(round(_GAP_PX))
        buttons.addWidget(self._place)
        buttons.addStretch(1)
        for button in self.buttons:
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        edge = round(_EDGE_PX)
        column.setContentsMargins(edge, edge, edge, edge)
        column.setSpacing(round(_GAP_PX))
        for label in (self.title, self.text, self.advice):
            column.addWidget(label)
        column.addLayout(buttons)


def _read_aloud(stop: Stop) -> Text:
    return tr("{title}. {text}", title=stop.title, text=stop.text)
