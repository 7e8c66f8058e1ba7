"""Looks at a device before runs are sent there: its workers, what they have, and why it does not answer if it does not.

Only here and in the engine is a scheduler spoken with, on a thread, through a gateway process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.engine.addresses import SchedulerAddress
from core.engine.remote_cluster import gateway_to
from core.engine.worker_facts import WorkerFacts, facts_of_this_process
from core.engine.worker_link import WorkerGone
from core.outside import first_line, shown_label
from core.versions import versions

DEADLINE_S = 40.0
"""For everything: a gateway process that starts on a busy machine, a scheduler, and its workers."""


@dataclass(frozen=True)
class WorkerReport:
    """What one worker says of itself, or `problem`, a sentence about why that is not known or not as it should be."""

    address: str
    facts: WorkerFacts | None
    problem: Text = EMPTY


@dataclass(frozen=True)
class DeviceReport:
    """`seconds` is how long it took to learn this. This machine (`is_here`) is reported as one worker."""

    workers: tuple[WorkerReport, ...]
    seconds: float
    is_here: bool = False


async def inspect(address: SchedulerAddress | None) -> DeviceReport:
    """The workers of a scheduler, or this machine. Raises TilescopeError with one sentence."""
    started_s = time.monotonic()
    if address is None:
        workers: tuple[WorkerReport, ...] = (WorkerReport("", facts_of_this_process(0)),)
    else:
        workers = await _workers_of(address)
    return DeviceReport(workers, time.monotonic() - started_s, is_here=address is None)


async def _workers_of(address: SchedulerAddress) -> tuple[WorkerReport, ...]:
    try:
        async with asyncio.timeout(DEADLINE_S), gateway_to(address) as gateway:
            answers, _ = await gateway.call("facts")
    except TimeoutError as error:
        silence = tr("no answer within {seconds:g} s", seconds=DEADLINE_S)
        raise TilescopeError(address.no_answer(silence)) from error
    except (WorkerGone, RuntimeError) as error:
        raise TilescopeError(address.no_answer(_reason(error))) from error
    return tuple(_report(str(worker), answer) for worker, answer in answers.items())


def _report(worker: str, answer: object) -> WorkerReport:
    """`answer` is that of `core.engine.gateway._Gateway.facts` for one worker."""
    match answer:
        case {"facts": facts}:
            try:
                known = WorkerFacts.model_validate(facts)
            except ValidationError:
                return WorkerReport(worker, None, _OTHER_VERSION)
            return WorkerReport(worker, known, _version_problem(known))
        case {"error": "TimeoutError"}:
            return WorkerReport(worker, None, tr("The worker does not answer: it may be at a run that blocks it."))
        case {"error": "ModuleNotFoundError" | "AttributeError" | "TypeError"}:
            return WorkerReport(worker, None, _OTHER_VERSION)
        case {"error": str(reason)}:
            lost = tr("The worker cannot be asked ({error}).", error=verbatim(shown_label(reason)))
            return WorkerReport(worker, None, lost)
    return WorkerReport(worker, None, _OTHER_VERSION)


_OTHER_VERSION = tr(
    "The worker has no Tilescope, or another version: install the version of this machine there, and start it again."
)


def _version_problem(facts: WorkerFacts) -> Text:
    here, there = versions().get("tilescope", ""), facts.versions.get("tilescope", "")
    if here == there:
        return EMPTY
    return tr(
        "The worker has Tilescope {there}, and this machine {here}: install the same version there, or runs may fail.",
        there=there,
        here=here,
    )


def _reason(error: Exception) -> Text:
    return verbatim(shown_label(first_line(error)) or type(error).__name__)


class Inspection:
    """One look at a device, on a thread. `on_done` is called there, with the report or the error, unless the look was
    cancelled before. `address` is None for this machine."""

    def __init__(
        self, address: SchedulerAddress | None, on_done: Callable[[DeviceReport | TilescopeError], object]
    ) -> None:
        self._address, self._on_done = address, on_done
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False
        self.thread = threading.Thread(target=self._run, name="device-inspection", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def cancel(self) -> None:
        """Returns at once; what was started for it ends soon. Cancelling twice, or late, changes nothing."""
        with self._lock:
            self._is_cancelled = True
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._main())

    async def _main(self) -> None:
        with self._lock:
            if self._is_cancelled:
                return
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        outcome: DeviceReport | TilescopeError
        try:
            outcome = await inspect(self._address)
        except TilescopeError as error:
            outcome = error
        except Exception as error:
            outcome = TilescopeError(tr("The device cannot be looked at ({error}).", error=_reason(error)))
        with self._lock:
            self._loop = self._task = None
            is_wanted = not self._is_cancelled
        if is_wanted:
            self._on_done(outcome)
