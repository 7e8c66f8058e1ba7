"""`credentials`, `scheduler` and `worker`: a scheduler with the workers of several machines, encrypted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.engine import credentials
from core.engine.addresses import SchedulerAddress
from core.engine.distributed_setup import import_distributed
from core.engine.reachability import check_reachable
from core.outside import first_line


def make_credentials(folder: Path | None) -> None:
    """Write new credentials, and say where they are and what to do with them."""
    folder = credentials.default_folder() if folder is None else folder
    credentials.create(folder)
    message = tr(
        "The credentials are in {folder}. Copy the folder to each machine of the cluster, and keep it from others: "
        "whoever has it can run programs on your workers.",
        folder=str(folder),
    )
    print(message)


def run_scheduler(host: str, port: int, folder: Path | None, *, insecure: bool) -> None:
    """Serve until interrupted. Raises TilescopeError where it cannot listen, or has no credentials."""
    import_distributed()
    from core.engine.nodes import Scheduler

    options: dict[str, Any] = {"host": host, "port": port, "dashboard": False}
    if insecure:
        options["protocol"] = "tcp://"
    else:
        options |= {"protocol": "tls://", "security": _security(folder)}
    address = f"{host}:{port}"
    _serve(lambda: Scheduler(**options), tr("The scheduler listens at {address}.", address=address))


def run_worker(address: SchedulerAddress, folder: Path | None) -> None:
    """Work for a scheduler until interrupted. Raises TilescopeError where it does not answer."""
    address = replace(address, credentials=folder)
    asyncio.run(check_reachable(address))
    import_distributed()
    from core.engine.nodes import Nanny, Worker

    options: dict[str, Any] = {"nthreads": 1, "memory_limit": None, "worker_class": Worker}
    if address.is_encrypted:
        options["security"] = _security(folder)
    _serve(lambda: Nanny(address.url, **options), tr("The worker has joined {address}.", address=address.url))


def _security(folder: Path | None) -> Any:
    import distributed

    return credentials.security(distributed, credentials.default_folder() if folder is None else folder)


def _serve(make: Any, message: Any) -> None:
    """Start the node, say so, and wait until it ends or the user interrupts."""

    async def serve() -> None:
        try:
            node = await make()
        except Exception as error:
            reason = first_line(error) or type(error).__name__
            raise TilescopeError(tr("The scheduler or worker cannot be started: {error}.", error=reason)) from error
        print(message, flush=True)
        try:
            await node.finished()
        finally:
            await node.close()

    asyncio.run(serve())
