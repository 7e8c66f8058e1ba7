"""An error on its page: one sentence that can be dismissed, never a dialog."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from core.contracts.text import Text, tr
from gui import theme
from gui.icons import icon
from gui.translation import show_text
from gui.widgets.close_button import CloseButton


class Banner(QFrame):
    """Hidden until there is an error. `dismissed` is emitted when the user closes it, `restart_requested` when the user
    accepts its offer to replace the worker."""

    dismissed = Signal()
    restart_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self._mark = QLabel()
        self._label = QLabel()
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setWordWrap(True)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.restart = QPushButton()
        show_text(self.restart.setText, tr("Restart worker"))
        self.restart.hide()
        self.restart.clicked.connect(self._request_restart)
        close = CloseButton(tr("Dismiss"), tr("{action} ({key})", action=tr("Dismiss"), key="Esc"))
        close.clicked.connect(self.dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 5, 5, 5)
        layout.addWidget(self._mark)
        layout.addWidget(self._label, 1)
        layout.addWidget(self.restart)
        layout.addWidget(close)
        self.hide()
        self._recolour()
        theme.notifier().changed.connect(self._recolour)

    @property
    def sentence(self) -> str:
        """What is shown, '' when hidden."""
        return "" if self.isHidden() else self._label.text()

    def show_error(self, sentence: Text | str, detail: str = "", *, offers_restart: bool = False) -> None:
        """Show one sentence. `detail` goes to the Log tab; here only the tooltip mentions it."""
        show_text(self._label.setText, sentence)
        show_text(self._label.setToolTip, tr("The Log tab has the details.") if detail else "")
        self.restart.setVisible(offers_restart)
        self.show()

    def dismiss(self) -> None:
        self.hide()
        self.dismissed.emit()

    def _request_restart(self) -> None:
        self.dismiss()
        self.restart_requested.emit()

    def _recolour(self) -> None:
        self._mark.setPixmap(icon("warning", theme.current().bad).pixmap(16, 16))
