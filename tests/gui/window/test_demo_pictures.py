from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.contracts.errors import RunFailed, TilescopeError, UnknownName
from core.contracts.events import Failed, Finished
from core.contracts.topic import Topic
from core.run_files import SavedRun
from gui.page.engine_bridge import EngineBridge
from gui.window import demo_pictures, headless
from gui.window.gallery import save_demo
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.answering_engine import AnsweringEngine
from tests.gui.demos.demo_window import demo, step
from tests.gui.doubles import ToyParams, ToyResult
from tests.gui.windows import TOY


@pytest.fixture
def engine(toy_can_be_named: None, monkeypatch: pytest.MonkeyPatch, topic: Topic) -> Iterator[AnsweringEngine]:
    """The engine behind a window with the toy page, which demos can name."""
    engine = AnsweringEngine(lambda params: Finished(ToyResult(params=params)))
    monkeypatch.setattr(headless, "make_engine", lambda address: engine)

    def window(bridge: EngineBridge, settings: Settings) -> MainWindow:
        return MainWindow(bridge, settings, {"toy": topic}, {"toy": TOY})

    monkeypatch.setattr(headless, "MainWindow", window)
    yield engine
    assert engine.closed or not engine.started


def rendered(out: Path, *steps: Any, **options: Any) -> list[str]:
    facts = {"theme_name": "dark", "size": (1000, 700), "device": "cpu", "out": out, **options}
    return [path.name for path in demo_pictures.render_demo(demo(*steps), **facts)]


def test_that_a_demo_becomes_pictures_an_animation_and_slides(engine: AnsweringEngine, tmp_path: Path) -> None:
    names = rendered(tmp_path, step("One.", 1.5), step("Two.", card="traffic", alone=True))
    assert names == ["own-01.png", "own-02.png", "own.gif", "own.html"]
    assert engine.runs == []
    for name in names[:2]:
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (1000, 700)
    with Image.open(tmp_path / "own.gif") as picture:
        assert (picture.n_frames, picture.size, picture.info["duration"]) == (2, (1000, 700), 1500)
    html = (tmp_path / "own.html").read_text()
    assert re.findall("<figcaption>(.*?)</figcaption>", html) == ["One.", "Two."]
    assert "<title>My demo</title>" in html


def test_that_a_run_is_made_once_for_all_steps_that_it_fits(engine: AnsweringEngine, tmp_path: Path) -> None:
    rendered(tmp_path, step(run=True), step(run=True, set_={"heads": 8}), step(run=True, card="traffic"))
    assert [run.params for run in engine.runs] == [ToyParams(), ToyParams(heads=8)]


def test_that_a_run_that_comes_with_the_program_stays_marked_when_it_is_shown_again(
    engine: AnsweringEngine, result: ToyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = SavedRun(result, datetime(2026, 5, 4, tzinfo=UTC), 2.0)
    monkeypatch.setattr("gui.window.demo_stage.shipped_run", lambda topic_id: saved)
    footers = []
    picture_of = demo_pictures.picture_of
    monkeypatch.setattr(
        demo_pictures,
        "picture_of",
        lambda body, footer, *rest, **options: footers.append(footer) or picture_of(body, footer, *rest, **options),
    )
    steps = (step(run=True), step(run=True, set_={"heads": 8}), step(run=True, card="traffic"))
    rendered(tmp_path, *steps)
    assert ["Recorded on" in footer for footer in footers] == [True, False, True]
    assert len(engine.runs) == 1
    rendered(tmp_path, steps[0], recorded=False)
    assert "Recorded on" not in footers[-1]


def test_that_a_run_that_fails_ends_with_its_sentence_and_the_step(engine: AnsweringEngine, tmp_path: Path) -> None:
    engine.answer = lambda params: Failed("The worker crashed.")
    with pytest.raises(RunFailed, match=r"Step 2: The worker crashed\."):
        rendered(tmp_path, step(), step(run=True))


def test_that_a_file_of_someone_else_is_run_only_where_it_is_trusted(
    engine: AnsweringEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.demos.staging.runs_foreign_code", lambda place: True)
    with pytest.raises(RunFailed, match=r"Step 1: This step runs a file that did not come with Tilescope"):
        rendered(tmp_path, step(run=True))
    assert engine.runs == []
    rendered(tmp_path, step(run=True), trusts_files=True)
    assert len(engine.runs) == 1


def test_that_arguments_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UnknownName, match="There is no demo 'none'"):
        next(save_demo("none", out=out))
    with pytest.raises(TilescopeError, match="There is no theme 'blue'"):
        next(save_demo("masks", out=out, theme="blue"))
    with pytest.raises(TilescopeError, match="--size 1x1 cannot be used"):
        next(save_demo("masks", out=out, size="1x1"))
    assert not out.exists()
