"""The devices that a run can ask for."""

from __future__ import annotations

from core.contracts.errors import InvalidParams

DEVICES = ("auto", "cpu", "cuda")


def check_device(device: str) -> None:
    """Raises InvalidParams for a device that does not exist anywhere. Imports nothing."""
    if device not in DEVICES:
        raise InvalidParams(f"There is no device {device!r}: the devices are {', '.join(DEVICES)}.", "device")
