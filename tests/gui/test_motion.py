"""With reduced motion nothing moves by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QObject

from gui import motion
from gui.demos.player import DemoPlayer
from gui.widgets.player import Player
from gui.window.desktop_motion import DesktopMotion
from gui.window.settings import Settings
from tests.gui.demos.demo_window import demo, step
from tests.gui.latest_work import join_latest_work


@pytest.fixture(autouse=True)
def reduced(qapp: Any) -> Iterator[None]:
    motion.use(reduced=True)
    yield
    motion.use(reduced=False)


def test_that_a_player_steps_once_where_it_would_play(qtbot: Any) -> None:
    player = Player()
    qtbot.addWidget(player)
    player.set_steps(3)
    steps = []
    for _ in range(3):
        player.toggle()
        assert not player.is_playing
        steps.append(player.step)
    assert steps == [1, 2, 0]


def test_that_a_demo_waits_for_next(qtbot: Any) -> None:
    player = DemoPlayer()
    player.start(demo(step("1", 60), step("2", 60)))
    assert not player.goes_on
    player.next()
    assert player.is_last
    player.stop()


@pytest.mark.parametrize(
    ("desktop_asks", "choice", "reduced"), [(True, None, True), (True, False, False), (False, None, False)]
)
def test_that_the_desktop_decides_where_the_user_has_not(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    qapp: Any,
    desktop_asks: bool,
    choice: bool | None,
    reduced: bool,
) -> None:
    motion.use(reduced=False)
    monkeypatch.setattr("core.desktop.asks_for_less_motion", lambda: desktop_asks)
    if choice is not None:
        settings.reduced_motion = choice
    parent = QObject()
    asked = DesktopMotion(settings, parent)
    asked.ask()
    join_latest_work()
    QCoreApplication.processEvents()
    assert motion.is_reduced() is reduced


def test_that_the_choice_is_remembered_and_the_system_decides_before(settings: Settings) -> None:
    assert settings.reduced_motion is None
    for choice in (True, False):
        settings.reduced_motion = choice
        assert settings.reduced_motion is choice
