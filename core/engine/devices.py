"""The devices that a run can request."""

from __future__ import annotations

from core.contracts.errors import InvalidParams

DEVICES = ("auto", "cpu", "cuda")


def check_device(device: str) -> None:
    """Raises InvalidParams for an unknown device. Imports nothing heavy."""
    if device not in DEVICES:
        raise InvalidParams(f"There is no device {device!r}: the devices are {', '.join(DEVICES)}.", "device")
