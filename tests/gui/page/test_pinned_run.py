"""A run pinned as A: the next runs are compared with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.contracts.errors import TilescopeError
from core.contracts.result import Environment, Metric, Provenance
from core.run_files import SavedRun
from gui.page.controller import Controller
from gui.page.engine_bridge import EngineBridge
from tests.gui.doubles import TOPIC, FakeEngine, ToyPage, ToyResult

STARTED = datetime(2026, 11, 28, 10, 12, tzinfo=UTC)


@pytest.fixture
def a(result: ToyResult) -> SavedRun:
    return SavedRun(result, STARTED, 2.5)


@pytest.fixture
def b(other_result: ToyResult) -> SavedRun:
    metrics = {
        "bytes_read": Metric(8.8e9, "bytes", Provenance.TRACED),
        "error": other_result.metrics["error"],
        "new": Metric(1.0, "s", Provenance.TRACED),
    }
    return SavedRun(replace(other_result, metrics=metrics), STARTED, 2.5)


@pytest.fixture
def controller(page: ToyPage, engine: FakeEngine) -> Controller:
    made = Controller(TOPIC, page, EngineBridge(lambda: engine), page)
    made.show_plan()
    return made


def cells(page: ToyPage) -> list[list[str]]:
    model = page.numbers.table.model
    return [[model.index(row, column).data() for column in range(5)] for row in range(model.rowCount())]


def test_that_the_numbers_of_both_runs_stand_beside_each_other(
    controller: Controller, page: ToyPage, a: SavedRun, b: SavedRun
) -> None:
    controller.show_saved(a)
    page.numbers.pin.click()
    assert controller.pinned is a
    controller.show_saved(b)
    assert cells(page) == [
        ["bytes_read", "4.40 GB", "8.80 GB", "4.40 GB", "2×"],
        ["error", "3.00e-07", "3.00e-07", "0", "1×"],
        ["new", "—", "1 s", "—", "—"],
    ]
    assert page.numbers._count.text() == "2 of 3 numbers differ"
    assert page.numbers.table.model.columns[2].tone(page.numbers.table.rows[0]) == "accent"
    assert page.numbers.table.model.columns[2].tone(page.numbers.table.rows[1]) == "faint"
    assert page.numbers.as_csv().splitlines()[:2] == [
        "name,value,unit,provenance,note,a,difference,ratio",
        "bytes_read,8800000000.0,bytes,traced,,4400000000.0,4400000000.0,2.0",
    ]


def test_that_parameters_that_differ_are_listed(
    controller: Controller, page: ToyPage, a: SavedRun, b: SavedRun
) -> None:
    controller.show_saved(a)
    controller.pin(a)
    assert page.pinned_bar.isVisible()
    assert page.pinned_bar.label.text() == "Pinned: cpu, 2026-11-28 10:12 UTC. B has the same parameters."
    controller.show_saved(b)
    assert page.pinned_bar.label.text().endswith("B has other parameters: seq_len 1024 → 2048.")


def test_that_the_pictures_get_the_run_that_is_pinned(
    controller: Controller, page: ToyPage, a: SavedRun, b: SavedRun
) -> None:
    controller.pin(a)
    controller.show_saved(b)
    assert page.of_a is a.result
    assert page.state.pinned.plan == ("plan of", 1024)
    controller.show_saved(a)
    assert page.of_a is None, "a run is not drawn behind itself"
    controller.show_plan()
    assert page.state.pinned is not None, "a new plan does not unpin"


def test_that_pinning_draws_what_depends_on_the_run_alone_too(
    controller: Controller, page: ToyPage, a: SavedRun, b: SavedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller.show_saved(b)
    drawn: list[object] = []
    monkeypatch.setattr(page, "draw_result", lambda _: drawn.append(page.of_a))
    controller.pin(a)
    controller.pin(None)
    assert drawn == [a.result, None]


def test_that_unpinning_leaves_one_run(controller: Controller, page: ToyPage, a: SavedRun, b: SavedRun) -> None:
    controller.pin(a)
    controller.show_saved(b)
    page.pinned_bar.unpin.click()
    assert controller.pinned is None
    assert page.pinned_bar.isHidden()
    assert page.state.pinned is None
    assert len(page.numbers.table.model.columns) == 4
    assert set(page.numbers.visible_metrics()) == {"bytes_read", "error", "new"}


def test_that_a_recorded_run_can_be_pinned(controller: Controller, page: ToyPage, a: SavedRun, b: SavedRun) -> None:
    there = Environment("cuda (NVIDIA H200)", "CUDA", {"tilescope": "1.2.0"})
    controller.show_recorded(replace(a, result=replace(a.result, environment=there)))
    page.pin_requested.emit(True)
    controller.show_saved(b)
    assert page.recorded.isHidden()
    assert page.pinned_bar.label.text().startswith("Pinned: cuda (NVIDIA H200), 2026-11-28 10:12 UTC.")


def test_that_a_run_of_another_topic_cannot_be_pinned(controller: Controller, page: ToyPage, a: SavedRun) -> None:
    with pytest.raises(TilescopeError, match="This is a run of masks"):
        controller.pin(replace(a, result=replace(a.result, topic="masks")))
    assert page.pinned_bar.isHidden()


def test_that_without_a_run_there_is_nothing_to_pin(controller: Controller, page: ToyPage) -> None:
    assert not page.numbers.pin.isEnabled()
    page.pin_requested.emit(True)
    assert controller.pinned is None
