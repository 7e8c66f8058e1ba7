"""A device that the user added: the scheduler of another machine, under a name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import quoted, tr
from core.engine.addresses import SchedulerAddress, parse_address
from core.engine.devices import DEVICES

MAX_NAME = 40


@dataclass(frozen=True)
class RemoteDevice:
    """`url` is that of a SchedulerAddress. `credentials` is their folder, '' for the default one."""

    name: str
    url: str
    credentials: str = ""

    @property
    def address(self) -> SchedulerAddress:
        return SchedulerAddress(self.url, Path(self.credentials).expanduser() if self.credentials else None)

    def as_json(self) -> dict[str, str]:
        """What `read_device` reads."""
        return {"name": self.name, "url": self.url, "credentials": self.credentials}


def parse_device(
    name: str, address: str, credentials: str, *, insecure: bool, taken: Collection[str] = ()
) -> RemoteDevice:
    """What the user typed; without a name, that of the host is taken. Raises InvalidParams, with 'name' or 'device' as
    the field to blame, also for a name that is taken."""
    url = parse_address(address, insecure=insecure)
    name = name.strip() or url.host[:MAX_NAME]
    if len(name) > MAX_NAME or not name.isprintable():
        raise InvalidParams(
            tr("A device's name has at most {most} characters, all of which can be seen.", most=MAX_NAME), "name"
        )
    if name.casefold() in {*DEVICES, *(other.casefold() for other in taken)}:
        raise InvalidParams(tr("There is a device {name} already: choose another name.", name=quoted(name)), "name")
    return RemoteDevice(name, url.url, credentials.strip() if url.is_encrypted else "")


def read_device(stored: Any, taken: Collection[str] = ()) -> RemoteDevice | None:
    """What `as_json` wrote; None for anything else, and for a name that is taken."""
    match stored:
        case {"name": str(name), "url": str(url), "credentials": str(credentials)} if name.strip():
            try:
                return parse_device(name, url, credentials, insecure=url.startswith("tcp://"), taken=taken)
            except TilescopeError:
                return None
    return None
