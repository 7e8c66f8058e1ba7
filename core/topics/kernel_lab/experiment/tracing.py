"""Runs a function of a user's file and traces every Triton launch, within limits. Keeps its printed output."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from typing import TextIO

from core.bounded_output import text_of
from core.contracts.errors import InvalidParams, RunFailed, TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.engine.steps import ProgressCallback
from core.hardware.gpus import gpu
from core.interpreter import Launch, NeedsData, intercept
from core.interpreter.autotuning import ConfigTrial, TunedKernel
from core.interpreter.reporting import silent_reports
from core.interpreter.stuck import NoProgress
from core.topics.kernel_lab.analysis import kept_characters
from core.topics.kernel_lab.experiment.configs import require_config
from core.topics.kernel_lab.experiment.limits import Limits, trace_limit
from core.topics.kernel_lab.experiment.proving import Launches
from core.topics.kernel_lab.plan import Plan
from core.user_code.loading import SCRIPT, call
from core.user_code.paths import shown
from core.user_code.test_file import TESTS, run_tests


@dataclass
class Log:
    """The first and the last characters written to stdout and stderr."""

    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True)
class Traced:
    """The launches in order, and the printed output. `warning` says that a limit was reached, or is empty.

    `notices` say what differs from a run on a GPU. `failure` says what the function raised after its launches, or is
    empty; `stack` is the user's own part of its traceback. `seen` is what the launches show of their sizes.
    """

    launches: tuple[Launch, ...]
    log: Log
    warning: Text = EMPTY
    notices: tuple[Text, ...] = ()
    tuned: tuple[TunedKernel, ...] = ()
    trials: tuple[ConfigTrial, ...] = ()
    failure: Text = EMPTY
    stack: str = ""
    seen: Launches = field(default_factory=Launches)


def trace(planned: Plan, progress: ProgressCallback) -> Traced:
    """Trace as `traced` does. A trace of addresses only that would be wrong, because something depends on values that
    it does not write, is taken again with data, and a notice says so."""
    if not planned.params.addresses_only:
        return traced(planned, progress)
    try:
        return traced(planned, progress, addresses_only=True)
    except NeedsData as error:
        full = traced(planned, progress)
        return replace(full, notices=(error.notice, *full.notices))


def traced(planned: Plan, progress: ProgressCallback, *, addresses_only: bool = False) -> Traced:
    """Import the file, call the function and trace every launch, including launches during the import.

    Beyond the `Limits` the function is stopped, and the launches so far are returned; also if it raises after them, as
    a test that fails does. Raises InvalidParams if it launches nothing, and RunFailed if it raises before its first
    launch, or if not even that one fits the limits.
    """
    assert planned.source is not None
    budget = planned.params.memory_budget_mb * 1_000_000
    limits = Limits(planned.function, trace_limit(budget), planned.params.time_limit_s, progress)
    failed: TilescopeError | None = None
    seen = Launches()
    progress(0, 1, tr("importing {file}", file=planned.source.path.name))
    with (
        _collected() as log,
        intercept(
            memory_budget_bytes=budget,
            progress=limits.progress,
            on_operation=limits.require_time,
            addresses_only=addresses_only,
            faults="record",
            trace_limit_bytes=limits.trace_bytes,
            gpu=gpu(planned.params.gpu),
            config=planned.params.config,
            try_configs=planned.params.try_configs,
            on_launch=seen.add,
        ) as tracer,
    ):
        limits.tracer = tracer
        try:
            with silent_reports(planned.source.text, tracer.notice):
                if planned.function == TESTS:
                    run_tests(planned.source, planned.arguments)
                else:
                    call(planned.source, planned.function, planned.arguments)
        except TilescopeError as error:
            if not limits.reached and tracer.needs_data is None:
                if type(error) not in (RunFailed, NoProgress):
                    raise
                failed = error
    if tracer.internal_error is not None:
        raise tracer.internal_error
    if tracer.needs_data is not None:
        raise tracer.needs_data
    warning = limits.warning()
    if not tracer.launches and limits.stopped is not None:
        raise RunFailed(limits.stopped.text) from limits.stopped
    if not tracer.launches and failed is not None:
        failed.stack = log.stdout if planned.function == TESTS else failed.stack
        raise failed
    if not tracer.launches and planned.function in (SCRIPT, TESTS):
        nothing = InvalidParams(
            tr(
                "{file} ran to its end and launched no Triton kernel: check its arguments, and whether it needs "
                "another GPU than {gpu}.",
                file=shown(planned.source.path),
                gpu=gpu(planned.params.gpu).name,
            ),
            "arguments",
        )
        nothing.stack = log.stdout if planned.function == TESTS else ""
        raise nothing
    if not tracer.launches:
        raise InvalidParams(
            tr(
                "{function} in {file} launched no Triton kernel: name a function that runs kernel[grid](...).",
                function=planned.function,
                file=shown(planned.source.path),
            ),
            "function",
        )
    tuned = tuple(tracer.tuning.kernels.values())
    require_config(planned.params.config, tuned, tracer.launches)
    return Traced(
        tuple(tracer.launches),
        log,
        warning,
        tuple(tracer.notices),
        tuned,
        tuple(tracer.tuning.trials),
        failure=EMPTY if failed is None else failed.text,
        stack="" if failed is None else failed.stack,
        seen=seen,
    )


class _Tee(io.TextIOBase):
    """Forwards output to the worker's own log, where it survives a crash, and keeps its beginning and its end."""

    def __init__(self, onwards: TextIO) -> None:
        self._onwards = onwards
        self._kept = kept_characters()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._onwards.write(text)
        self._kept.add(text)
        return len(text)

    def flush(self) -> None:
        self._onwards.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def text(self) -> str:
        return text_of(self._kept)


@contextmanager
def _collected() -> Iterator[Log]:
    """Collect stdout and stderr of the block. The log is complete when the block ends."""
    log = Log()
    out, err = _Tee(sys.stdout), _Tee(sys.stderr)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield log
    finally:
        log.stdout, log.stderr = out.text(), err.text()
