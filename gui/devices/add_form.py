"""The form for a new device: its address, its credentials and a name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import Text, tr, tr_in
from core.engine import credentials
from core.engine.addresses import DEFAULT_PORT, SchedulerAddress
from core.engine.remote_device import MAX_NAME, RemoteDevice, parse_device
from gui import theme
from gui.devices.steps_view import StepsView
from gui.translation import show_text
from gui.widgets.scroll import VerticalScroll

_MAX_TEXT = 1000


class AddForm(QWidget):
    """`added` carries a RemoteDevice with a name of its own; `left` says that there is to be none."""

    added = Signal(object)
    left = Signal()

    def __init__(self, taken: Callable[[], Collection[str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._taken = taken
        self.address, self.folder, self.name = QLineEdit(), QLineEdit(), QLineEdit()
        self.address.setPlaceholderText(f"tls://HOST:{DEFAULT_PORT}")
        self.folder.setPlaceholderText(str(credentials.default_folder()))
        show_text(self.name.setPlaceholderText, tr("the name of the host"))
        for field, limit in ((self.address, _MAX_TEXT), (self.folder, _MAX_TEXT), (self.name, MAX_NAME)):
            field.setMaxLength(limit)
            field.textChanged.connect(self._on_edited)
            field.returnPressed.connect(self._add)
        self.insecure = QCheckBox()
        show_text(self.insecure.setText, tr("No encryption (--insecure)"))
        show_text(
            self.insecure.setToolTip,
            tr("Anybody on the network can read what is sent there, and start programs there."),
        )
        self.insecure.toggled.connect(self._on_edited)
        self.browse = _button(tr("Browse…"), self._browse)
        show_text(self.browse.setAccessibleName, tr("Browse for the folder of the credentials"))
        self.add = _button(tr_in("device", "Add"), self._add)
        self.add.setProperty("role", "primary")
        self.cancel = _button(tr("Cancel"), self.left.emit)
        self._problem = QLabel()
        self._problem.setProperty("role", "error")
        self._problem.setWordWrap(True)
        self.steps = StepsView()
        self._lay_out()

    @property
    def problem(self) -> str:
        """Why nothing was added; '' if nothing speaks against it."""
        return self._problem.text()

    def begin(self) -> None:
        """Empty, and ready to type."""
        for field in (self.address, self.folder, self.name):
            field.clear()
        self.insecure.setChecked(False)
        self._on_edited()
        self.address.setFocus()

    def _device(self) -> RemoteDevice:
        return parse_device(
            self.name.text(),
            self.address.text(),
            self.folder.text(),
            insecure=self.insecure.isChecked(),
            taken=self._taken(),
        )

    def _add(self) -> None:
        try:
            device = self._device()
        except TilescopeError as error:
            show_text(self._problem.setText, error.text)
            blamed = error.field if isinstance(error, InvalidParams) else None
            (self.name if blamed == "name" else self.address).setFocus()
        else:
            self.added.emit(device)

    def _on_edited(self) -> None:
        """The commands follow what is typed; an error is said only when it is added."""
        show_text(self._problem.setText, "")
        insecure = self.insecure.isChecked()
        self.folder.setEnabled(not insecure)
        self.browse.setEnabled(not insecure)
        address: SchedulerAddress | None
        try:
            address = parse_device("-", self.address.text(), self.folder.text(), insecure=insecure).address
        except TilescopeError:
            address = None
        self.steps.show_steps(address)

    def _browse(self) -> None:
        start = self.folder.text() or str(credentials.default_folder())
        folder = QFileDialog.getExistingDirectory(self, str(tr("Folder of the credentials")), start)
        if folder:
            self.folder.setText(str(Path(folder)))

    def _lay_out(self) -> None:
        title = QLabel()
        show_text(title.setText, tr("Add a device"))
        title.setProperty("role", "heading")
        fields = QGridLayout()
        fields.setHorizontalSpacing(theme.GAP_L)
        rows: tuple[tuple[Text, QLineEdit], ...] = (
            (tr("Address"), self.address),
            (tr("Credentials"), self.folder),
            (tr("Name"), self.name),
        )
        for row, (caption, field) in enumerate(rows):
            label = QLabel()
            show_text(label.setText, caption)
            label.setBuddy(field)
            show_text(field.setAccessibleName, caption)
            fields.addWidget(label, row, 0)
            fields.addWidget(field, row, 1)
        fields.addWidget(self.insecure, 0, 2)
        fields.addWidget(self.browse, 1, 2)
        buttons = QHBoxLayout()
        buttons.addWidget(self._problem, 1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.add)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GAP_M)
        layout.addWidget(title)
        layout.addLayout(fields)
        layout.addLayout(buttons)
        layout.addWidget(VerticalScroll(self.steps), 1)


def _button(text: Text, work: Callable[[], object]) -> QPushButton:
    made = QPushButton()
    show_text(made.setText, text)
    made.setAutoDefault(False)
    made.clicked.connect(lambda _=False: work())
    return made
