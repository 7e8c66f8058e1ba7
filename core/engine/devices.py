"""The devices that a run can request."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.contracts.text import listed, quoted, tr

DEVICES = ("auto", "cpu", "cuda")


def check_device(device: str) -> None:
    """Raises InvalidParams for an unknown device. Imports nothing heavy."""
    if device not in DEVICES:
        raise InvalidParams(
            tr("There is no device {name}: the devices are {known}.", name=quoted(device), known=listed(DEVICES)),
            "device",
        )
