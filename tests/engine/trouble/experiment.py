"""One generator per act of the topic. Runs in a worker."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np

from core.contracts.errors import InvalidParams, MissingRequirement
from core.contracts.events import Partial, Progress
from core.contracts.result import Metric, Provenance
from core.contracts.text import tr
from core.contracts.topic import ExperimentRun
from core.engine.steps import ProgressCallback, stepwise
from tests.engine.trouble import TroubleParams, TroubleResult

Steps = Generator[Progress | Partial, None, None]


def run(params: TroubleParams, device: str) -> ExperimentRun:
    yield from _ACTS[params.act](params, device)
    return _RESULTS.get(params.act, _result)(params)


def run_live(params: TroubleParams, device: str) -> ExperimentRun:
    """Half of what `run` does."""
    return run(params.changed(count=params.count // 2), device)


def _result(params: TroubleParams, **arrays: Any) -> TroubleResult:
    return TroubleResult(
        params=params,
        metrics={"pid": Metric(os.getpid(), "", Provenance.MEASURED_CPU)},
        numbers=arrays or {"numbers": np.arange(params.count, dtype=np.float32)},
    )


def _finish(params: TroubleParams, device: str) -> Steps:
    for done in range(params.count):
        yield Progress(done + 1, params.count, tr("counting"))


def _partials(params: TroubleParams, device: str) -> Steps:
    for done in range(params.count):
        yield Partial(TroubleResult(params=params, done=done, numbers={"array": np.full(4, done)}))


def _flood(params: TroubleParams, device: str) -> Steps:
    for done in range(params.count):
        yield Progress(done, params.count, tr("flooding"))
        yield Partial(TroubleResult(params=params, numbers={"array": np.zeros(1000)}))


def _wait(params: TroubleParams, device: str) -> Steps:
    """Yields until it is cancelled, and then creates a file in its finally block."""
    try:
        while True:
            yield Progress(0, 0, tr("waiting"))
            time.sleep(0.01)
    finally:
        if params.folder:
            Path(params.folder, "cleaned-up").touch()


def _hang(params: TroubleParams, device: str) -> Steps:
    """Ignores cancel: never yields again."""
    yield Progress(0, 1, tr("hanging"))
    while True:
        time.sleep(0.05)


def _hold_gil(params: TroubleParams, device: str) -> Steps:
    """A regular expression that never ends and holds the GIL, so that the worker does not even answer."""
    yield Progress(0, 1, tr("holding"))
    time.sleep(0.3)  # until the event loop of the worker has sent that
    re.match(r"(a+)+$", "a" * 64 + "b")


def _segfault(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("crashing"))
    ctypes.string_at(0)


def _exit(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("leaving"))
    os._exit(params.count)


def _raise(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("raising"))
    raise ZeroDivisionError("it cannot be divided")


def _refuse(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("refusing"))
    raise MissingRequirement(tr("This machine has no flux capacitor: install one."))


def _blame(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("blaming"))
    raise InvalidParams(tr("count does not suit the experiment."), "count")


def _allocate(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("allocating"))
    np.ones(1 << 60, dtype=np.uint8)


def _out_of_memory(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("allocating"))
    raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")


def _leave(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("leaving"))
    sys.exit(5)


class Tensor:
    """Stands for an object that only a process with torch can unpickle."""


def _tensor(params: TroubleParams, device: str) -> Steps:
    yield Partial(TroubleResult(params=params, numbers={"nested": Tensor()}))


def _rubbish(params: TroubleParams, device: str) -> Steps:
    yield "rubbish"  # type: ignore[misc]


def _print(params: TroubleParams, device: str) -> Steps:
    yield Progress(0, 1, tr("printing"))
    print("noise on stdout", flush=True)
    print("noise on stderr", file=sys.stderr, flush=True)
    os.write(1, b"noise on descriptor 1\n")
    if params.count:
        ctypes.string_at(0)


def _modules(params: TroubleParams, device: str) -> Steps:
    """The names of the modules that the worker has imported, as a Partial."""
    yield Partial(TroubleResult(params=params, modules=tuple(sorted(name for name in sys.modules if "." not in name))))


def _step(params: TroubleParams, device: str) -> Steps:
    def work(progress: ProgressCallback) -> int:
        done = 0
        try:
            while params.count == 0 or done < params.count:
                done += 1
                progress(done, params.count, tr("stepping"))
        finally:
            if params.folder:
                Path(params.folder, "cleaned-up").touch()
        return done

    yield from stepwise(work)


def _break_cuda(params: TroubleParams, device: str) -> Steps:
    """An index out of range inside a CUDA kernel, which breaks the CUDA context of this process."""
    import torch

    yield Progress(0, 1, tr("breaking"))
    torch.zeros(1, device=device)[torch.tensor([1 << 20], device=device)].sum().item()


def _use_cuda(params: TroubleParams, device: str) -> Steps:
    import torch

    yield Progress(torch.ones(1, device=device).item(), 1, tr("using"))


_ACTS = {
    "finish": _finish,
    "partials": _partials,
    "flood": _flood,
    "wait": _wait,
    "hang": _hang,
    "hold-gil": _hold_gil,
    "segfault": _segfault,
    "exit": _exit,
    "raise": _raise,
    "refuse": _refuse,
    "blame": _blame,
    "allocate": _allocate,
    "out-of-memory": _out_of_memory,
    "leave": _leave,
    "tensor": _tensor,
    "tensor-result": _finish,
    "rubbish": _rubbish,
    "rubbish-result": _finish,
    "objects": _finish,
    "print": _print,
    "modules": _modules,
    "step": _step,
    "break-cuda": _break_cuda,
    "use-cuda": _use_cuda,
}

_RESULTS: dict[str, Callable[[TroubleParams], Any]] = {
    "tensor-result": lambda params: _result(params, tensor=Tensor()),
    "rubbish-result": lambda params: "rubbish",
    "objects": lambda params: _result(params, objects=np.array([Tensor()])),
}
