"""The commands that make another machine a device: its credentials, a scheduler and a worker, ready to copy."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from core.contracts.text import Text, tr
from core.engine import credentials
from core.engine.addresses import DEFAULT_PORT, SchedulerAddress
from core.installation import command

_COPY = "tilescope-credentials"
"""The name of the folder that is copied to the home of the other machine."""
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_PLACEHOLDER = SchedulerAddress(f"tls://HOST:{DEFAULT_PORT}")


@dataclass(frozen=True)
class SetupStep:
    """`what` the command does, and where."""

    what: Text
    command: str


def setup_steps(address: SchedulerAddress | None) -> tuple[SetupStep, ...]:
    """In the order in which they are typed. Without an address there is a placeholder for the host."""
    address = _PLACEHOLDER if address is None else address
    host = address.host
    is_here = host in _THIS_MACHINE
    folder = address.credentials or credentials.default_folder()
    there = _option(folder if is_here else Path(_COPY)) if address.is_encrypted else ["--insecure"]
    in_url = f"[{host}]" if ":" in host else host
    listen = ["--host", in_url] if is_here else ["--host", "[::]"] if ":" in host else []
    scheduler = _command("scheduler", *listen, "--port", str(address.port), *there)
    worker = _command("worker", address.url, *there)
    return (
        *(_credential_steps(folder, in_url, is_here=is_here) if address.is_encrypted else ()),
        SetupStep(tr("Start the scheduler on {host}", host=host), scheduler),
        SetupStep(tr("Start a worker on each machine that computes, one per GPU"), worker),
    )


def _credential_steps(folder: Path, host: str, *, is_here: bool) -> tuple[SetupStep, ...]:
    make = SetupStep(tr("Make the credentials here, once"), _command("credentials", *_option(folder)))
    scp = shlex.join(("scp", "-r", str(folder), f"{host}:{_COPY}"))
    copy = SetupStep(tr("Copy them to the other machine"), scp)
    return (
        *(() if credentials.exist_in(folder) else (make,)),
        *(() if is_here else (copy,)),
    )


def _option(folder: Path) -> list[str]:
    """The option that names the folder, where it is not the default one."""
    return [] if folder == credentials.default_folder() else ["--folder", str(folder)]


def _command(*arguments: str) -> str:
    return command(shlex.join(arguments))
