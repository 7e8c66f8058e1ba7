"""The devices that the user added, as they are remembered."""

from __future__ import annotations

from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from core.engine.remote_device import RemoteDevice, read_device


class DeviceStore(Protocol):
    """Where they are remembered: what `RemoteDevice.as_json` returned, or anything, if the file is damaged."""

    @property
    def devices(self) -> list[Any]: ...
    @devices.setter
    def devices(self, stored: list[Any]) -> None: ...


class DeviceBook(QObject):
    """`changed` follows each change, which is remembered by then."""

    changed = Signal()

    def __init__(self, store: DeviceStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._removed: list[tuple[int, RemoteDevice]] = []
        self._devices: list[RemoteDevice] = []
        for stored in store.devices:
            device = read_device(stored, self.names)
            if device is not None:
                self._devices.append(device)

    @property
    def devices(self) -> tuple[RemoteDevice, ...]:
        return tuple(self._devices)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(device.name for device in self._devices)

    @property
    def can_undo(self) -> bool:
        """Whether a device was removed whose name is still free."""
        return bool(self._removed)

    def find(self, name: str) -> RemoteDevice | None:
        return next((device for device in self._devices if device.name == name), None)

    def add(self, device: RemoteDevice) -> None:
        """A device with a name that is free (`parse_device`)."""
        self._devices.append(device)
        self._removed = [(index, other) for index, other in self._removed if not _same_name(other, device)]
        self._keep()

    def remove(self, device: RemoteDevice) -> None:
        index = self._devices.index(device)
        self._removed.append((index, self._devices.pop(index)))
        self._keep()

    def undo_remove(self) -> RemoteDevice:
        """Put back what was removed last, where it was. Only if `can_undo`."""
        index, device = self._removed.pop()
        self._devices.insert(index, device)
        self._keep()
        return device

    def _keep(self) -> None:
        self._store.devices = [device.as_json() for device in self._devices]
        self.changed.emit()


def _same_name(one: RemoteDevice, other: RemoteDevice) -> bool:
    return one.name.casefold() == other.name.casefold()
