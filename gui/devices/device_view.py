"""One device: where it is, a test of it, and the commands that start it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from core.engine import credentials
from core.engine.remote_device import RemoteDevice
from gui import theme
from gui.devices.report_view import ReportView
from gui.devices.steps_view import StepsView
from gui.devices.tester import Tester
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.scroll import VerticalScroll


class DeviceView(QWidget):
    """Shows a RemoteDevice, or this machine. Showing another one cancels the test."""

    def __init__(self, tester: Tester, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tester = tester
        self._device: RemoteDevice | None = None
        self._title = QLabel()
        self._title.setProperty("role", "heading")
        self._place = FittedLabel()
        self.test = QPushButton()
        show_text(self.test.setText, tr("Test"))
        self.test.setProperty("role", "primary")
        self.cancel = QPushButton()
        show_text(self.cancel.setText, tr("Cancel"))
        for button in (self.test, self.cancel):
            button.setAutoDefault(False)
        self.report, self.steps = ReportView(), StepsView()
        self.test.clicked.connect(self.begin_test)
        self.cancel.clicked.connect(self.cancel_test)
        tester.done.connect(self._on_done)
        self._lay_out()

    def show_device(self, device: RemoteDevice | None) -> None:
        """None is this machine."""
        self.cancel_test()
        self._device = device
        show_text(self._title.setText, tr("This machine") if device is None else device.name)
        self._place.set_wordings(_place(device))
        self.steps.setVisible(device is not None)
        if device is not None:
            self.steps.show_steps(device.address)

    def begin_test(self) -> None:
        self.report.show_waiting()
        self._show_busy(True)
        self._tester.test(None if self._device is None else self._device.address)

    def cancel_test(self) -> None:
        """Nothing is known then."""
        self._tester.cancel()
        self.report.show_nothing()
        self._show_busy(False)

    def _on_done(self, outcome: object) -> None:
        self.report.show_outcome(outcome)
        self._show_busy(False)
        if self._device is not None:
            self.steps.show_steps(self._device.address)  # credentials may have been made meanwhile

    def _show_busy(self, busy: bool) -> None:
        self.test.setEnabled(not busy)
        self.cancel.setEnabled(busy)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self.test)
        head.addWidget(self.cancel)
        body = QWidget()
        inside = QVBoxLayout(body)
        inside.setContentsMargins(0, 0, theme.GAP_M, 0)
        inside.setSpacing(theme.GAP_L)
        inside.addWidget(self.report, 1)
        inside.addWidget(self.steps)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GAP_M)
        layout.addLayout(head)
        layout.addWidget(self._place)
        layout.addWidget(VerticalScroll(body), 1)


def _place(device: RemoteDevice | None) -> Text:
    if device is None:
        return tr("“auto” is its GPU if it has one that PyTorch can use, else its CPU; “cpu” and “cuda” name them.")
    if not device.address.is_encrypted:
        return tr(
            "{address}, without encryption: anybody on the network can read what is sent there.", address=device.url
        )
    folder = device.credentials or str(credentials.default_folder())
    return tr("{address}, with the credentials in {folder}", address=device.url, folder=folder)
