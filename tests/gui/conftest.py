"""Fixtures of the window, and a guard that no test leaves anything of Qt behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_NO_GUI_THREADPOOL"] = "1"  # a copy of the process (tests/gui/copies.py) would wait for its threads

import pytest
from PySide6.QtCore import QCoreApplication, QDeadlineTimer, QEvent, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from core import language
from core.contracts import registry
from core.contracts.result import Environment, KernelSource, LineTraffic, Metric, Provenance
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.demos import pictures
from core.demos.pictures import Nameable
from core.engine.history import History
from gui import theme
from gui.page.engine_bridge import EngineBridge
from gui.window.history import HistoryKeeper
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.doubles import SOURCE, TOPIC, TOPICS, FakeEngine, ToyPage, ToyParams, ToyResult
from tests.gui.usual_looks import begin_in_usual_looks
from tests.gui.windows import Windows


@pytest.fixture
def topic() -> Topic:
    return TOPIC


@pytest.fixture
def result() -> ToyResult:
    """A result of the default parameters."""
    return ToyResult(
        params=ToyParams(),
        environment=Environment("cpu", "lanes", {"torch": "2.13.0"}),
        metrics={
            "bytes_read": Metric(4.4e9, "bytes", Provenance.TRACED, tr("all tensors")),
            "error": Metric(3e-7, "", Provenance.MEASURED_CPU),
        },
        sources=(
            KernelSource("flash", "fwd", "flash.py", 10, SOURCE, "m {}"),
            KernelSource("std", "scores", "std.py", 1, SOURCE, "m {}"),
        ),
        lines=(_load(1_500_000), _load(500_000)),
    )


def _load(bytes: int) -> LineTraffic:
    return LineTraffic("flash", "fwd", "flash.py", 11, "load", "Q", bytes // 2, bytes, 0.0)


@pytest.fixture
def other_result(result: ToyResult) -> ToyResult:
    """A result of other parameters than the defaults."""
    return replace(result, params=result.params.changed(seq_len=2048))


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def keeper(tmp_path: Path, qapp: Any) -> Iterator[HistoryKeeper]:
    """A history of the toy topic, in a file of its own."""
    keeper = HistoryKeeper(lambda: History(tmp_path / "history.sqlite3", topics=TOPICS))
    yield keeper
    keeper.close()


@pytest.fixture
def page(topic: Topic, qtbot: Any) -> ToyPage:
    made = ToyPage(topic)
    qtbot.addWidget(made)
    made.resize(1400, 900)
    made.show()
    return made


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return Settings(tmp_path / "settings.ini")


@pytest.fixture
def bridge(engine: FakeEngine, qapp: Any) -> Iterator[EngineBridge]:
    made = EngineBridge(lambda: engine)
    yield made
    made.close()


@pytest.fixture
def windows(bridge: EngineBridge, settings: Settings, qtbot: Any) -> Iterator[Windows]:
    """Shows windows. They close after the test; a fixture that has a keeper for them asks for that first, so that it
    closes last."""
    made = Windows(bridge, settings, qtbot)
    yield made
    made.close()


@pytest.fixture
def window(windows: Windows, topic: Topic) -> MainWindow:
    """The usual window: with the toy page, which is not open yet."""
    return windows.show({"toy": topic})


@pytest.fixture
def toy_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topics of the doubles can be found by their ids."""
    for name, package in TOPICS.items():
        monkeypatch.setitem(registry.TOPICS, name, package)


@pytest.fixture
def toy_can_be_named(toy_is_registered: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Demos can name the toy page, its cards and what is selected there."""
    monkeypatch.setitem(pictures.NAMEABLE, "toy", Nameable(("schedule", "traffic"), ("row", "tensor")))


@pytest.fixture(autouse=True)
def dark_theme(qapp: QApplication) -> None:
    """Every test begins in the same theme, with texts of the usual size and with motion."""
    begin_in_usual_looks(qapp)


@pytest.fixture
def qtbot(qtbot: Any) -> Any:
    """A widget without a window of its own is dressed as one: the style sheet of the application would take twice as
    long (`theme.dress`)."""
    add = qtbot.addWidget

    def dressed(widget: QWidget, **options: Any) -> None:
        if widget.isWindow() and not widget.styleSheet():
            theme.dress(widget)
        add(widget, **options)

    qtbot.addWidget = dressed
    return qtbot


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Every test begins in English, and its widgets are told when it leaves another language behind."""
    yield
    if language.current() != language.ENGLISH:
        language.use(language.ENGLISH)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(qapp: QApplication) -> Iterator[None]:
    """Fails a test that leaves a top-level widget, a running timer or a thread.

    What is there before the test is frozen: collecting and searching then take milliseconds, not half a second.
    Garbage is collected here only: a Qt object that another thread collects crashes the process. That includes what a
    failed test still holds, which is frozen before tests with threads of their own come.
    """
    threads = set(threading.enumerate())
    gc.freeze()
    gc.disable()
    try:
        yield
        _check_nothing_is_left(qapp, threads)
    finally:
        gc.freeze()
        gc.enable()


def _check_nothing_is_left(qapp: QApplication, threads: set[threading.Thread]) -> None:
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qapp.processEvents()
    gc.collect()
    widgets = [widget for widget in qapp.topLevelWidgets() if widget.isVisible()]
    assert not widgets, f"top-level widgets left behind: {widgets}"
    timers = _running_timers()
    deadline = QDeadlineTimer(500)
    while timers and all(timer.isSingleShot() for timer in timers) and not deadline.hasExpired():
        QTest.qWait(20)  # one that fires once and soon is no leak
        timers = _running_timers()
    assert not timers, (
        f"timers left running: {[(timer, timer.parent(), timer.isSingleShot(), timer.interval()) for timer in timers]}"
    )
    for thread in set(threading.enumerate()) - threads:
        thread.join(0.5)  # one that ends soon is no leak either
    left = [thread for thread in set(threading.enumerate()) - threads if thread.is_alive()]
    assert not left, f"threads left running: {left}"


def _running_timers() -> list[QTimer]:
    return [timer for timer in gc.get_objects() if isinstance(timer, QTimer) and _is_running(timer)]


def _is_running(timer: QTimer) -> bool:
    try:
        return timer.isActive()
    except RuntimeError:  # its C++ side is gone, as it should be
        return False
