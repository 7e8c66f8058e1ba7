"""The worker side of a run: load the topic, drive its generator, handle cancel. Imported in workers only."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Any

from core import language
from core.contracts import registry
from core.contracts.errors import MissingRequirement, TilescopeError
from core.contracts.events import Cancelled, Failed, Finished, Partial, Progress, Started
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.engine import isolation, wire
from core.engine.drive import drive, failed
from core.engine.exit_reason import exit_reason
from core.engine.gpu_driver import may_have_gpu
from core.engine.mailbox import Mailbox
from core.engine.run_outcome import RunOutcome
from core.engine.run_request import RunRequest
from core.engine.warm_up import WarmUp
from core.engine.worker_facts import facts_of_this_process
from core.engine.worker_setup import clear_log, log_tail

_POLL_S = 0.02


class _CancelRequested(Exception):
    """Not an error: unwinds the call stack when a cancel was requested."""


class _ActiveRun:
    """A run in progress, which the event loop of this process can reach while the thread of the task is busy."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.cancel = threading.Event()

    def put(self, event: Progress | Partial) -> None:
        self.mailbox.put(event)

    def check_cancel(self) -> None:
        if self.cancel.is_set():
            raise _CancelRequested


def resolve_device(device: str) -> tuple[str, str]:
    """The torch device ('cpu' or 'cuda') and its label, e.g. 'cuda (NVIDIA H200)'.

    Raises MissingRequirement for 'cuda' where there is no GPU.
    """
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        return "cpu", "cpu"  # without torch, whose import takes longer than most runs
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
_run_before: set[str] = set()
"""Topics that this process has run to the end: their kernels are compiled, and their caches are filled."""

_warm_up = WarmUp(
    find_device=lambda: resolve_device("auto")[1],
    is_run_active=lambda: bool(_active),
    prepare_isolation=isolation.OF_THIS_PROCESS.prepare,
)


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


async def facts() -> dict[str, Any]:
    """The WorkerFacts of this process, as JSON."""
    known = await asyncio.to_thread(facts_of_this_process, len(_active))
    return known.model_dump(mode="json")


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


def run_experiment(fields: Mapping[str, Any]) -> RunOutcome:
    """One run, given as the JSON of a RunRequest, from start to terminal event. Never raises an error of the run: it
    becomes a Failed event in the outcome."""
    request = RunRequest(**fields)
    clear_log()
    run = _active[request.id] = _ActiveRun()
    has_unexpected_error = False
    started = Started(f"{socket.gethostname()}, process {os.getpid()}", request.device)
    try:
        language.use(request.language)
        with _warm_up.importing(run.check_cancel):
            topic = registry.topic(request.topic, {request.topic: request.package})
            parsed = topic.params.parse(request.params)
            resolved, label = resolve_device(request.device)
            torch_device = topic.runs_on(parsed, resolved)
            is_isolated = isolation.is_for(topic)
            if not is_isolated:
                topic.load_experiment()
        started = Started(started.worker, label)
        run.mailbox.put(started)
        if is_isolated:
            packed = _in_its_own_process(topic, replace(request, device=torch_device), run)
        else:
            is_warm = request.topic in _run_before
            packed = drive(topic, parsed, torch_device, run, is_live=request.is_live, is_warm=is_warm)
            _run_before.add(request.topic)
    except _CancelRequested:
        packed = wire.pack(Cancelled())
    except TilescopeError as error:
        packed = wire.pack(failed(request.topic, error))
    except BaseException as error:
        has_unexpected_error = True
        packed = wire.pack(failed(request.topic, error))
    finally:
        del _active[request.id]
    waiting = [wire.pack(event) for event in run.mailbox.drain()]
    return RunOutcome((wire.pack(started), *waiting, packed), has_unexpected_error or _cuda_is_broken())


def _in_its_own_process(topic: Topic, request: RunRequest, run: _ActiveRun) -> bytes:
    """Run a topic that executes the user's code in a process of its own; returns the terminal event, packed."""
    terminal = b""

    def take(packed: bytes) -> bool:
        nonlocal terminal
        kind = wire.kind_of(packed)
        if kind in (Finished, Failed):
            terminal = packed
        elif kind in (Progress, Partial):
            event = wire.unpack(packed, topic.result)
            assert isinstance(event, Progress | Partial)
            run.put(event)
        else:
            raise ValueError("the process of the user's code sent an unexpected event")
        return not terminal

    try:
        isolation.OF_THIS_PROCESS.run(request, take, run.check_cancel)
    except ValueError as error:
        message = tr(
            "The process of the user's code sent invalid data, so the run of {topic} was stopped: run it again.",
            topic=topic.id,
        )
        return wire.pack(Failed(message, str(error)))
    except isolation.ProcessEnded as ended:
        reason = exit_reason(ended.exit_code, tr("The process of the user's code"))
        message = tr("{reason} while running {topic}. Nothing else is affected.", reason=reason, topic=topic.id)
        return wire.pack(Failed(message, log_tail()))
    return terminal


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
