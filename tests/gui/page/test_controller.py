from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import pytest
from PySide6.QtCore import QObject, Signal

from core.contracts.claims import Claim, Verdict
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.events import Cancelled, Failed, Finished, Partial, Progress, Started
from core.contracts.result import Result
from core.contracts.text import Text, tr
from core.contracts.topic import Topic
from gui.page.controller import Controller
from gui.page.engine_bridge import EngineBridge
from tests.gui.doubles import TOPIC, FakeEngine, ToyParams


class MockView(QObject):
    """The page's signals, and a mock for each of its methods."""

    params_changed = Signal(object)
    run_requested = Signal(str)
    cancel_requested = Signal()
    restart_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.params = ToyParams()
        self.mock = Mock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.mock, name)

    def called(self, name: str) -> list[Any]:
        calls = getattr(self.mock, name).call_args_list
        return [tuple(str(arg) if isinstance(arg, Text) else arg for arg in call.args) for call in calls]

    def edit(self, **changes: Any) -> None:
        self.params = self.params.changed(**changes)
        self.params_changed.emit(self.params)


@pytest.fixture
def view(qapp: Any) -> MockView:
    return MockView()


@pytest.fixture
def bridge(engine: FakeEngine, qapp: Any) -> EngineBridge:
    return EngineBridge(lambda: engine)


@pytest.fixture
def controller(topic: Topic, view: MockView, bridge: EngineBridge) -> Controller:
    return Controller(topic, view, bridge)


def test_that_a_burst_of_edits_is_planned_once_with_the_latest(
    controller: Controller, view: MockView, qtbot: Any
) -> None:
    for seq_len in (16, 32, 64, 128):
        view.edit(seq_len=seq_len)
    assert not view.called("show_plan")
    qtbot.waitUntil(lambda: bool(view.called("show_plan")))
    assert view.called("show_plan") == [(("plan of", 128), view.params)]


def test_that_the_first_edit_is_planned_at_once_and_the_next_after_a_rest(
    controller: Controller, view: MockView, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    monkeypatch.setattr(controller._planner._timer, "start", waits.append)
    view.edit(seq_len=16)
    controller.show_plan()
    view.edit(seq_len=32)
    monkeypatch.undo()
    assert waits[0] == 0
    assert 0 < waits[1] <= 16


def test_that_a_run_goes_from_the_view_to_the_engine_and_back(
    controller: Controller, view: MockView, bridge: EngineBridge, engine: FakeEngine, result: Result
) -> None:
    finished: list[Any] = []
    controller.finished.connect(lambda *ended: finished.append(ended))
    view.run_requested.emit("cpu")
    assert controller.running
    (run,) = engine.runs
    assert (run.topic_id, run.params, run.device) == ("toy", ToyParams(), "cpu")
    run.post(Started("w", "cpu"), Progress(1, 4, "tracing"), Partial({"rows": 3}), Finished(result))
    bridge.drain()
    assert (1, 4, "tracing") in view.called("show_progress")
    assert view.called("show_partial") == [({"rows": 3},)]
    presented, findings = view.called("present")[0]
    assert presented is result
    assert findings["same-result"].verdict is Verdict.HOLDS
    assert findings["faster"].verdict is Verdict.NOT_TESTED
    assert not controller.running
    assert controller.result is result
    assert finished[0][0] is result
    assert view.mock.show_ended.call_args.kwargs == {"completed": True}


def test_that_the_newest_run_wins_and_stale_answers_are_dropped(
    controller: Controller,
    view: MockView,
    bridge: EngineBridge,
    engine: FakeEngine,
    result: Result,
    other_result: Result,
) -> None:
    controller.run()
    view.edit(seq_len=2048)
    controller.run()
    first, second = engine.runs
    assert first.cancelled
    first.post(Progress(1, 2, "old"), Partial({"old": 1}), Finished(result))
    second.post(Progress(1, 2, "new"))
    bridge.drain()
    assert [args[2] for args in view.called("show_progress")] == ["new"]
    assert not view.called("show_partial")
    assert not view.called("present")
    assert controller.running
    second.post(Finished(other_result))
    bridge.drain()
    assert controller.result is other_result


def test_that_cancelling_waits_for_the_engine_to_say_so(
    controller: Controller, view: MockView, bridge: EngineBridge, engine: FakeEngine
) -> None:
    view.cancel_requested.emit()
    controller.run()
    view.cancel_requested.emit()
    assert engine.runs[0].cancelled
    assert controller.running
    engine.runs[0].post(Cancelled())
    bridge.drain()
    assert not controller.running
    assert view.called("show_ended") == [("Cancelled",)]
    assert not view.called("show_error")


def test_that_a_failure_is_shown_where_it_belongs_and_the_next_run_works(
    controller: Controller, view: MockView, bridge: EngineBridge, engine: FakeEngine, result: Result
) -> None:
    controller.run()
    engine.runs[0].post(Failed("The worker crashed.", "traceback", "heads"))
    bridge.drain()
    assert view.called("show_error") == [("The worker crashed.", "traceback", "heads")]
    controller.run()
    engine.runs[1].post(Finished(result))
    bridge.drain()
    assert controller.result is result


def test_that_a_refusal_of_the_topic_never_reaches_the_engine(
    topic: Topic, view: MockView, bridge: EngineBridge, engine: FakeEngine
) -> None:
    def refuse(_: Any) -> None:
        raise InvalidParams("It needs 900 GB: use a shorter sequence.", "seq_len")

    controller = Controller(replace(topic, check=refuse), view, bridge)
    controller.run()
    assert not engine.runs
    assert view.called("show_error") == [("It needs 900 GB: use a shorter sequence.", "", "seq_len")]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (TilescopeError("No such GPU."), "No such GPU."),
        (
            ZeroDivisionError("x"),
            "The modelled data of this page could not be computed (ZeroDivisionError): try other parameters.",
        ),
    ],
)
def test_that_a_plan_that_fails_is_one_sentence(
    topic: Topic, view: MockView, bridge: EngineBridge, error: Exception, sentence: str
) -> None:
    controller = Controller(replace(topic, plan=Mock(side_effect=error)), view, bridge)
    controller.show_plan()
    assert view.called("show_error")[0][0] == sentence
    assert not view.called("show_plan")


def test_that_the_sentence_goes_when_the_plan_works_again(topic: Topic, view: MockView, bridge: EngineBridge) -> None:
    def plan(params: ToyParams) -> str:
        if params.seq_len > 1024:
            raise InvalidParams("The tile does not fit.", "seq_len")
        return "fits"

    controller = Controller(replace(topic, plan=plan), view, bridge)
    view.edit(seq_len=2048)
    controller.show_plan()
    assert view.called("show_error") == [("The tile does not fit.", "", "seq_len")]
    view.edit(seq_len=512)
    controller.show_plan()
    controller.show_plan()
    assert view.called("clear_error") == [()]


def test_that_a_claim_whose_test_breaks_is_not_tested_and_breaks_nothing(
    topic: Topic, view: MockView, bridge: EngineBridge, result: Result
) -> None:
    broken = Claim("broken", Text("It is.", "是。"), "Nowhere", Mock(side_effect=KeyError("rows")))
    controller = Controller(replace(topic, claims=(broken, *topic.claims)), view, bridge)
    findings = controller.findings(result)
    assert findings["broken"].verdict is Verdict.NOT_TESTED
    assert findings["same-result"].verdict is Verdict.HOLDS
    assert "KeyError" in view.called("append_log")[0][0]


def test_that_clearing_forgets_the_result(controller: Controller, view: MockView, result: Result) -> None:
    controller.show_result(result)
    controller.clear()
    assert controller.result is None
    assert view.called("withdraw") == [()]
    assert view.called("show_plan") == [(("plan of", view.params.seq_len), view.params)]


def test_that_another_pages_events_are_ignored(
    topic: Topic, bridge: EngineBridge, engine: FakeEngine, result: Result, qapp: Any
) -> None:
    views = [MockView(), MockView()]
    controllers = [Controller(topic, view, bridge) for view in views]
    controllers[0].run()
    engine.runs[0].post(Finished(result))
    bridge.drain()
    assert views[0].called("present")
    assert not views[1].called("present")


def test_that_parameters_without_a_plan_leave_what_is_drawn_and_say_so(
    topic: Topic, view: MockView, bridge: EngineBridge
) -> None:
    controller = Controller(replace(topic, plan=Mock(side_effect=TilescopeError("No such file."))), view, bridge)
    view.edit(seq_len=512)
    controller.show_plan()
    assert view.called("keep_plan") == [(view.params,)]


def test_that_a_result_is_drawn_on_the_plan_of_the_newest_parameters(
    controller: Controller, view: MockView, result: Result
) -> None:
    view.edit(seq_len=512)
    controller.show_result(result)
    drawn = [call[0] for call in view.mock.method_calls if call[0] in ("show_plan", "present")]
    assert drawn == ["show_plan", "present"]


def test_that_a_broken_run_offers_to_restart_the_worker_and_a_wrong_parameter_does_not(
    controller: Controller, view: MockView, bridge: EngineBridge, engine: FakeEngine
) -> None:
    for invalid in (False, True):
        view.run_requested.emit("cpu")
        engine.runs[-1].post(Failed(tr("It broke."), "trace", invalid_input=invalid))
        bridge.drain()
        assert view.mock.show_error.call_args.kwargs == {"offers_restart": not invalid}


def test_that_restarting_replaces_the_engine(bridge: EngineBridge, monkeypatch: pytest.MonkeyPatch) -> None:
    restarts: list[bool] = []
    monkeypatch.setattr(bridge, "restart", lambda: restarts.append(True))
    other = MockView()
    Controller(TOPIC, other, bridge)
    other.restart_requested.emit()
    assert restarts == [True]
