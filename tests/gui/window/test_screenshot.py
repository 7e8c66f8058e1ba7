from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QColor, QImage

from core.contracts.errors import TilescopeError
from core.contracts.events import Cancelled, Event, Failed, Finished
from core.contracts.result import Result
from core.contracts.topic import Topic
from core.run_files import SavedRun
from gui import theme
from gui.page.engine_bridge import EngineBridge
from gui.window import headless, screenshot
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.answering_engine import AnsweringEngine
from tests.gui.doubles import ToyParams

PAGES = {"toy": "tests.gui.doubles:ToyPage"}


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, topic: Topic) -> Iterator[list[AnsweringEngine]]:
    """The engines to use; the test appends one before it renders."""
    engines: list[Any] = []
    monkeypatch.setattr(headless, "make_engine", lambda address: engines[0])

    def window(bridge: EngineBridge, settings: Settings) -> MainWindow:
        return MainWindow(bridge, settings, {"toy": topic}, PAGES)

    monkeypatch.setattr(headless, "MainWindow", window)
    yield engines
    assert engines[0].closed or not engines[0].started


def test_that_a_page_is_run_once_and_saved_in_each_theme(
    engines: list[AnsweringEngine], topic: Topic, result: Result, tmp_path: Path
) -> None:
    engines.append(AnsweringEngine(lambda params: Finished(result)))
    paths = list(
        screenshot.render(
            [(topic, ToyParams(heads=8))],
            themes=("dark", "light"),
            size=(1200, 800),
            device="cpu",
            out=tmp_path,
            formats=("png", "svg"),
        )
    )
    assert [path.name for path in paths] == ["toy-dark.png", "toy-dark.svg", "toy-light.png", "toy-light.svg"]
    (run,) = engines[0].runs
    assert (run.params, run.device) == (ToyParams(heads=8), "cpu")
    for name in theme.NAMES:
        image = QImage(str(tmp_path / f"toy-{name}.png"))
        assert (image.width(), image.height()) == (1200, 800)
        assert image.pixelColor(1199, 799) == QColor(theme.load(name).surface)
    assert "FlashAttention" not in (tmp_path / "toy-dark.svg").read_text()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Failed("The worker crashed.", "log"), "The worker crashed."),
        (Cancelled("stopped"), "The run was stopped."),
    ],
)
def test_that_a_run_that_fails_gives_its_sentence_and_no_picture(
    engines: list[AnsweringEngine], topic: Topic, tmp_path: Path, answer: Event, sentence: str
) -> None:
    engines.append(AnsweringEngine(lambda params: answer))
    pictures = screenshot.render([(topic, ToyParams())], themes=("dark",), size=(800, 600), device="auto", out=tmp_path)
    with pytest.raises(TilescopeError, match=sentence):
        next(pictures)
    assert not list(tmp_path.iterdir())


def test_that_the_runs_of_several_pages_queue_in_one_engine_and_one_run_serves_both_themes(
    engines: list[AnsweringEngine],
    topic: Topic,
    result: Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engines.append(AnsweringEngine(lambda params: Finished(result)))
    other = replace(topic, id="other")

    windows: list[MainWindow] = []

    def window(bridge: EngineBridge, settings: Settings) -> MainWindow:
        windows.append(MainWindow(bridge, settings, {"toy": topic, "other": other}, {**PAGES, "other": PAGES["toy"]}))
        return windows[-1]

    monkeypatch.setattr(headless, "MainWindow", window)
    pages = [(topic, ToyParams()), (other, ToyParams(heads=8))]
    options = {"themes": theme.NAMES, "size": (800, 600), "device": "cpu", "out": tmp_path, "with_home": True}
    pictures = screenshot.render(pages, **options)
    first = next(pictures)
    home = windows[0].home.in_view
    assert home is not None
    assert len(home.book) > 0, "the picture of home is empty"
    assert [run.topic_id for run in engines[0].runs] == ["toy", "other"]
    names = [path.name for path in (first, *pictures)]
    assert names == [f"{page}-{name}.png" for name in theme.NAMES for page in ("home", "toy", "other")]
    assert len(engines[0].runs) == 2


def test_that_a_run_that_comes_with_the_program_is_shown_where_it_fits(
    engines: list[AnsweringEngine], topic: Topic, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = SavedRun(result, datetime(2026, 5, 4, tzinfo=UTC), 2.0)
    monkeypatch.setattr(headless, "shipped_run", lambda topic_id: saved)
    engines.append(AnsweringEngine(lambda params: Failed("It was run.")))
    options = {"themes": ("dark",), "size": (800, 600), "device": "cpu", "out": tmp_path, "recorded": True}
    assert [path.name for path in screenshot.render([(topic, ToyParams())], **options)] == ["toy-dark.png"]
    with pytest.raises(TilescopeError, match="It was run"):
        list(screenshot.render([(topic, ToyParams(heads=8))], **options))
