"""What a page shows when it opens, and what of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.contracts.errors import TilescopeError
from core.contracts.params import Params
from core.contracts.result import Environment, Result
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.engine.history import History
from core.run_files import SavedRun
from gui.page.controller import Controller
from gui.page.engine_bridge import EngineBridge
from gui.page.live import LiveMode, LiveRuns
from gui.widgets.empty_sentence import EmptySentence
from gui.window import history as window_history
from gui.window.history import HistoryKeeper, PageHistory
from gui.window.opening import Opening
from tests.gui.doubles import TOPICS, FakeEngine, ToyPage, ToyParams

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def here(result: Result) -> Result:
    """A result that the history has."""
    return replace(result, environment=Environment("cpu (here)", "lanes"))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.sqlite3", topics=TOPICS)


@pytest.fixture
def keeper(history: History, qapp: Any) -> Iterator[HistoryKeeper]:
    keeper = HistoryKeeper(lambda: history)
    yield keeper
    keeper.close()


@pytest.fixture
def controller(topic: Topic, page: ToyPage, engine: FakeEngine) -> Controller:
    made = Controller(topic, page, EngineBridge(lambda: engine, page), page)
    made.show_plan()
    return made


@pytest.fixture
def live(page: ToyPage, controller: Controller) -> LiveRuns:
    return LiveRuns(page, controller, LiveMode(controller._bridge, parent=page))


@pytest.fixture
def shipped(result: Result) -> SavedRun:
    return SavedRun(result, NOON, 1.0)


@pytest.fixture
def open_page(
    page: ToyPage, controller: Controller, keeper: HistoryKeeper, live: LiveRuns, shipped: SavedRun
) -> Callable[[], None]:
    return lambda: Opening(page, controller, keeper, live, lambda _: shipped).begin()


def test_that_a_page_without_a_run_of_this_machine_shows_the_recorded_one(
    open_page: Callable[[], None], controller: Controller, live: LiveRuns, shipped: SavedRun, qtbot: Any
) -> None:
    open_page()
    qtbot.waitUntil(lambda: controller.result is not None)
    assert controller.recorded is shipped
    assert live.opening is shipped


def test_that_the_newest_run_of_this_machine_with_these_parameters_comes_first(
    open_page: Callable[[], None], controller: Controller, history: History, here: Result, page: ToyPage, qtbot: Any
) -> None:
    for seconds in (1.0, 2.0):
        history.add(replace(here, metrics={}) if seconds == 1.0 else here, NOON, seconds)
    history.add(replace(here, params=ToyParams(seq_len=64)), NOON, 1.0)
    open_page()
    qtbot.waitUntil(lambda: controller.result is not None)
    assert controller.recorded is None
    assert controller.result.params == ToyParams()
    assert controller.result.metrics
    assert "From the history" in page.run_bar.phase


@pytest.mark.parametrize(("params", "is_recorded"), [(ToyParams(), True), (ToyParams(heads=8, kv_heads=8), False)])
def test_that_another_run_of_this_machine_serves_parameters_that_nothing_fits(
    open_page: Callable[[], None],
    controller: Controller,
    history: History,
    here: Result,
    page: ToyPage,
    qtbot: Any,
    params: Params,
    is_recorded: bool,
) -> None:
    history.add(replace(here, params=ToyParams(seq_len=64)), NOON, 1.0)
    page.form.set_params(params)
    open_page()
    qtbot.waitUntil(lambda: controller.result is not None)
    assert (controller.recorded is not None) is is_recorded
    assert page.params == params


def test_that_a_run_that_is_read_later_replaces_the_recorded_one(
    open_page: Callable[[], None],
    controller: Controller,
    history: History,
    keeper: HistoryKeeper,
    here: Result,
    page: ToyPage,
    qtbot: Any,
) -> None:
    """As after a crash: the parameters of the last session come when the page is open."""
    history.add(replace(here, params=ToyParams(heads=8)), NOON, 1.0)
    open_page()
    qtbot.waitUntil(lambda: controller.recorded is not None)
    page.form.propose(ToyParams(heads=8))
    keeper.read_opening(page.topic, page.params)
    qtbot.waitUntil(lambda: controller.recorded is None)
    assert controller.result is not None
    assert controller.result.params == page.params


def test_that_a_recorded_run_that_the_user_opened_stays(
    open_page: Callable[[], None],
    controller: Controller,
    history: History,
    keeper: HistoryKeeper,
    here: Result,
    shipped: SavedRun,
    qtbot: Any,
) -> None:
    history.add(here, NOON, 1.0)
    opened = replace(shipped, machine="another")
    with qtbot.waitSignal(keeper.opening_read):
        open_page()
        controller.show_recorded(opened)
    assert controller.recorded is opened


def test_that_a_run_that_began_first_is_not_replaced(
    open_page: Callable[[], None], controller: Controller, keeper: HistoryKeeper, qtbot: Any
) -> None:
    with qtbot.waitSignal(keeper.opening_read):
        open_page()
        controller.run()
    assert controller.result is None


def test_that_only_the_last_of_several_live_runs_is_kept(
    page: ToyPage,
    controller: Controller,
    keeper: HistoryKeeper,
    live: LiveRuns,
    history: History,
    here: Result,
    qtbot: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(window_history, "_REST_MS", 1)
    PageHistory(page, controller, keeper, live)
    for seq_len in (64, 128, 256):
        live.finished.emit(replace(here, params=ToyParams(seq_len=seq_len)), NOON.timestamp(), 0.2, 0.1)
    qtbot.waitUntil(lambda: bool(history.timings("toy")))
    [timing] = history.timings("toy")
    assert (timing.params["seq_len"], timing.is_live) == (256, True)
    assert history.list("toy") == ()


@pytest.fixture
def reopen(
    page: ToyPage, controller: Controller, keeper: HistoryKeeper, live: LiveRuns, shipped: SavedRun
) -> Callable[[SavedRun | Exception], None]:
    """Begin with the run in a file, which holds this."""

    def read(found: SavedRun | Exception) -> SavedRun:
        if isinstance(found, Exception):
            raise found
        return found

    return lambda found: Opening(page, controller, keeper, live, lambda _: shipped, lambda *_: read(found)).begin("f")


def test_that_the_file_of_the_last_session_is_opened_before_any_other_run(
    reopen: Callable[[SavedRun | Exception], None],
    controller: Controller,
    history: History,
    here: Result,
    shipped: SavedRun,
    live: LiveRuns,
    qtbot: Any,
) -> None:
    history.add(here, NOON, 1.0)
    opened = replace(shipped, file="f")
    reopen(opened)
    qtbot.waitUntil(lambda: controller.result is not None)
    assert controller.recorded is not None
    assert controller.recorded.file == "f"
    assert live.opening is None, "it is the user's, and no live run takes its place"


def test_that_a_file_that_is_gone_is_told_and_the_page_opens_as_usual(
    reopen: Callable[[SavedRun | Exception], None], controller: Controller, page: ToyPage, live: LiveRuns, qtbot: Any
) -> None:
    reopen(TilescopeError(tr("gone")))
    qtbot.waitUntil(lambda: controller.recorded is not None)
    assert controller.recorded is live.opening
    assert page.banner.sentence == "gone"


def test_that_sentences_of_empty_pictures_wait_for_the_run_that_is_being_read(
    open_page: Callable[[], None], page: ToyPage, controller: Controller, qtbot: Any
) -> None:
    sentence = EmptySentence("Run to see this.", page)
    untested = next(iter(page.claims.evidence.values()))
    said = untested.text()
    open_page()
    assert sentence.is_held_back
    assert not untested.text()
    qtbot.waitUntil(lambda: controller.result is not None)
    assert not sentence.is_held_back
    page.withdraw()
    assert not sentence.is_held_back
    assert untested.text() == said


def test_that_a_page_without_any_run_says_so_once_that_is_known(
    page: ToyPage, controller: Controller, keeper: HistoryKeeper, live: LiveRuns, qtbot: Any
) -> None:
    untested = next(iter(page.claims.evidence.values()))
    said = untested.text()
    Opening(page, controller, keeper, live, lambda _: None).begin()
    assert page.awaits_run
    qtbot.waitUntil(lambda: not page.awaits_run)
    assert page.run_bar.phase == "Not run yet"
    assert untested.text() == said
