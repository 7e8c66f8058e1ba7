"""The logic of a page: from parameters to the plan, from a run to its events, to the page. No widgets, no torch."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from core.contracts.claims import Finding, Verdict
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.events import Cancelled, Event, Failed, Finished, Partial, Progress, Started
from core.contracts.params import Params
from core.contracts.result import Result
from core.contracts.text import Text, tr
from core.contracts.topic import Topic
from gui.page.engine_bridge import EngineBridge
from gui.page.file_work import FileWork

_REST_MS = 16
"""The least time between two plans: a slider may fire hundreds of times per second, and the latest value wins."""


class Controller(QObject):
    """Drives a view (`gui.page.page.Page`, or anything with its methods) with a topic and the engine behind the bridge.

    The newest run wins: submitting it cancels the one before, and events of older runs are dropped. `finished`
    carries (Result, started_at in seconds since the epoch, wall_s) for the history.
    """

    finished = Signal(object, float, float)

    def __init__(self, topic: Topic, view: Any, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._topic, self._view, self._bridge = topic, view, bridge
        self.keeps_runs = False
        """Whether a history stores finished runs and calls `show_kept`."""
        self._has_plan = False
        self._reader = FileWork(self._show_plan_problem, self)
        self._checker = FileWork(self._show_problem, self)
        self._run: Any = None
        self._result: Result | None = None
        self._started_at = 0.0
        self._plan_failed = False
        self._planned_at = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.show_plan)
        view.params_changed.connect(self._on_params)
        view.run_requested.connect(self.run)
        view.cancel_requested.connect(self.cancel)
        view.restart_requested.connect(bridge.restart)
        bridge.run_event.connect(self._on_event)

    @property
    def running(self) -> bool:
        """Whether a run goes on, or its files are looked at before it."""
        return self._run is not None or self._checker.busy

    @property
    def planning(self) -> bool:
        """Whether the plan of the newest parameters is still to come."""
        return self._reader.busy

    @property
    def result(self) -> Result | None:
        """The result that the page shows."""
        return self._result

    def show_plan(self) -> None:
        """Plan the newest parameters and draw the plan, now."""
        self._timer.stop()
        params = self._view.params
        self._reader.forget()
        if self._topic.opens_files(params):
            self._plan_beside(params)
        else:
            self._show_planned(params, self._guarded(lambda: self._topic.plan(params)))

    def _plan_beside(self, params: Params) -> None:
        """Plan in a thread: opening a file takes as long as the disk, or the network behind it, does."""
        if not self._has_plan:  # something to look at meanwhile
            blank = self._topic.without_files(params)
            self._show_planned(blank, self._guarded(lambda: self._topic.plan(blank)))
        self._view.keep_plan(params)
        self._reader.read(lambda: self._topic.plan(params), lambda plan: self._show_planned(params, plan))

    def _show_planned(self, params: Params, plan: Any) -> None:
        if plan is not None:
            if self._plan_failed:
                self._view.clear_error()
            self._view.show_plan(plan, params)
            self._has_plan = True
        else:
            self._view.keep_plan(params)
        self._plan_failed = plan is None
        self._planned_at = time.monotonic()

    def run(self, device: str = "auto") -> None:
        """Submit the newest parameters. A run that is still going is cancelled."""
        params = self._view.params
        if self._topic.opens_files(params):
            self._checker.read(lambda: self._topic.check(params), lambda _: self._submit(params, device))
        elif self._accepts(params):
            self._submit(params, device)

    def _submit(self, params: Params, device: str) -> None:
        if self._run is not None:
            self._run.cancel()
        run = self._bridge.submit(self._topic.id, params, device)
        self._run, self._started_at = run, time.time()
        self._view.show_started(tr("Waiting for the worker"))
        self._view.append_log(str(tr("Run on {device}: {params}", device=device, params=_one_line(params))))

    def cancel(self) -> None:
        """Ask the run to stop; its terminal event follows. A run whose files are still looked at does not begin."""
        self._checker.forget()
        if self._run is not None:
            self._run.cancel()
            self._view.show_progress(0, 0, tr("Cancelling"))

    def show_result(self, result: Result) -> None:
        """Present a result, from a run or from the history, test the claims on it, and show it with the newest plan."""
        if self._timer.isActive():
            self.show_plan()
        self._result = result
        self._view.present(result, self.findings(result))

    def clear(self) -> None:
        """Forget the result: the page shows the plan of the newest parameters."""
        self._result = None
        self._view.withdraw()
        self.show_plan()

    def findings(self, result: Result) -> dict[str, Finding]:
        """Test every claim on the result. A test that raises counts as not tested; the others are not affected."""
        findings = {}
        for claim in self._topic.claims:
            try:
                findings[claim.id] = claim.test(result)
            except Exception:
                failed = tr("The test of claim {claim} failed.", claim=claim.id)
                self._view.append_log(f"{failed}\n{traceback.format_exc()}")
                findings[claim.id] = Finding(Verdict.NOT_TESTED, tr("The test of this claim failed: see the log."))
        return findings

    def _on_params(self, _params: Params) -> None:
        """Plan in the next turn of the event loop, or _REST_MS after the last plan, with the newest parameters then."""
        if not self._timer.isActive():
            rested_ms = int((time.monotonic() - self._planned_at) * 1e3)
            self._timer.start(max(0, _REST_MS - rested_ms))

    def _accepts(self, params: Params) -> bool:
        """Whether the topic accepts these parameters on this machine: predicted memory and the like."""
        accepted = False

        def check() -> None:
            nonlocal accepted
            self._topic.check(params)
            accepted = True

        self._guarded(check)
        return accepted

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """The result of `work()`; None after showing its error."""
        try:
            return work()
        except Exception as error:
            self._show_problem(error)
        return None

    def _show_problem(self, error: Exception) -> None:
        match error:
            case InvalidParams():
                self._view.show_error(error.text, "", error.field)
            case TilescopeError():
                self._view.show_error(error.text)
            case _:
                kind = type(error).__name__
                sentence = tr(
                    "The modelled data of this page could not be computed ({error}): try other parameters.", error=kind
                )
                self._view.show_error(sentence, "".join(traceback.format_exception(error)))

    def _show_plan_problem(self, error: Exception) -> None:
        self._show_problem(error)
        self._plan_failed = True

    def _on_event(self, run: Any, event: Event) -> None:
        """Handle an event, on the GUI thread. Events of older runs and of other pages are ignored."""
        if run is not self._run:
            return
        match event:
            case Started(device=device):
                self._view.show_progress(0, 0, tr("Running on {device}", device=device))
                self._view.append_log(str(tr("Started on {device}", device=device)))
            case Progress(done=done, total=total, phase=phase):
                self._view.show_progress(done, total, phase)
            case Partial(result=result):
                self._view.show_partial(result)
            case Finished(result=result):
                self._finish(result)
            case Failed(sentence=sentence, detail=detail, blames=field, invalid_input=invalid):
                self._end(tr("Failed"))
                self._view.show_error(sentence, detail, field, offers_restart=not invalid)
            case Cancelled(reason=reason):
                ended = tr("Run ended: {reason}", reason=reason)
                self._end(tr("Cancelled") if reason == Cancelled().reason else ended)
                self._view.append_log(str(ended))

    def _finish(self, result: Result) -> None:
        wall_s = time.time() - self._started_at
        device = result.environment.device
        done = tr("Done on {device}", device=device)
        self._end(tr("Saving the run in the history") if self.keeps_runs else done, completed=True)
        self._view.append_log(str(tr("Done on {device} in {seconds:.1f} s", device=device, seconds=wall_s)))
        self.show_result(result)
        self.finished.emit(result, self._started_at, wall_s)

    def show_kept(self, result: Result) -> None:
        """The history has stored a run: only now it is said to be done, and not if another one has begun."""
        if result is self._result and not self.running:
            self._view.show_ended(tr("Done on {device}", device=result.environment.device), completed=True)

    def _end(self, phase: Text | str, *, completed: bool = False) -> None:
        self._run = None
        self._view.show_ended(phase, completed=completed)


def _one_line(params: Params) -> str:
    return " ".join(f"{name}={value}" for name, value in params.model_dump().items())
