"""The engine: runs topics in worker processes, without blocking its caller."""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.contracts import registry
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.events import Cancelled, Failed
from core.contracts.params import Params
from core.contracts.text import Text, tr
from core.engine.addresses import SchedulerAddress
from core.engine.cluster import Cluster
from core.engine.devices import check_device
from core.engine.dispatcher import Dispatcher
from core.engine.local_cluster import local_cluster
from core.engine.remote_cluster import remote_cluster
from core.engine.runs import Run
from core.engine.state import EngineState, Phase

_log = logging.getLogger(__name__)
_CLOSE_TIMEOUT_S = 10.0
_FINAL = (Phase.FAILED, Phase.CLOSED)


class Engine:
    """One worker process on this machine, or the workers of the scheduler at `address`.

    `topics` maps topic ids to packages. A cancelled run that does not stop is killed after `grace_s`; `patience_s` is
    how long the engine waits for a worker to start, or to be replaced, before it fails. With `warm_up` a new worker
    imports torch and the experiments before the first run needs them. A worker of this machine prepares at once for the
    user's code of the topics `wanted_first`. `machine` is what the user calls the machine of the workers: results name
    it with their device. '' is this machine, or one without a name.

    All methods except `close` return at once, and all may be called from any thread. Callbacks are called on threads of
    the engine.
    """

    def __init__(
        self,
        address: SchedulerAddress | None = None,
        *,
        grace_s: float = 3.0,
        patience_s: float = 60.0,
        warm_up: bool = True,
        topics: Mapping[str, str] = registry.TOPICS,
        machine: str = "",
        wanted_first: Sequence[str] = (),
    ) -> None:
        self._address = address
        self._grace_s = grace_s
        self._patience_s = patience_s
        self._warm_up = warm_up
        self._topics = topics
        self._machine = machine
        self._wanted_first = {topic_id: topics[topic_id] for topic_id in wanted_first}
        self._lock = threading.RLock()
        self._state = EngineState(Phase.STARTING)
        self._on_state: list[Callable[[EngineState], None]] = []
        self._open_runs: dict[str, Run] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._dispatcher: Dispatcher | None = None
        self._closing: asyncio.Event | None = None

    @property
    def state(self) -> EngineState:
        return self._state

    def on_state(self, callback: Callable[[EngineState], None]) -> None:
        """Call `callback` with each new state from now on."""
        self._on_state.append(callback)

    def start(self) -> None:
        """Start the workers in the background. Starting twice changes nothing."""
        with self._lock:
            if self._thread is None and self._state.phase is not Phase.CLOSED:
                self._thread = threading.Thread(target=self._run_thread, name="tilescope-engine", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def submit(
        self,
        topic_id: str,
        params: Params | Mapping[str, Any],
        device: str = "auto",
        *,
        is_checked: bool = False,
        is_live: bool = False,
    ) -> Run:
        """Queue a run; it starts when a worker is ready and free. `is_checked`: the caller has called `Topic.check`.
        `is_live`: it begins by itself, so it is the topic's live experiment.

        Never raises and never waits: an error in the topic, the params or the engine becomes the Failed event of the
        run, with `invalid_input` where the caller can correct it.
        """
        run, failure = self._checked(topic_id, params, device, is_checked, is_live)
        run.attach(on_cancel=self._cancel, on_over=self._forget)
        with self._lock:
            if failure is None and self._state.phase is Phase.FAILED:
                failure = Failed(self._state.detail)
            elif failure is None and self._state.phase is Phase.CLOSED:
                failure = Failed(tr("The engine is closed."))
            if failure is None:
                self._open_runs[run.id] = run
                if self._dispatcher is not None:
                    self._call(self._dispatcher.enqueue, run)
        if failure is not None:
            run.finish(failure)
        return run

    def close(self) -> None:
        """End every run with Cancelled and leave no process, thread or file behind. Closing twice is fine."""
        self._set_state(EngineState(Phase.CLOSED))
        self._end_open_runs(Cancelled(tr("stopped because the engine was closed")))
        with self._lock:
            if self._closing is not None:
                self._call(self._closing.set)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_TIMEOUT_S)

    def _checked(
        self, topic_id: str, params: Params | Mapping[str, Any], device: str, is_checked: bool, is_live: bool
    ) -> tuple[Run, Failed | None]:
        """A run, and the failure that keeps it from being queued, if any."""
        invalid_run = Run(topic_id, Params(), device, machine=self._machine)
        try:
            check_device(device)
            topic = registry.topic(topic_id, self._topics)
            parsed = params if isinstance(params, Params) else topic.params.parse(params)
            if not is_checked:
                topic.check(parsed)
        except TilescopeError as error:
            field = error.field if isinstance(error, InvalidParams) else None
            return invalid_run, Failed(error.text, blames=field, invalid_input=True)
        except Exception as error:
            message = tr("The topic {topic} cannot be loaded: {error}.", topic=topic_id, error=str(error))
            return invalid_run, Failed(message, traceback.format_exc())
        return Run(topic_id, parsed, device, is_live=is_live, machine=self._machine), None

    def _run_thread(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._main())
        except TilescopeError as error:
            self._fail(error.text)
        except Exception as error:
            self._fail(
                tr(
                    "The engine that executes runs stopped on an error ({error}): start Tilescope again.",
                    error=str(error),
                )
            )

    async def _main(self) -> None:
        with self._lock:
            if self._state.phase is Phase.CLOSED:
                return
            self._loop = asyncio.get_running_loop()
            self._closing = asyncio.Event()
            closing = self._closing
        serve = asyncio.create_task(self._bring_up_and_serve())
        closed = asyncio.create_task(closing.wait())
        try:
            await asyncio.wait({serve, closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            serve.cancel()
            closed.cancel()
            outcome, _ = await asyncio.gather(serve, closed, return_exceptions=True)
            atexit.unregister(self.close)
            with self._lock:
                self._loop = self._closing = self._dispatcher = None
        if isinstance(outcome, Exception):
            raise outcome

    async def _bring_up_and_serve(self) -> None:
        """Until cancelled, at any moment: connecting to a scheduler may take long."""
        bring_up = local_cluster(self._wanted_first) if self._address is None else remote_cluster(self._address)
        async with bring_up as cluster:
            await self._serve(cluster)

    async def _serve(self, cluster: Cluster) -> None:
        dispatcher = Dispatcher(
            cluster,
            self._topics,
            grace_s=self._grace_s,
            patience_s=self._patience_s,
            warm_up=self._warm_up,
            machine=self._machine,
            on_state=self._set_state,
        )
        with self._lock:
            for run in self._open_runs.values():
                dispatcher.enqueue(run)
            self._dispatcher = dispatcher
        await dispatcher.serve()

    def _call(self, function: Callable[..., object], *args: object) -> None:
        """Call a function on the engine's event loop, soon. Called with the lock held: the loop is open."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(function, *args)

    def _cancel(self, run: Run) -> None:
        with self._lock:
            if self._dispatcher is not None:
                self._call(self._dispatcher.cancel, run)

    def _forget(self, run: Run) -> None:
        with self._lock:
            self._open_runs.pop(run.id, None)

    def _fail(self, message: Text) -> None:
        self._set_state(EngineState(Phase.FAILED, message, self._state.device))
        self._end_open_runs(Failed(message))

    def _end_open_runs(self, terminal: Failed | Cancelled) -> None:
        with self._lock:
            runs = list(self._open_runs.values())
        for run in runs:
            run.finish(terminal)

    def _set_state(self, state: EngineState) -> None:
        with self._lock:
            state = replace(state, is_insecure=self._address is not None and not self._address.is_encrypted)
            is_late = self._state.phase in _FINAL and state.phase is not Phase.CLOSED
            if is_late or state == self._state:
                return
            self._state = state
        for callback in self._on_state:
            _notify(callback, state)


def _notify(callback: Callable[[EngineState], None], state: EngineState) -> None:
    """Call a listener. Its errors are logged, so that they do not stop the runs."""
    try:
        callback(state)
    except Exception:
        _log.exception("a listener of the engine failed")
