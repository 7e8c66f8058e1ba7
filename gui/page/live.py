"""Runs that begin by themselves, when a page is shown or its parameters rest, if they are predicted to be short."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from core import durations, run_files
from core.contracts.events import Cancelled, Event, Failed, Finished, Started
from core.contracts.text import Text, tr
from core.durations.live import LIVE_WITHIN_S, may_be_live
from core.durations.timing import Timing
from core.engine.devices import DEVICES
from core.engine.state import EngineState, Phase
from core.format import format_quantity
from gui.page.file_work import FileWork
from gui.translation import show_text

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.contracts.result import Result
    from core.contracts.topic import Topic
    from core.durations import Prediction, Predictor
    from core.run_files import SavedRun
    from gui.page.controller import Controller
    from gui.page.engine_bridge import EngineBridge
    from gui.page.page import Page

REST_MS = 300
"""How long the parameters rest before a run begins."""


class LiveMode(QObject):
    """Whether short runs begin by themselves in this window, and how long runs take here.

    `toggled` carries whether they do, `learned` the id of a page whose past runs are now known.
    """

    toggled = Signal(bool)
    learned = Signal(str)

    def __init__(
        self,
        bridge: EngineBridge,
        *,
        enabled: bool = True,
        make_predictor: Callable[[], Predictor] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.bridge = bridge
        self._enabled = enabled
        self._make_predictor = make_predictor
        self._unknown: set[str] = set()
        self._run_in_worker: set[str] = set()
        bridge.run_event.connect(self._on_event)
        bridge.state_changed.connect(self._on_state)

    @property
    def enabled(self) -> bool:
        return self._enabled

    def set_enabled(self, enabled: bool) -> None:
        if enabled != self._enabled:
            self._enabled = enabled
            self.toggled.emit(enabled)

    @cached_property
    def _predictor(self) -> Predictor:
        """Made on first use: it reads a file, and the window comes first."""
        return durations.Predictor() if self._make_predictor is None else self._make_predictor()

    def await_history(self, page: str) -> None:
        """The past runs of the page are still being read: until `learn`, nothing is predicted of it."""
        self._unknown.add(page)

    def learn(self, page: str, timings: list[Timing]) -> None:
        """The past runs of the page, the newest first."""
        self._predictor.learn(page, timings)
        self._unknown.discard(page)
        self.learned.emit(page)

    def predict(self, topic: Topic, params: Params, device: str) -> Prediction | None:
        """How long the live run takes on 'auto', 'cpu' or 'cuda'; None if that is not known."""
        if topic.id in self._unknown:
            return None
        on_gpu = device == "cuda" or (device == "auto" and self.bridge.device.startswith("cuda"))
        return self._predictor.predict(topic, params, on_gpu=on_gpu, is_live=True)

    def is_short(self, topic: Topic, prediction: Prediction | None) -> bool:
        """Whether the run is short enough to begin by itself in the worker that there is."""
        return prediction is not None and prediction.is_live(worker_is_warm=topic.id in self._run_in_worker)

    def add(self, page: str, timing: Timing) -> None:
        """The newest run of the page."""
        self._predictor.add(page, timing)

    def _on_event(self, run: Any, event: Event) -> None:
        match event:
            case Finished(result=result, seconds=float(seconds), is_warm=is_warm) if not run.machine:
                on_gpu = result.environment.device.startswith("cuda")
                self._run_in_worker.add(run.topic_id)
                self.add(run.topic_id, Timing(run.params, seconds, on_gpu, is_warm, run.is_live))

    def _on_state(self, state: EngineState) -> None:
        if state.phase not in (Phase.READY, Phase.BUSY):  # another worker takes its place
            self._run_in_worker.clear()


class LiveRuns(QObject):
    """Runs the page by itself. A change of the parameters cancels the run, and so does a run that is asked for.

    `opening` is the recorded run that the page shows until it has one of this machine; a recorded run that the user
    opened is not replaced. Only whole results are shown. `finished` carries what `Controller.finished` does, and it is
    not for the history of runs: see `History.add`.
    """

    finished = Signal(object, float, float, object)

    def __init__(self, page: Page, controller: Controller, mode: LiveMode) -> None:
        super().__init__(page)
        self._page, self._controller, self._mode, self._bridge = page, controller, mode, mode.bridge
        self.opening: SavedRun | None = None
        self._run: Any = None
        self._started_at = self._begun_at = 0.0
        self._on_gpu = False
        self._wanted = False
        self._failed: list[Params] = []
        self._checker = FileWork(lambda _: None, self)
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self._consider)
        page.params_changed.connect(self._on_params)
        page.came_into_view.connect(self._on_shown)
        page.run_bar.device.currentTextChanged.connect(self._look_again)
        self._bridge.run_event.connect(self._on_event)
        self._bridge.state_changed.connect(self._look_again)
        self._bridge.idle.connect(self._look_again)
        mode.learned.connect(self._look_again)
        mode.toggled.connect(self._on_toggled)
        page.run_bar.live.toggled.connect(mode.set_enabled)
        page.run_bar.live.show()
        self._on_toggled(mode.enabled)

    @property
    def running(self) -> bool:
        return self._run is not None

    def _on_params(self) -> None:
        self.stop()
        self._wanted = True
        self._timer.start()

    def _on_shown(self) -> None:
        self._wanted = True
        self._timer.start()

    def _on_toggled(self, enabled: bool) -> None:
        self._page.run_bar.live.setChecked(enabled)
        if enabled:
            self._on_shown()
        else:
            self.stop()

    def _look_again(self, *_: object) -> None:
        """Something that a run waited for may have changed."""
        if self._wanted and self._page.isVisible() and not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """Cancel the run that has begun by itself."""
        self._checker.forget()
        if self._run is not None:
            self._run.cancel()

    def _consider(self) -> None:
        """Begin a run, if one is wanted and short, and nothing is in its way."""
        params, topic = self._page.params, self._page.topic
        device = self._page.run_bar.device.device
        prediction = self._mode.predict(topic, params, device)
        allowed, is_short = may_be_live(topic, params), self._mode.is_short(topic, prediction)
        if device not in DEVICES:
            show_text(self._page.run_bar.live.setToolTip, _NOT_ELSEWHERE)
            return
        show_text(self._page.run_bar.live.setToolTip, _explained(prediction, allowed, is_short))
        if not self._wanted or not self._is_free():
            return
        if self._shows_run_of(params):
            self._wanted = False
        elif is_short and allowed and params not in self._failed:
            self._checker.read(lambda: topic.check(params), lambda _: self._submit(params))

    def _is_free(self) -> bool:
        """Whether a run would disturb nothing and nobody."""
        busy = self._run is not None or self._controller.running or self._controller.planning or not self._bridge.ready
        return self._mode.enabled and self._page.isVisible() and self._page.form.valid and not busy

    def _shows_run_of(self, params: Params) -> bool:
        """Whether the page has the run with these parameters: one of this machine, or one that the user opened."""
        shown, recorded = self._controller.result, self._controller.recorded
        is_opening = recorded is not None and recorded is self.opening
        return shown is not None and not is_opening and shown.is_run_of(params)

    def _submit(self, params: Params) -> None:
        if self._page.params != params or not self._is_free():
            return
        self._wanted, self._started_at, self._begun_at = False, time.time(), 0.0
        device = self._page.run_bar.device.device
        self._run = self._bridge.submit(self._page.topic.id, params, device, is_live=True)

    def _on_event(self, run: Any, event: Event) -> None:
        if run is not self._run:
            return
        match event:
            case Started(device=device):
                self._begun_at, self._on_gpu = time.monotonic(), device.startswith("cuda")
            case Finished(result=result, seconds=seconds, is_warm=is_warm):
                self._run = None
                self._show(result, seconds if is_warm else None)
            case Failed(sentence=sentence):
                self._run = None
                self._failed.append(run.params)
                self._page.append_log(str(tr("The live run failed: {reason}", reason=sentence)))
            case Cancelled():
                self._run = None
                self._learn_from_cancelled(run)

    def _learn_from_cancelled(self, run: Any) -> None:
        """A run that was already too long when it was cancelled does not begin by itself again."""
        seconds = time.monotonic() - self._begun_at
        if self._begun_at and seconds > LIVE_WITHIN_S:
            self._mode.add(self._page.topic.id, Timing(run.params, seconds, self._on_gpu, is_live=True))

    def _show(self, result: Result, run_s: float | None) -> None:
        """Show a whole result, unless the parameters have changed or a run was asked for in the meantime."""
        if self._controller.running or not result.is_run_of(self._page.params):
            return
        wall_s = time.time() - self._started_at
        self._controller.show_saved(run_files.SavedRun(result, datetime.fromtimestamp(self._started_at, UTC), wall_s))
        self._page.show_ended(tr("Live run on {device}", device=result.environment.device), completed=True)
        self.finished.emit(result, self._started_at, wall_s, run_s)


_NOT_ELSEWHERE = tr("Runs on another machine do not begin by themselves: press Run.")


def _explained(prediction: Prediction | None, allowed: bool, is_short: bool) -> Text:
    """What the switch does, and what it does with the parameters in the form."""
    if not allowed:
        return tr("Runs that open a file of yours do not begin by themselves: press Run.")
    if prediction is None or not prediction.is_close:
        return tr(
            "Runs under a second begin by themselves. How long this one takes here is known after its first run: press "
            "Run."
        )
    predicted_s = prediction.seconds if is_short else max(prediction.seconds, prediction.first_seconds or 0.0)
    seconds = format_quantity(predicted_s, "s")
    if is_short:
        return tr("Runs under a second begin by themselves. This one is predicted to take {time} here.", time=seconds)
    return tr(
        "Runs under a second begin by themselves. This one is predicted to take {time} here: press Run.", time=seconds
    )
