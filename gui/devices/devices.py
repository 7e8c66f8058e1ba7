"""The devices of the window: their book, their dialog, and the pages that offer them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from gui.devices.book import DeviceBook, DeviceStore
from gui.devices.tester import MakeInspection, inspection

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from gui.devices.dialog import DevicesDialog
    from gui.page.engine_bridge import EngineBridge
    from gui.page.page import Page


class Devices(QObject):
    """Lets the bridge find the added devices, and keeps the choice on every page of `pages` up to date."""

    def __init__(
        self,
        store: DeviceStore,
        bridge: EngineBridge,
        pages: Callable[[], Iterable[Page]],
        parent: QWidget,
        make: MakeInspection = inspection,
    ) -> None:
        super().__init__(parent)
        self._parent, self._bridge, self._pages, self._make = parent, bridge, pages, make
        self.book = DeviceBook(store, self)
        self.dialog: DevicesDialog | None = None
        bridge.find_remote = self.book.find
        self.book.changed.connect(self._offer_everywhere)

    def open(self) -> None:
        """Open the dialog, or bring it to the front."""
        from gui.devices.dialog import DevicesDialog

        if self.dialog is None:
            self.dialog = DevicesDialog(self.book, self._make, self._parent)
            self.dialog.removed.connect(self._bridge.disconnect_from)
            self.dialog.finished.connect(self._forget_dialog)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def offer_on(self, page: Page) -> None:
        """Let a new page offer the devices, and open the dialog."""
        page.run_bar.device.offer(self.book.names)
        page.run_bar.device.manage_requested.connect(self.open)

    def _offer_everywhere(self) -> None:
        for page in self._pages():
            page.run_bar.device.offer(self.book.names)

    def _forget_dialog(self) -> None:
        self.dialog = None
