"""Executes launches with the TTIR interpreter, one after the other, and keeps their traces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from core.contracts.errors import InternalError
from core.contracts.text import EMPTY, Text
from core.interpreter import frontend, origins
from core.interpreter.autotuning import Tuning
from core.interpreter.binding import runtime_arguments
from core.interpreter.call_site import CallSite, call_site
from core.interpreter.config_results import forget_handed_on
from core.interpreter.diagnostics import Diagnostics
from core.interpreter.executor import execute
from core.interpreter.frame import ProgressCallback, Run
from core.interpreter.fresh_memory import FreshMemory
from core.interpreter.frontend import Kernel
from core.interpreter.grid import Grid, checked_grid
from core.interpreter.handles import LaunchHandle, Usage
from core.interpreter.host_reads import observed, observer_of, unobserved
from core.interpreter.looking import before_launch, look_at
from core.interpreter.memory import Memory
from core.interpreter.origins import Origins
from core.interpreter.plan import Plan
from core.interpreter.second_look import SecondLook
from core.interpreter.shadows.instrument import Line
from core.interpreter.slice import addresses_of
from core.interpreter.specialised import Ignored, broken_promises
from core.interpreter.trial import Outputs, outputs_of, taken_back
from core.interpreter.units import in_one_unit
from core.interpreter.unwritten import NeedsData, UnwrittenStores
from core.interpreter.virtual_gpu import capture, is_capturing, require_reachable, truth
from core.sanitizer.walks import walk_findings
from core.trace.affine import IntArray
from core.trace.mask import BoolArray
from core.trace.record import Buffer, Launch, WatchRecorder
from core.trace.size import TraceSize, TraceTooLarge
from core.user_code.own_work import own_work

WATCH_LIMIT_BYTES = 64 << 20
OnLaunch = Callable[[Kernel, dict[str, Any], Sequence[Any], Grid], None]


class Tracer:
    """The tracer that `intercept` yields. `launches` are the launches so far, in order."""

    def __init__(
        self,
        memory_budget_bytes: int,
        watch: tuple[str, ...],
        watch_programs: Callable[[IntArray], BoolArray] | None,
        watch_limit_bytes: int,
        progress: ProgressCallback | None,
        stop_at_faults: bool = True,
        addresses_only: bool = False,
        trace_limit_bytes: int | None = None,
        config: int = 0,
        try_configs: bool = False,
        on_launch: OnLaunch | None = None,
    ) -> None:
        self.launches: list[Launch] = []
        self.too_large: TraceTooLarge | None = None
        """Why a launch did not fit the limit of the trace. Neither it nor a later one is among the launches."""
        self.internal_error: InternalError | None = None
        """Tilescope's own error in a launch, in case the user's code catches it: the launches are incomplete then."""
        self._size = TraceSize(trace_limit_bytes)
        self._memory_budget_bytes = memory_budget_bytes
        self._watch = watch
        self._watch_programs = watch_programs
        self._watch_limit_bytes = watch_limit_bytes
        self._progress = progress
        self._stop_at_faults = stop_at_faults
        self.tuning = Tuning(config, self._try if try_configs else None)
        self._on_launch = on_launch
        self._trial: list[tuple[Launch, Usage, Outputs]] | None = None
        self.notices: list[Text] = []
        """What differs from a run on a GPU and that the user should know."""
        self._addresses_only = addresses_only
        self._unwritten = UnwrittenStores()
        self._arrived: set[tuple[int, Line]] = set()
        self._running: Diagnostics | None = None
        self._fresh = None if stop_at_faults else FreshMemory()
        self._origins = Origins(self._fresh)

    def notice(self, text: Text) -> None:
        """Add to the notices what is not yet among them."""
        if text not in self.notices:
            self.notices.append(text)

    @property
    def needs_data(self) -> NeedsData | None:
        """Why a trace of addresses only would be wrong: something depends on a value that it did not write."""
        return self._unwritten.needed

    def where(self) -> Text:
        """The loop that a launch has reached, as a sentence; EMPTY if none is running."""
        return EMPTY if self._running is None else self._running.where()

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Inside the block, it is seen where tensors are made, and an addresses-only trace notices what the host
        reads."""
        try:
            with observed(self._unwritten) if self._addresses_only else nullcontext(), self._origins.observing():
                yield
        finally:
            if self._fresh is not None and self.too_large is None:
                self._fresh.finished(self.launches)
            forget_handed_on(self.launches)

    @property
    def trace_bytes(self) -> int:
        """The size of the trace so far, with that of the launch that is running."""
        return self._size.bytes

    def in_a_thread(self) -> list[AbstractContextManager[Any]]:
        """What watches the operations of one thread, to be entered in it."""
        observers = [observer_of(self._unwritten)] if self._addresses_only else []
        return [*observers, self._origins.observer()]

    def run(self, function: Any, args: tuple[Any, ...], grid: Any, kwargs: dict[str, Any]) -> LaunchHandle:
        """Execute and trace one launch of a JITFunction."""
        with self.tuning.one_at_a_time:
            self._refuse_more()
            kernel, bound = self._lower(function, args, kwargs)
            self._launch(kernel, bound, grid, config=self.tuning.config_of(kwargs))
            return LaunchHandle(kernel, bound, self._launch)

    def warmup(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LaunchHandle:
        """Lower a JITFunction without launching it."""
        with self.tuning.one_at_a_time:
            kernel, bound = self._lower(function, args, kwargs)
            return LaunchHandle(kernel, bound, self._launch)

    def _lower(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Kernel, dict[str, Any]]:
        with self._own_work(function.fn.__name__):
            return frontend.lower(function, args, kwargs)

    @contextmanager
    def _own_work(self, kernel: str) -> Iterator[None]:
        """What fails inside the block is a fault of Tilescope's, unless code of the user ran last."""
        try:
            with own_work(kernel):
                yield
        except InternalError as error:
            self.internal_error = error
            raise

    def _refuse_more(self) -> None:
        if self.too_large is not None:
            raise TraceTooLarge(self.too_large.text)
        if self.needs_data is not None:
            raise self.needs_data
        if self.internal_error is not None:
            raise self.internal_error

    def _launch(
        self, kernel: Kernel, bound: dict[str, Any], grid: Any, ignored: Ignored | None = None, config: str = ""
    ) -> None:
        self._refuse_more()
        shape = checked_grid(kernel.name, grid, bound)
        variable = [name for name in bound if kernel.signature.get(name) != "constexpr"]
        site = call_site((list(bound), variable), bound)
        require_reachable(bound.values())
        if is_capturing():
            capture(partial(self._run, kernel, bound, shape, config, site, ignored or {}))
        else:
            self._run(kernel, bound, shape, config, site, ignored or {})

    def _run(
        self, kernel: Kernel, bound: dict[str, Any], shape: Grid, config: str, site: CallSite, ignored: Ignored
    ) -> None:
        self._refuse_more()
        with self._own_work(kernel.name), unobserved(), truth(), origins.unobserved():
            arguments = runtime_arguments(kernel, bound)
            if self._on_launch is not None:
                self._on_launch(kernel, bound, arguments, shape)
        if self._trial is None:
            with unobserved(), truth(), origins.unobserved():
                fresh = None if self._addresses_only else self._fresh
                restored, before = before_launch(kernel.plan, arguments, self.tuning, fresh)
            launch, memories, run = self._execute(kernel, arguments, shape, config, self._size, site)
            self._require_end(launch, memories, run)
            launch = replace(launch, faults=(*launch.faults, *self.tuning.compared(kernel.name)))
            if self._fresh is not None:
                run_again = partial(self._run_again, arguments, shape)
                look = SecondLook(kernel.plan, launch, memories, before, run_again, self._arrived)
                try:
                    with self._own_work(kernel.name), unobserved(), truth(), origins.unobserved():
                        look.found(broken_promises(kernel, bound, arguments, ignored))
                        look_at(look, self._fresh, restored, len(self.launches), run.noticed.chosen())
                finally:  # also after a limit, or where the user cancels: the launch itself has run
                    self.launches.append(look.launch)
            else:
                self.launches.append(launch)
            return
        with unobserved(), truth(), origins.unobserved(), taken_back(arguments):
            size = TraceSize(self._size.limit_bytes)
            launch, memories, run = self._execute(kernel, arguments, shape, config, size, site)
            self._require_end(launch, memories, run)
            outputs = None if self._addresses_only else outputs_of(memories, launch.accesses)
        self._trial.append((launch, LaunchHandle(kernel, bound, self._launch).usage(), outputs))

    def _run_again(self, arguments: Sequence[Any], shape: Grid, plan: Plan, **options: Any) -> None:
        options = {"diagnostics": Diagnostics(stop_at_faults=False), **options}
        watcher, budget = WatchRecorder((), None, 0), self._memory_budget_bytes
        execute(plan, arguments, shape, memory_budget_bytes=budget, watcher=watcher, progress=self._progress, **options)

    def _require_end(self, launch: Launch, memories: Sequence[Memory], run: Run) -> None:
        """Keep a launch that was stopped, and raise why."""
        if run.stopped is not None:
            if self._fresh is not None:
                self._fresh.forget(memories)
            self.launches.append(launch)
            raise run.stopped

    def _try(self, launch: Callable[[], Any]) -> tuple[Launch, Usage, Outputs]:
        """Trace a launch, and take back what it wrote."""
        self._trial = []
        try:
            launch()
            return self._trial[-1]
        finally:
            self._trial = None

    def _execute(
        self,
        kernel: Kernel,
        arguments: Sequence[Any],
        shape: Grid,
        config: str,
        size: TraceSize,
        site: CallSite,
    ) -> tuple[Launch, list[Memory], Run]:
        watcher = WatchRecorder(self._watch, self._watch_programs, self._watch_limit_bytes)
        diagnostics = self._running = Diagnostics(stop_at_faults=self._stop_at_faults)
        try:
            with self._own_work(kernel.name), size.launch(kernel.name), unobserved(), truth(), origins.unobserved():
                memories, run = execute(
                    addresses_of(kernel.plan) if self._addresses_only else kernel.plan,
                    arguments,
                    shape,
                    memory_budget_bytes=self._memory_budget_bytes,
                    watcher=watcher,
                    progress=self._progress,
                    diagnostics=diagnostics,
                    unwritten=self._unwritten,
                    size=size,
                )
        except TraceTooLarge as error:
            self.too_large = error
            raise
        self._running = None
        buffers, accesses, faults = in_one_unit(memories, run.accesses, diagnostics.faults)
        for text in diagnostics.notices:
            self.notice(text)
        launch = Launch(
            function=kernel.name,
            file=kernel.file,
            first_line=kernel.first_line,
            source=kernel.source,
            ttir=kernel.ttir,
            grid=shape,
            buffers=tuple(self._named(*each, site) for each in zip(buffers, memories, strict=True)),
            accesses=accesses,
            watched=watcher.finish(),
            faults=faults,
            printed=tuple(diagnostics.printed),
            config=config,
            product_flops=run.product_flops,
            launched_at=site.location,
            addresses_only=self._addresses_only,
        )
        found = run.stored.findings(launch)
        if not self._stop_at_faults and run.stopped is None:
            with self._own_work(kernel.name), unobserved(), truth(), origins.unobserved():
                found = (*found, *walk_findings(launch, kernel.plan, arguments))
        return replace(launch, faults=(*launch.faults, *found)), memories, run

    def _named(self, buffer: Buffer, memory: Memory, site: CallSite) -> Buffer:
        """The buffer of a memory, with what the caller called it and where it was made."""
        storage, made_at = self._origins.of(memory.flat)
        return replace(buffer, argument=site.arguments.get(buffer.name, ""), made_at=made_at, storage=storage)
