"""The logic of a page: from a run to its events, to the page. No widgets, no torch."""

from __future__ import annotations

import time
import traceback
from datetime import UTC, datetime
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.contracts.claims import Finding, Verdict
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.events import TERMINAL, Cancelled, Event, Failed, Finished, Partial, Progress, Started
from core.contracts.params import Params
from core.contracts.result import Result
from core.contracts.text import Text, tr
from core.contracts.topic import Topic
from core.engine.devices import DEVICES
from core.run_files import SavedRun
from core.run_files.wording import environment_lines
from gui.page.engine_bridge import EngineBridge
from gui.page.file_work import FileWork
from gui.page.planner import Planner


class Controller(QObject):
    """Drives a view (`gui.page.page.Page`, or anything with its methods) with a topic and the engine behind the bridge.

    The newest run wins: submitting it cancels the one before, and events of older runs are dropped. `finished`
    carries (Result, started_at in seconds since the epoch, wall_s, run_s) for the history; see `Finished` for run_s.
    `ended` says that a run is over, with a result or without, or was refused once its files had been looked at.
    """

    finished = Signal(object, float, float, object)
    ended = Signal()

    def __init__(self, topic: Topic, view: Any, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._topic, self._view, self._bridge = topic, view, bridge
        self.keeps_runs = False
        """Whether a history stores finished runs and calls `show_kept`."""
        self._planner = Planner(topic, view, self._show_problem, self)
        self._checker = FileWork(self._refuse, self)
        self._run: Any = None
        self._result: Result | None = None
        self._saved: SavedRun | None = None
        self._recorded: SavedRun | None = None
        self._pinned: SavedRun | None = None
        self._started_at = 0.0
        view.run_requested.connect(self.run)
        view.cancel_requested.connect(self.cancel)
        view.restart_requested.connect(bridge.restart)
        view.withdraw_requested.connect(self.clear)
        view.pin_requested.connect(self._pin_shown)
        bridge.run_event.connect(self._on_event)

    @property
    def running(self) -> bool:
        """Whether a run goes on, or its files are looked at before it."""
        return self._run is not None or self._checker.busy

    @property
    def planning(self) -> bool:
        """Whether the plan of the newest parameters is still to come."""
        return self._planner.busy

    @property
    def result(self) -> Result | None:
        """The result that the page shows."""
        return self._result

    def show_plan(self) -> None:
        """Plan the newest parameters and draw the plan, now."""
        self._planner.show_plan()

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
        is_here = device in DEVICES
        waiting = tr("Waiting for the worker") if is_here else tr("Waiting for a worker of {device}", device=device)
        self._view.show_started(waiting)
        self._view.append_log(str(tr("Run on {device}: {params}", device=device, params=_one_line(params))))

    def cancel(self) -> None:
        """Ask the run to stop; its terminal event follows. A run whose files are still looked at does not begin."""
        self._checker.forget()
        if self._run is not None:
            self._run.cancel()
            self._view.show_progress(0, 0, tr("Cancelling"))

    @property
    def saved(self) -> SavedRun | None:
        """The run that the page shows, as it can be saved; None where it is not known when it was made."""
        return self._saved

    @property
    def recorded(self) -> SavedRun | None:
        """The recorded run that the page shows; None while it shows a run of this machine, or none."""
        return self._recorded

    def show_result(self, result: Result) -> None:
        """Present a result, from a run or from the history, test the claims on it, and show it with the newest plan."""
        self._present(result)

    def show_saved(self, saved: SavedRun) -> None:
        """Present a run of this machine, which can be saved as a file."""
        self._present(saved.result, saved)

    def show_recorded(self, saved: SavedRun) -> None:
        """Present a run that was made elsewhere or earlier, with the badge *recorded* and its environment.

        The form keeps its parameters, and the history does not get the run. The user's own run replaces it. Raises
        TilescopeError for a run of another topic.
        """
        saved.check_topic(self._topic.id)
        self._present(saved.result, saved, is_recorded=True)
        self._view.append_log(str(environment_lines(saved)))
        if not self.running:
            self._view.show_ended(tr("Recorded on {device}", device=saved.environment.device), completed=False)

    def _present(self, result: Result, saved: SavedRun | None = None, *, is_recorded: bool = False) -> None:
        self._planner.catch_up()
        self._result, self._saved, self._recorded = result, saved, saved if is_recorded else None
        self._view.show_origin(self._recorded)
        self._view.present(result, self.findings(result))

    @property
    def pinned(self) -> SavedRun | None:
        """The run that is pinned as A."""
        return self._pinned

    def pin(self, saved: SavedRun | None) -> None:
        """Compare the next runs with this one, A; None unpins. Raises TilescopeError for a run of another topic."""
        plan = None
        if saved is not None:
            saved.check_topic(self._topic.id)
            params = saved.result.params
            drawn = self._topic.without_files(params) if self._topic.opens_files(params) else params
            plan = self._planner.plan(drawn)
        self._pinned = saved
        self._view.show_pinned(saved, plan)

    def _pin_shown(self, on: bool) -> None:
        self.pin(self._saved if on else None)

    def clear(self) -> None:
        """Forget the result: the page shows the plan of the newest parameters."""
        self._forget()
        self._view.withdraw()
        if not self.running:
            self._view.show_ended(tr("Not run yet"), completed=False)
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

    def _accepts(self, params: Params) -> bool:
        """Whether the topic accepts these parameters on this machine: predicted memory and the like."""
        try:
            self._topic.check(params)
        except Exception as error:
            self._show_problem(error)
            return False
        return True

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

    def _refuse(self, error: Exception) -> None:
        """The files of a run cannot be used: it does not begin."""
        self._show_problem(error)
        self.ended.emit()

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
                self._leave_record()
                self._view.show_partial(result)
            case Finished(result=result, seconds=seconds, is_warm=is_warm):
                self._finish(result, seconds if is_warm else None)
            case Failed(sentence=sentence, detail=detail, blames=field, invalid_input=invalid, stack=stack):
                self._end(tr("Failed"))
                self._view.show_error(sentence, stack or detail, field, offers_restart=not invalid and not run.machine)
            case Cancelled(reason=reason):
                ended = tr("Run ended: {reason}", reason=reason)
                self._end(tr("Cancelled") if reason == Cancelled().reason else ended)
                self._view.append_log(str(ended))
        if isinstance(event, TERMINAL):
            self.ended.emit()

    def _forget(self) -> None:
        self._result = self._saved = self._recorded = None

    def _leave_record(self) -> None:
        """A run of this machine has something to show: no number of the recorded one stays beside it."""
        if self._recorded is not None:
            self._forget()
            self._view.withdraw()

    def _finish(self, result: Result, run_s: float | None) -> None:
        wall_s = time.time() - self._started_at
        device = result.environment.device
        done = tr("Done on {device}", device=device)
        self._end(tr("Saving the run in the history") if self.keeps_runs else done, completed=True)
        self._view.append_log(str(tr("Done on {device} in {seconds:.1f} s", device=device, seconds=wall_s)))
        self.show_saved(SavedRun(result, datetime.fromtimestamp(self._started_at, UTC), wall_s))
        self.finished.emit(result, self._started_at, wall_s, run_s)

    def show_kept(self, result: Result) -> None:
        """The history has stored a run: only now it is said to be done, and not if another one has begun."""
        if result is self._result and not self.running:
            self._view.show_ended(tr("Done on {device}", device=result.environment.device), completed=True)

    def _end(self, phase: Text | str, *, completed: bool = False) -> None:
        self._run = None
        self._view.show_ended(phase, completed=completed)


def _one_line(params: Params) -> str:
    return " ".join(f"{name}={value}" for name, value in params.model_dump().items())
