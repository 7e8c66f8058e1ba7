"""A recorded run on a page cannot be mistaken for a run of this machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.contracts.errors import TilescopeError
from core.contracts.events import Finished, Partial, Started
from core.contracts.result import Environment, Provenance
from core.run_files import SavedRun
from gui.page.controller import Controller
from gui.page.engine_bridge import EngineBridge
from tests.gui.doubles import TOPIC, FakeEngine, ToyPage, ToyResult

STARTED = datetime(2026, 11, 28, 10, 12, tzinfo=UTC)


@pytest.fixture
def saved(result: ToyResult) -> SavedRun:
    there = Environment("cuda (NVIDIA H200)", "CUDA", {"tilescope": "1.2.0", "torch": "2.13.0"})
    return SavedRun(replace(result, environment=there), STARTED, 2.5, "lab-7")


@pytest.fixture
def controller(page: ToyPage, engine: FakeEngine) -> Controller:
    made = Controller(TOPIC, page, EngineBridge(lambda: engine), page)
    made.show_plan()
    return made


def shown_provenances(page: ToyPage) -> set[Provenance]:
    return {metric.provenance for metric in page.numbers.visible_metrics().values()}


def test_that_a_recorded_run_says_where_it_was_made(controller: Controller, page: ToyPage, saved: SavedRun) -> None:
    assert page.recorded.isHidden()
    controller.show_recorded(saved)
    assert page.recorded.isVisible()
    assert page.recorded.label.text().startswith(
        "Recorded on lab-7: cuda (NVIDIA H200), CUDA, at 2026-11-28 10:12 UTC with tilescope 1.2.0, torch 2.13.0."
    )
    assert "Duration: 2.50 s" in page.recorded.label.toolTip()
    assert page.run_bar.phase == "Recorded on cuda (NVIDIA H200)"
    assert controller.recorded is saved


def test_that_every_number_of_it_is_recorded(controller: Controller, page: ToyPage, saved: SavedRun) -> None:
    controller.show_recorded(saved)
    card, modelled = page.cards["schedule"].badge, page.cards["traffic"].badge
    assert (card.shown, card.text, card.provenance) == (Provenance.RECORDED, "recorded", Provenance.TRACED)
    assert modelled.shown is Provenance.MODELLED
    assert shown_provenances(page) == {Provenance.RECORDED}


def test_that_a_card_of_a_recorded_run_still_tells_of_other_parameters(
    controller: Controller, page: ToyPage, saved: SavedRun, other_result: ToyResult
) -> None:
    controller.show_recorded(replace(saved, result=replace(other_result, environment=saved.environment)))
    assert page.cards["schedule"].property("stale") is True


def test_that_it_is_no_run_of_the_history(controller: Controller, saved: SavedRun, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(controller.finished):
        controller.show_recorded(saved)


@pytest.mark.parametrize("partial", [True, False])
def test_that_a_run_of_this_machine_replaces_it(
    partial: bool, controller: Controller, page: ToyPage, saved: SavedRun, engine: FakeEngine, result: ToyResult
) -> None:
    controller.show_recorded(saved)
    controller.run("cpu")
    engine.runs[-1].post(Started("worker", "cpu"))
    controller._bridge.drain()
    assert page.recorded.isVisible()

    engine.runs[-1].post(Partial(result) if partial else Finished(result))
    controller._bridge.drain()

    assert page.recorded.isHidden()
    assert controller.recorded is None
    assert page.cards["schedule"].badge.shown is Provenance.TRACED
    assert page.run_bar.running == partial
    assert shown_provenances(page) == (set() if partial else {Provenance.TRACED, Provenance.MEASURED_CPU})
    controller._bridge.close()
    page.run_bar.show_ended("", completed=False)


def test_that_the_user_can_remove_it(controller: Controller, page: ToyPage, saved: SavedRun, qtbot: Any) -> None:
    controller.show_recorded(saved)
    page.recorded.closed.emit()
    assert page.recorded.isHidden()
    assert (controller.recorded, controller.result) == (None, None)
    assert page.run_bar.phase == "Not run yet"
    assert page.numbers.visible_metrics() == {}


def test_that_a_run_of_another_topic_is_refused(controller: Controller, page: ToyPage, saved: SavedRun) -> None:
    other = replace(saved, result=replace(saved.result, topic="masks"))
    with pytest.raises(TilescopeError, match="This is a run of masks: it cannot be shown on the page toy"):
        controller.show_recorded(other)
    assert page.recorded.isHidden()


def test_that_clearing_the_page_leaves_a_run_that_goes_on_alone(
    controller: Controller, page: ToyPage, result: ToyResult
) -> None:
    controller.show_result(result)
    controller.run("cpu")
    controller.clear()
    assert page.run_bar.running
    controller._bridge.close()
    page.run_bar.show_ended("", completed=False)
