"""The worker side of a run: load the topic, drive its generator, handle cancel. Imported in workers only."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from core.contracts import archive, registry
from core.contracts.errors import THE_CALLERS_TO_MEND, InvalidParams, MissingRequirement, TilescopeError
from core.contracts.events import Cancelled, Failed, Finished, Partial, Progress, Started
from core.contracts.result import NOT_STAMPED, Environment, Result
from core.contracts.text import tr
from core.contracts.topic import ExperimentRun
from core.engine import wire
from core.engine.environment import environment_of
from core.engine.mailbox import Mailbox
from core.engine.run_outcome import RunOutcome
from core.engine.warm_up import WarmUp
from core.engine.worker_setup import clear_log

_POLL_S = 0.02
_PARTIAL_EVERY_S = 1 / 60
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")


class _CancelRequested(Exception):
    """Not an error: unwinds the call stack when a cancel was requested."""


class _ActiveRun:
    """A run in progress, which the event loop of this process can reach while the thread of the task is busy."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.cancel = threading.Event()

    def check_cancel(self) -> None:
        if self.cancel.is_set():
            raise _CancelRequested


def resolve_device(device: str) -> tuple[str, str]:
    """The torch device ('cpu' or 'cuda') and its label, e.g. 'cuda (NVIDIA H200)'.

    Raises MissingRequirement for 'cuda' where there is no GPU.
    """
    if device == "cpu":
        return "cpu", "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda", f"cuda ({torch.cuda.get_device_name()})"
    if device == "auto":
        return "cpu", "cpu"
    raise MissingRequirement(
        tr(
            "This worker has no CUDA GPU: choose the device 'cpu' or 'auto', or the address of a scheduler whose "
            "workers have one."
        )
    )


_active: dict[str, _ActiveRun] = {}
_warm_up = WarmUp(find_device=lambda: resolve_device("auto")[1], is_run_active=lambda: bool(_active))


async def next_events(run_id: str, wait_s: float) -> list[bytes]:
    """The packed events since the last call; waits up to `wait_s` for one. [] for an unknown run."""
    deadline = monotonic() + wait_s
    while True:
        events = _active[run_id].mailbox.drain() if run_id in _active else []
        if events or monotonic() > deadline:
            return [wire.pack(event) for event in events]
        await asyncio.sleep(_POLL_S)


async def request_cancel(run_id: str) -> bool:
    """Ask the run to stop at its next yield. False when it is not active: it has not started, or has ended."""
    if run_id not in _active:
        return False
    _active[run_id].cancel.set()
    return True


async def warm_up(packages: Mapping[str, str]) -> str:
    """Start importing what runs will need; returns the device that 'auto' means as soon as it is known."""
    _warm_up.begin(packages)
    while not _warm_up.device_known.is_set():
        await asyncio.sleep(_POLL_S)
    return _warm_up.device


async def warm_up_over() -> None:
    """Returns when the warm-up has imported everything that it can."""
    while not _warm_up.over.is_set():
        await asyncio.sleep(_POLL_S)


def run_experiment(run_id: str, topic_id: str, package: str, params: Mapping[str, Any], device: str) -> RunOutcome:
    """One run from start to terminal event. Never raises: an error becomes a Failed event in the outcome."""
    clear_log()
    run = _active[run_id] = _ActiveRun()
    started = Started(f"{socket.gethostname()}, process {os.getpid()}", device)
    try:
        with _warm_up.importing(run.check_cancel):
            topic = registry.topic(topic_id, {topic_id: package})
            parsed = topic.params.parse(params)
            resolved, label = resolve_device(device)
            torch_device = topic.runs_on(parsed, resolved)
            experiment = topic.load_experiment()
            environment = environment_of(topic, parsed, torch_device)
        started = Started(started.worker, label)
        run.mailbox.put(started)
        packed = _drive(experiment(parsed, torch_device), _Stamp(topic.result, environment), run)
    except _CancelRequested:
        packed = wire.pack(Cancelled())
    except (Exception, SystemExit) as error:
        packed = wire.pack(_failed(topic_id, error))
    finally:
        del _active[run_id]
    waiting = [wire.pack(event) for event in run.mailbox.drain()]
    return RunOutcome((wire.pack(started), *waiting, packed), _cuda_is_broken())


@dataclass(frozen=True)
class _Stamp:
    """Checks that a result is of the topic's class, and stores the environment in it."""

    kind: type[Result]
    environment: Environment

    def on(self, result: Any) -> Result:
        if not isinstance(result, self.kind):
            raise TypeError(f"an experiment returns a {self.kind.__name__}, not a {type(result).__name__}")
        return result if result.environment is not NOT_STAMPED else replace(result, environment=self.environment)


def _drive(steps: ExperimentRun, stamp: _Stamp, run: _ActiveRun) -> bytes:
    """Run the generator to its end, and check for a cancel before each step; returns Finished, packed.

    The generator's finally blocks always run. Events are checked here, so that one that cannot be sent ends the run
    with a sentence. Of Partials that arrive faster than a window draws, only the newest is sent.
    """
    newest: Result | None = None
    sent_at = -math.inf
    try:
        while True:
            run.check_cancel()
            try:
                event = next(steps)
            except StopIteration as end:
                _put(newest, stamp, run)
                return wire.pack(Finished(stamp.on(end.value)))
            match event:
                case Progress():
                    archive.plain(event)  # raises here rather than when the event is packed
                    run.mailbox.put(event)
                case Partial(newest):
                    if monotonic() - sent_at > _PARTIAL_EVERY_S:
                        _put(newest, stamp, run)
                        newest, sent_at = None, monotonic()
                case _:
                    raise TypeError(f"an experiment yields Progress and Partial, not {type(event).__name__}")
    finally:
        steps.close()


def _put(partial: Result | None, stamp: _Stamp, run: _ActiveRun) -> None:
    if partial is not None:
        stamped = stamp.on(partial)
        archive.plain(stamped)
        run.mailbox.put(Partial(stamped))


def _failed(topic_id: str, error: BaseException) -> Failed:
    if isinstance(error, TilescopeError):
        field = error.field if isinstance(error, InvalidParams) else None
        return Failed(error.text, blames=field, invalid_input=isinstance(error, THE_CALLERS_TO_MEND))
    detail = "".join(traceback.format_exception(error))
    if _is_out_of_memory(error):
        return Failed(tr("The run of {topic} ran out of memory: try smaller sizes.", topic=topic_id), detail)
    message = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    description = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return Failed(tr("The run of {topic} stopped on an error: {error}.", topic=topic_id, error=description), detail)


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether it is MemoryError, torch.OutOfMemoryError, or the RuntimeError that torch raises for CPU memory."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY))
    )


def _cuda_is_broken() -> bool:
    """Whether a kernel's illegal memory access makes every later CUDA call in this process fail."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False
