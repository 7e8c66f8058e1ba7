"""The choice of the device that a run is sent to: what this machine has, what was added, and the way to add more."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from core.contracts.text import tr
from core.engine.devices import DEVICES
from gui import translation
from gui.translation import show_text

_LEAST_PX = 64
_IS_DEVICE = Qt.ItemDataRole.UserRole
_ENABLED = Qt.ItemDataRole.UserRole - 1
"""Where QComboBox's model has the flags of an item; None stands for all of them."""


class DeviceChoice(QComboBox):
    """`device` is what is chosen. Once `offer` was called, the last entry emits `manage_requested` and changes nothing.
    It can be chosen in the open list only, so that no arrow key and no wheel runs into it."""

    manage_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._device, self._wished, self._manages = DEVICES[0], "", False
        for name in DEVICES:
            self.addItem(name, True)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        show_text(self.setToolTip, tr("The device to run on. “auto” uses the GPU if there is one."))
        show_text(self.setAccessibleName, tr("Device"))
        translation.notifier().changed.connect(self._name_last)
        self.currentIndexChanged.connect(self._remember)
        self.activated.connect(self._manage)

    @property
    def device(self) -> str:
        """One of `DEVICES`, or the name of an added device."""
        return self._device

    def choose(self, name: str) -> None:
        """Choose a device, as soon as it is offered."""
        self._wished = name
        self.setCurrentText(name)

    def offer(self, names: Sequence[str]) -> None:
        """Offer these added devices too. Where the chosen one is not among them, 'auto' is chosen."""
        chosen, self._wished = self._wished or self._device, ""
        self._manages = False
        while self.count() > len(DEVICES):
            self.removeItem(self.count() - 1)
        for name in names:
            self.addItem(name, True)
        self.insertSeparator(self.count())
        self.addItem("", False)
        self._manages = True
        self._name_last()
        self._set_last_enabled(False)
        offered = (*DEVICES, *names)
        self.setCurrentIndex(offered.index(chosen) if chosen in offered else 0)

    def showPopup(self) -> None:
        self._set_last_enabled(True)
        super().showPopup()

    def hidePopup(self) -> None:
        super().hidePopup()
        self._set_last_enabled(False)

    def minimumSizeHint(self) -> QSize:
        return QSize(_LEAST_PX, super().minimumSizeHint().height())

    def _remember(self, index: int) -> None:
        if self.itemData(index, _IS_DEVICE):
            self._device = self.itemText(index)

    def _manage(self, index: int) -> None:
        if self.itemData(index, _IS_DEVICE) is False:
            self.setCurrentText(self._device)
            self.manage_requested.emit()

    def _name_last(self) -> None:
        if self._manages:
            self.setItemText(self.count() - 1, str(tr("Devices…")))

    def _set_last_enabled(self, enabled: bool) -> None:
        if self._manages:
            self.setItemData(self.count() - 1, None if enabled else 0, _ENABLED)
