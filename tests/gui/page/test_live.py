"""Short runs begin by themselves, and disturb nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication
from shiboken6 import isValid

from core.contracts import registry
from core.contracts.errors import InvalidParams
from core.contracts.events import Cancelled, Failed, Finished, Partial, Started
from core.contracts.params import Params
from core.contracts.result import Result
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.durations import Predictor, RecordedRun, RecordedRuns, Timing
from core.run_files import SavedRun
from gui.page import live
from gui.page.controller import Controller
from gui.page.engine_bridge import EngineBridge
from gui.page.live import LiveMode, LiveRuns
from tests.gui.doubles import FakeEngine, FakeRun, ToyPage, ToyParams
from tests.gui.latest_work import join_latest_work

SHORT, LONG = 0.2, 3.0


def predictor(seconds: float | None) -> Predictor:
    """It knows the toy page: every run takes `seconds` per 1,024 tokens."""
    made = Predictor(RecordedRuns())
    if seconds is not None:
        made.add("toy", Timing(ToyParams(), seconds))
    return made


@pytest.fixture
def seconds() -> float | None:
    return SHORT


@pytest.fixture
def topic(topic: Topic) -> Topic:
    return replace(topic, cost=lambda params: params.seq_len)


@pytest.fixture
def bridge(engine: FakeEngine, page: ToyPage) -> EngineBridge:
    return EngineBridge(lambda: engine, page)


@pytest.fixture
def controller(topic: Topic, page: ToyPage, bridge: EngineBridge) -> Controller:
    made = Controller(topic, page, bridge, page)
    made.show_plan()
    return made


@pytest.fixture
def runs(
    page: ToyPage,
    controller: Controller,
    bridge: EngineBridge,
    seconds: float | None,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> Iterator[LiveRuns]:
    """Live runs whose parameters rest for a moment only, and whose worker is still starting."""
    monkeypatch.setattr(live, "REST_MS", 1)
    bridge.start()
    mode = LiveMode(bridge, make_predictor=lambda: predictor(seconds), parent=page)
    made = LiveRuns(page, controller, mode)
    made._on_shown()
    yield made
    if isValid(mode):  # pytest-qt may have deleted the page already, and what it owns
        mode.set_enabled(False)
    qtbot.waitUntil(lambda: not (isValid(made) and made._timer.isActive()))
    join_latest_work()


@pytest.fixture
def live_run(runs: LiveRuns, engine: FakeEngine, qtbot: Any) -> FakeRun:
    """The run that began by itself when the worker was ready."""
    engine.tell("ready", device="cpu")
    qtbot.waitUntil(lambda: runs.running)
    return engine.runs[-1]


@pytest.fixture
def deliver(bridge: EngineBridge) -> Callable[..., None]:
    def deliver(run: FakeRun, *events: Any) -> None:
        run.post(*events)
        bridge.drain()

    return deliver


@pytest.fixture
def rest(runs: LiveRuns, qtbot: Any) -> Callable[[], None]:
    """Waits until a run has begun, if one will."""

    def rest() -> None:
        qtbot.waitUntil(lambda: not runs._timer.isActive() and not runs._checker.busy)

    return rest


def test_that_a_short_run_begins_by_itself_when_the_worker_is_ready(
    runs: LiveRuns, engine: FakeEngine, page: ToyPage, controller: Controller, qtbot: Any, rest: Callable[[], None]
) -> None:
    rest()
    assert not engine.runs  # the worker is still starting
    engine.tell("ready", device="cpu")
    qtbot.waitUntil(lambda: runs.running)
    [run] = engine.runs
    assert (run.params, run.device, run.is_live) == (page.params, "auto", True)
    assert not controller.running
    assert not page.run_bar.running


def test_that_its_result_is_shown_whole_and_is_not_for_the_history(
    live_run: FakeRun,
    runs: LiveRuns,
    result: Result,
    page: ToyPage,
    controller: Controller,
    deliver: Callable[..., None],
    qtbot: Any,
) -> None:
    ended: list[Any] = []
    runs.finished.connect(lambda *run: ended.append(run))
    with qtbot.assertNotEmitted(controller.finished):
        deliver(live_run, Started("worker", "cpu"), Partial(result))
        assert controller.result is None
        deliver(live_run, Finished(result, 0.25, is_warm=True))
    assert controller.result is result
    assert page.run_bar.phase == "Live run on cpu"
    [(kept, _, _, run_s)] = ended
    assert (kept, run_s) == (result, 0.25)
    assert not runs.running


def test_that_the_next_change_cancels_it_and_the_newest_parameters_run(
    live_run: FakeRun,
    engine: FakeEngine,
    page: ToyPage,
    deliver: Callable[..., None],
    qtbot: Any,
    rest: Callable[[], None],
) -> None:
    page.form.propose(page.params.changed(seq_len=512))
    assert live_run.cancelled
    page.form.propose(page.params.changed(seq_len=256))
    rest()
    assert len(engine.runs) == 1  # one after the other
    deliver(live_run, Cancelled())
    qtbot.waitUntil(lambda: len(engine.runs) == 2)
    assert engine.runs[1].params == page.params


def test_that_a_result_of_older_parameters_is_not_shown(
    live_run: FakeRun, result: Result, page: ToyPage, controller: Controller, deliver: Callable[..., None]
) -> None:
    page.form.propose(page.params.changed(seq_len=512))
    deliver(live_run, Finished(result, 0.1, is_warm=True))
    assert controller.result is None


@pytest.mark.parametrize("seconds", [LONG, None])
def test_that_a_run_that_is_long_or_unknown_waits_for_the_user(
    engine: FakeEngine, page: ToyPage, seconds: float | None, rest: Callable[[], None]
) -> None:
    engine.tell("ready")
    rest()
    assert not engine.runs
    tip = page.run_bar.live.toolTip()
    assert ("3 s here: press Run" in tip) if seconds else ("known after its first run" in tip)


def test_that_a_run_that_took_longer_than_predicted_is_not_live_again(
    live_run: FakeRun,
    runs: LiveRuns,
    engine: FakeEngine,
    result: Result,
    controller: Controller,
    deliver: Callable[..., None],
    rest: Callable[[], None],
) -> None:
    deliver(live_run, Finished(result, 1.5, is_warm=True))
    controller.clear()
    runs._on_shown()
    rest()
    assert engine.runs == [live_run]


def test_that_a_new_worker_does_not_begin_with_a_run_that_took_long_in_the_one_before(
    live_run: FakeRun,
    runs: LiveRuns,
    engine: FakeEngine,
    result: Result,
    controller: Controller,
    deliver: Callable[..., None],
    rest: Callable[[], None],
    qtbot: Any,
) -> None:
    """The first run trained a model, which the worker kept for the second."""
    runs._mode.add("toy", Timing(ToyParams(), 15.0, is_warm=False))
    deliver(live_run, Finished(result, 0.2, is_warm=True))
    controller.clear()
    runs._on_shown()
    qtbot.waitUntil(lambda: runs.running)
    deliver(engine.runs[-1], Cancelled())
    for phase in ("restarting", "ready"):
        engine.tell(phase)
        QCoreApplication.processEvents()
    runs._on_shown()
    rest()
    assert len(engine.runs) == 2


def test_that_one_that_was_too_long_when_it_was_cancelled_is_not_live_again(
    live_run: FakeRun,
    engine: FakeEngine,
    page: ToyPage,
    deliver: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    rest: Callable[[], None],
) -> None:
    deliver(live_run, Started("worker", "cpu"))
    page.form.propose(page.params.changed(causal=False))
    later = live.time.monotonic() + 5
    monkeypatch.setattr(live.time, "monotonic", lambda: later)
    deliver(live_run, Cancelled())
    monkeypatch.undo()
    page.form.propose(ToyParams())
    rest()
    assert engine.runs == [live_run]


def test_that_a_run_that_is_asked_for_replaces_it(
    live_run: FakeRun,
    engine: FakeEngine,
    result: Result,
    page: ToyPage,
    controller: Controller,
    deliver: Callable[..., None],
) -> None:
    page.run_bar.request_run()
    explicit = engine.runs[-1]
    assert live_run.cancelled
    assert not explicit.is_live
    deliver(live_run, Finished(result, 0.1, is_warm=True))
    assert controller.result is None
    assert controller.running
    assert not explicit.cancelled


def test_that_it_waits_while_anything_else_runs(
    engine: FakeEngine,
    bridge: EngineBridge,
    page: ToyPage,
    deliver: Callable[..., None],
    qtbot: Any,
    rest: Callable[[], None],
) -> None:
    """Such as 'Check all'."""
    bridge.submit("another page", ToyParams(), "auto")
    engine.tell("ready")
    page.form.propose(page.params.changed(seq_len=512))
    rest()
    [other] = engine.runs
    deliver(other, Cancelled())
    qtbot.waitUntil(lambda: len(engine.runs) == 2)
    assert engine.runs[1].is_live
    assert not other.cancelled


def test_that_a_page_that_is_not_in_view_does_not_run(
    runs: LiveRuns, engine: FakeEngine, page: ToyPage, qtbot: Any, rest: Callable[[], None]
) -> None:
    page.hide()
    engine.tell("ready")
    rest()
    assert not engine.runs
    page.show()
    qtbot.waitUntil(lambda: runs.running)


def test_that_the_switch_stops_live_runs_and_starts_them(
    live_run: FakeRun,
    engine: FakeEngine,
    page: ToyPage,
    deliver: Callable[..., None],
    qtbot: Any,
    rest: Callable[[], None],
) -> None:
    page.run_bar.live.click()
    assert live_run.cancelled
    deliver(live_run, Cancelled())
    page.form.propose(page.params.changed(seq_len=512))
    rest()
    assert engine.runs == [live_run]
    page.run_bar.live.click()
    qtbot.waitUntil(lambda: len(engine.runs) == 2)


def test_that_a_failure_is_only_logged_and_not_repeated(
    live_run: FakeRun,
    runs: LiveRuns,
    engine: FakeEngine,
    page: ToyPage,
    deliver: Callable[..., None],
    rest: Callable[[], None],
) -> None:
    deliver(live_run, Failed(tr("It ran out of memory.")))
    assert "ran out of memory" in page.log.toPlainText()
    assert not page.banner.sentence
    runs._on_shown()
    rest()
    assert engine.runs == [live_run]


def test_that_parameters_that_cannot_run_are_left_to_the_user(
    page: ToyPage, topic: Topic, engine: FakeEngine, rest: Callable[[], None]
) -> None:
    def refuse(params: Params) -> None:
        raise InvalidParams(tr("too large"), "seq_len")

    page.topic = replace(topic, check=refuse)
    engine.tell("ready")
    rest()
    assert not engine.runs
    assert not page.banner.sentence


@pytest.mark.parametrize("is_opening", [True, False])
def test_that_only_the_recorded_run_that_ships_is_replaced(
    runs: LiveRuns,
    engine: FakeEngine,
    result: Result,
    controller: Controller,
    is_opening: bool,
    rest: Callable[[], None],
) -> None:
    saved = SavedRun(result, datetime.now(UTC), 1.0)
    runs.opening = saved if is_opening else None
    controller.show_recorded(saved)
    engine.tell("ready")
    rest()
    assert bool(engine.runs) is is_opening


def test_that_files_of_the_user_are_never_run_by_themselves(
    page: ToyPage, topic: Topic, engine: FakeEngine, rest: Callable[[], None]
) -> None:
    page.topic = replace(topic, path_params=("dtype",))  # any text will do
    engine.tell("ready")
    rest()
    assert not engine.runs
    assert "file of yours" in page.run_bar.live.toolTip()


@pytest.mark.parametrize("seconds", [None])
def test_that_nothing_is_predicted_before_the_past_runs_are_read(
    runs: LiveRuns, engine: FakeEngine, qtbot: Any, rest: Callable[[], None]
) -> None:
    runs._mode.await_history("toy")
    engine.tell("ready")
    rest()
    assert not engine.runs
    runs._mode.learn("toy", [Timing(ToyParams(), SHORT)])
    qtbot.waitUntil(lambda: runs.running)


def test_that_recorded_durations_are_enough() -> None:
    recorded = RecordedRuns(runs=(RecordedRun(page="masks", seconds=0.5),))
    masks = registry.topic("masks")
    prediction = Predictor(recorded).predict(masks, masks.params())
    assert prediction is not None
    assert prediction.is_live()
