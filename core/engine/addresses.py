"""The address of a scheduler, checked before anything connects to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from core.contracts.errors import InvalidParams, UnknownName
from core.contracts.text import Text, quoted, tr
from core.engine.devices import DEVICES
from core.installation import command

DEFAULT_PORT = 8786
_ADDRESS = re.compile(r"(?:(?P<scheme>[a-z]+)://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]@]+):(?P<port>[0-9]{1,5})/?")


@dataclass(frozen=True)
class SchedulerAddress:
    """`url` is 'tls://host:port', or 'tcp://host:port' where the user insists on no encryption. `credentials` is their
    folder; None for the default one."""

    url: str
    credentials: Path | None = None

    @property
    def is_encrypted(self) -> bool:
        return self.url.startswith("tls://")

    @property
    def host(self) -> str:
        """Without the brackets of an IPv6 address."""
        return self.url.partition("://")[2].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def no_answer(self, reason: Text) -> Text:
        """The sentence for a scheduler that cannot be reached."""
        return tr(
            "The scheduler at {address} does not answer ({error}): check the address, and that the scheduler "
            "is running.",
            address=self.url,
            error=reason,
        )


def parse_address(text: str, *, insecure: bool = False) -> SchedulerAddress:
    """The address. Raises InvalidParams for anything else, and for one without TLS unless `insecure`."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or not 0 < int(match["port"]) < 65536:
        raise InvalidParams(
            tr("{address} is not a scheduler's address: use one such as tls://host:8786.", address=quoted(text[:100])),
            "device",
        )
    scheme = match["scheme"] or ("tcp" if insecure else "tls")
    if scheme not in ("tls", "tcp"):
        raise InvalidParams(tr("A scheduler's address begins with tls://, not {scheme}://.", scheme=scheme), "device")
    if scheme == "tcp" and not insecure:
        raise InvalidParams(
            tr(
                "{address} has no encryption, so anybody on the network could read the runs and start programs here. "
                "Start the scheduler with '{command}' and give tls://{host}:{port}, or add --insecure.",
                address=text.strip(),
                host=match["host"],
                port=match["port"],
                command=command("scheduler"),
            ),
            "device",
        )
    return SchedulerAddress(f"{scheme}://{match['host']}:{match['port']}")


Target = str | SchedulerAddress
"""Where a command runs: one of `core.engine.devices.DEVICES` on this machine, or a scheduler."""


def target_of(device: Target, *, insecure: bool = False) -> Target:
    """The device or address that the user named. Raises UnknownName or InvalidParams for anything else."""
    if isinstance(device, SchedulerAddress) or device in DEVICES:
        return device
    if ":" in device:
        return parse_address(device, insecure=insecure)
    raise UnknownName(
        tr(
            "There is no device {name}: use auto, cpu, cuda, or a scheduler's address such as tls://host:8786.",
            name=quoted(device[:100]),
        )
    )
