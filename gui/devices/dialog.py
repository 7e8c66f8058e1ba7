"""The dialog of the devices: a list at the left, the chosen one or the form for a new one at the right."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from core.contracts.text import tr
from core.engine.remote_device import RemoteDevice
from gui import theme, translation
from gui.devices.add_form import AddForm
from gui.devices.book import DeviceBook
from gui.devices.device_view import DeviceView
from gui.devices.tester import MakeInspection, Tester, inspection
from gui.translation import show_text

_SIZE_PX = (860, 560)
_LIST_PX = 190


class DevicesDialog(QDialog):
    """Edits the book. `removed` carries each RemoteDevice that was taken out of it. Closing it cancels the test."""

    removed = Signal(object)

    def __init__(self, book: DeviceBook, make: MakeInspection = inspection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        show_text(self.setWindowTitle, tr("Devices"))
        self.resize(*_SIZE_PX)
        self._book = book
        self.tester = Tester(make, self)
        self.list = QListWidget()
        self.list.setFixedWidth(_LIST_PX)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # a long name is elided
        show_text(self.list.setAccessibleName, tr("Devices"))
        self.view, self.form = DeviceView(self.tester), AddForm(lambda: book.names)
        self._right = QStackedWidget()
        self.add, self.remove, self.undo = QPushButton(), QPushButton(), QPushButton()
        show_text(self.add.setText, tr("Add…"))
        show_text(self.remove.setText, tr("Remove"))
        show_text(self.undo.setText, tr("Undo"))
        show_text(self.undo.setToolTip, tr("Put back the device that was removed last"))
        self._lay_out()
        self.add.clicked.connect(self.show_form)
        self.remove.clicked.connect(self._remove)
        self.undo.clicked.connect(self._undo)
        self.form.added.connect(self._add)
        self.form.left.connect(self._show_chosen)
        self.list.currentRowChanged.connect(self._show_chosen)
        self.finished.connect(self.tester.cancel)
        translation.notifier().changed.connect(self._name_first)
        self._fill(0)

    @property
    def chosen(self) -> RemoteDevice | None:
        """None for this machine."""
        row = self.list.currentRow()
        return self._book.devices[row - 1] if 0 < row <= len(self._book.devices) else None

    def show_form(self) -> None:
        self.view.cancel_test()
        self._right.setCurrentWidget(self.form)
        self.form.begin()

    def _add(self, device: RemoteDevice) -> None:
        self._book.add(device)
        self._fill(len(self._book.devices))
        self.view.begin_test()

    def _remove(self) -> None:
        device = self.chosen
        if device is not None:
            row = self.list.currentRow()
            self._book.remove(device)
            self._fill(min(row, len(self._book.devices)))
            self.removed.emit(device)

    def _undo(self) -> None:
        device = self._book.undo_remove()
        self._fill(1 + self._book.devices.index(device))

    def _fill(self, row: int) -> None:
        """The list anew, with that row chosen."""
        self.list.blockSignals(True)
        self.list.clear()
        for name in ("", *self._book.names):
            self.list.addItem(QListWidgetItem(name))
        self._name_first()
        self.list.setCurrentRow(row)
        self.list.blockSignals(False)
        self._show_chosen()

    def _name_first(self) -> None:
        self.list.item(0).setText(str(tr("This machine")))

    def _show_chosen(self) -> None:
        device = self.chosen
        self._right.setCurrentWidget(self.view)
        self.view.show_device(device)
        self.remove.setEnabled(device is not None)
        self.undo.setEnabled(self._book.can_undo)
        if device is None:
            self.view.begin_test()

    def _lay_out(self) -> None:
        self._right.addWidget(self.view)
        self._right.addWidget(self.form)
        close = QPushButton()
        show_text(close.setText, tr("Close"))
        close.clicked.connect(self.accept)
        for button in (self.add, self.remove, self.undo, close):
            button.setAutoDefault(False)
        buttons = QHBoxLayout()
        for button in (self.add, self.remove, self.undo):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(close)
        upper = QHBoxLayout()
        upper.setSpacing(theme.GAP_L)
        upper.addWidget(self.list)
        upper.addWidget(self._right, 1)
        layout = QVBoxLayout(self)
        layout.setSpacing(theme.GAP_M)
        layout.addLayout(upper, 1)
        layout.addLayout(buttons)
