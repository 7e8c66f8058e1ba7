from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QColor, QImage

from core.contracts.errors import TilescopeError
from core.contracts.events import Cancelled, Event, Failed, Finished
from core.contracts.result import Result
from core.contracts.topic import Topic
from gui import theme
from gui.page.engine_bridge import EngineBridge
from gui.window import screenshot
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine, FakeRun, ToyParams

PAGES = {"toy": "tests.gui.doubles:ToyPage"}


class AnsweringEngine(FakeEngine):
    """Posts one event to each run, a moment later."""

    def __init__(self, answer: Event) -> None:
        super().__init__()
        self.answer = answer

    def submit(self, topic_id: str, params: Any, device: str = "auto", *, is_checked: bool = False) -> FakeRun:
        run = super().submit(topic_id, params, device)
        QTimer.singleShot(10, lambda: run.post(self.answer))
        return run


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, topic: Topic) -> Iterator[list[AnsweringEngine]]:
    """The engines to use; the test appends one before it renders."""
    engines: list[Any] = []
    monkeypatch.setattr(screenshot, "make_engine", lambda address: engines[0])

    def window(bridge: EngineBridge, settings: Settings) -> MainWindow:
        return MainWindow(bridge, settings, {"toy": topic}, PAGES)

    monkeypatch.setattr(screenshot, "MainWindow", window)
    yield engines
    assert engines[0].closed or not engines[0].started


def test_that_a_page_is_run_once_and_saved_in_each_theme(
    engines: list[AnsweringEngine], topic: Topic, result: Result, tmp_path: Path
) -> None:
    engines.append(AnsweringEngine(Finished(result)))
    paths = list(
        screenshot.render(
            topic,
            ToyParams(heads=8),
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
    engines.append(AnsweringEngine(answer))
    pictures = screenshot.render(topic, ToyParams(), themes=("dark",), size=(800, 600), device="auto", out=tmp_path)
    with pytest.raises(TilescopeError, match=sentence):
        next(pictures)
    assert not list(tmp_path.iterdir())
