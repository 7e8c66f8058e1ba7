"""Sends queued runs to free workers and follows each to its terminal event. Runs on the engine's event loop."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from core.contracts import registry
from core.contracts.errors import TilescopeError
from core.contracts.events import TERMINAL, Cancelled, Event, Failed, Finished, Started
from core.contracts.text import EMPTY, tr
from core.engine import wire
from core.engine.cluster import Cluster
from core.engine.machines import on_machine
from core.engine.run_request import RunRequest
from core.engine.runs import Run
from core.engine.state import EngineState, Phase

Terminal = Finished | Failed | Cancelled

_POLL_WAIT_S = 1.0
"""How long a worker keeps a poll open while there are no events."""

_EVENTS_PER_S = 30
_CANCEL_REQUEST_TIMEOUT_S = 1.0
_WARM_UP_TRIES = 2
_LATE_OUTCOME_S = 0.2
_DEATH_NOTICE_S = 5.0


@dataclass
class _Cancel:
    """The state of cancelling one run."""

    requested: asyncio.Event = field(default_factory=asyncio.Event)
    killing: bool = False


class Dispatcher:
    """One cluster, its free workers and the queue of runs.

    A worker gets one run at a time, with no other queued behind it, so that exactly one run is to blame when the worker
    dies.
    """

    def __init__(
        self,
        cluster: Cluster,
        packages: Mapping[str, str],
        *,
        grace_s: float,
        patience_s: float,
        warm_up: bool,
        machine: str,
        on_state: Callable[[EngineState], None],
    ) -> None:
        self._cluster = cluster
        self._packages = packages
        self._grace_s = grace_s
        self._patience_s = patience_s
        self._warm_up = warm_up
        self._machine = machine
        self._failed_warm_ups = 0
        self._on_state = on_state
        self._queue: asyncio.Queue[Run] = asyncio.Queue()
        self._workers: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._busy: dict[str, Run] = {}
        self._cancels: dict[str, _Cancel] = {}
        self._device = ""
        self._detail = EMPTY
        self._had_worker = False
        self._ending: Terminal = Cancelled(tr("stopped because the engine was closed"))
        """Of the runs that are open when the dispatcher stops."""

    def enqueue(self, run: Run) -> None:
        self._queue.put_nowait(run)

    def cancel(self, run: Run) -> None:
        if run.id in self._cancels:
            self._cancels[run.id].requested.set()

    async def serve(self) -> None:
        """Work until cancelled. Raises TilescopeError when there has been no worker for too long."""
        watch = asyncio.create_task(self._watch_workers())
        send = asyncio.create_task(self._send_runs())
        try:
            done, _ = await asyncio.wait({watch, send}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if isinstance(error := task.exception(), TilescopeError):
                    self._ending = Failed(error.text)
                task.result()
        finally:
            await _stop(watch, send)

    async def _send_runs(self) -> None:
        following: set[asyncio.Task[None]] = set()
        try:
            while True:
                run = await self._queue.get()
                address = await self._free_worker(run)
                if address is not None and run.dispatch():
                    self._busy[address] = run
                    self._cancels[run.id] = _Cancel()
                    self._report()
                    task = asyncio.create_task(self._follow(run, address))
                    following.add(task)
                    task.add_done_callback(following.discard)
        finally:
            await _stop(*following)

    async def _free_worker(self, run: Run) -> str | None:
        """Wait for an idle worker; None when the run was cancelled in the meantime."""
        while not run.done:
            if free := self._workers - self._busy.keys():
                return min(free)
            await self._wait_for_change(timeout_s=1.0)
        return None

    async def _follow(self, run: Run, address: str) -> None:
        terminal: Terminal | None = None
        try:
            terminal = await self._execute(run, address)
        except Exception as error:
            message = tr(
                "The run of {topic} was lost because of an error ({error}): run it again.",
                topic=run.topic_id,
                error=str(error),
            )
            terminal = Failed(message, traceback.format_exc())
        finally:
            del self._busy[address], self._cancels[run.id]
            self._report()
            run.finish(terminal or self._ending)

    async def _execute(self, run: Run, address: str) -> Terminal:
        """Run on that worker, from submission to the terminal event, which is returned."""
        outcome = asyncio.create_task(self._cluster.run(address, self._request(run)))
        gone = asyncio.create_task(self._gone(address))
        pump = asyncio.create_task(self._pump(run, address))
        cancel = asyncio.create_task(self._enforce_cancel(run, address))
        try:
            await asyncio.wait({outcome, gone, cancel}, return_when=asyncio.FIRST_COMPLETED)
            # An outcome that was sent before the worker died still counts.
            await asyncio.wait({outcome}, timeout=_LATE_OUTCOME_S)
            if outcome.done() and (run_outcome := outcome.result()) is not None:
                *earlier, terminal = (self._unpacked(run, event) for event in run_outcome.events)
                for event in earlier:
                    run.post(event)
                if run_outcome.worker_is_unusable:
                    await self._replace(address)
                if not isinstance(terminal, TERMINAL):
                    raise ValueError("the last event of a run is not a terminal event")
                return terminal
            await asyncio.wait({gone}, timeout=_DEATH_NOTICE_S)
            return await self._death(run, address)
        finally:
            await _stop(outcome, gone, pump, cancel)
            if self._cluster.outlives_the_engine:
                with suppress(Exception):  # TimeoutError, or the worker is gone and there is nothing to stop
                    await asyncio.wait_for(
                        self._cluster.ask(address, "request_cancel", run.id), _CANCEL_REQUEST_TIMEOUT_S
                    )

    def _request(self, run: Run) -> RunRequest:
        package, params = self._packages[run.topic_id], run.params.model_dump(mode="json")
        return RunRequest(run.id, run.topic_id, package, params, run.device, run.language, run.is_live)

    async def _replace(self, address: str) -> None:
        """Kill a worker; no other run is sent to it."""
        self._workers -= {address}
        self._detail = tr("The worker is replaced after an error")
        self._report()
        await self._cluster.kill(address)

    def _unpacked(self, run: Run, event: bytes) -> Event:
        return on_machine(wire.unpack(event, registry.topic(run.topic_id, self._packages).result), self._machine)

    async def _death(self, run: Run, address: str) -> Terminal:
        if self._cancels[run.id].killing:
            self._detail = tr("The worker was killed to stop a run")
            return Cancelled(tr("killed after {seconds:g} s: it did not stop by itself", seconds=self._grace_s))
        try:
            self._detail = reason = await self._cluster.death(address)
        except TilescopeError as error:  # what `_watch_workers` is about to learn, too
            return Failed(error.text)
        topic = run.topic_id
        if self._cluster.replaces_workers:
            message = tr("{reason} while running {topic}; a new worker takes its place.", reason=reason, topic=topic)
        else:
            message = tr("{reason} while running {topic}: run it again.", reason=reason, topic=topic)
        return Failed(message, self._cluster.log_tail(address))

    async def _gone(self, address: str) -> None:
        while address in self._workers:
            await self._wait_for_change()

    async def _pump(self, run: Run, address: str) -> None:
        """Forward the run's events. The worker keeps only the latest of each kind, so every answer is small."""
        with suppress(Exception):  # the worker died: `_execute` notices that too, and reports it
            while True:
                for packed in await self._cluster.next_events(address, run.id, _POLL_WAIT_S):
                    event = self._unpacked(run, packed)
                    if isinstance(event, Started) and not self._device:
                        self._device = event.device
                        self._report()
                    run.post(event)
                await asyncio.sleep(1 / _EVENTS_PER_S)

    async def _enforce_cancel(self, run: Run, address: str) -> None:
        """Once cancel is requested, set the flag in the worker, and kill the worker after the grace period."""
        cancel = self._cancels[run.id]
        await cancel.requested.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace_s):
                await self._set_cancel_flag(run, address)
                await asyncio.Event().wait()
        cancel.killing = True
        with suppress(Exception):
            await self._cluster.kill(address)

    async def _set_cancel_flag(self, run: Run, address: str) -> None:
        while True:
            # False: the task has not reached the worker, which does not know the run yet.
            with suppress(Exception):
                if await self._cluster.ask(address, "request_cancel", run.id):
                    return
            await asyncio.sleep(0.05)

    async def _watch_workers(self) -> None:
        """Keep `_workers` up to date, and fail when there has been none for too long."""
        loop = asyncio.get_running_loop()
        last_seen = loop.time()
        warming: set[asyncio.Task[None]] = set()
        try:
            while True:
                addresses = await self._cluster.addresses()
                if not self._workers & addresses and (self._workers or self._busy):
                    addresses = frozenset()  # successors count from the next look on, once all deaths have been told
                if self._warm_up and self._failed_warm_ups < _WARM_UP_TRIES:
                    warming.update(asyncio.create_task(self._warm(address)) for address in addresses - self._workers)
                if addresses != self._workers:
                    self._workers = addresses
                    self._had_worker = self._had_worker or bool(addresses)
                    self._report()
                if addresses:
                    last_seen = loop.time()
                elif loop.time() - last_seen > self._patience_s:
                    raise TilescopeError(self._cluster.no_worker(self._patience_s))
                await asyncio.sleep(self._cluster.poll_interval_s)
        finally:
            await _stop(*warming)

    async def _warm(self, address: str) -> None:
        """Let a new worker import what runs will need, and ask it for its device."""
        try:
            self._device = await self._cluster.ask(address, "warm_up", dict(self._packages))
            self._report()
            await self._cluster.ask(address, "warm_up_over")
            self._failed_warm_ups = 0
        except Exception:
            # The worker died. If an import kills it, stop trying: the run that needs that import will report it.
            self._failed_warm_ups += 1

    async def _wait_for_change(self, timeout_s: float | None = None) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)

    def _report(self) -> None:
        """Publish the state, and wake everything that waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()
        if not self._workers:
            phase = Phase.RESTARTING if self._had_worker else Phase.STARTING
        else:
            # A run whose worker is gone keeps no other worker busy.
            phase = Phase.BUSY if self._busy.keys() & self._workers else Phase.READY
        self._on_state(EngineState(phase, self._detail if phase is Phase.RESTARTING else EMPTY, self._device))


async def _stop(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
