from __future__ import annotations

from typing import Any

from gui.demos.player import DemoPlayer
from tests.gui.demos.demo_window import demo, step


def playing(*seconds: float) -> tuple[DemoPlayer, list[str]]:
    """A player that has begun, and the captions of the steps that it has shown."""
    player = DemoPlayer()
    shown: list[str] = []
    player.step_shown.connect(lambda each: shown.append(str(each.caption)))
    player.start(demo(*(step(str(number), time) for number, time in enumerate(seconds, start=1))))
    return player, shown


def test_that_a_step_is_shown_for_its_time_once_it_is_ready(qtbot: Any) -> None:
    player, shown = playing(0.02, 0.02)
    qtbot.wait(60)
    assert shown == ["1"]
    player.step_is_ready()
    qtbot.waitUntil(lambda: shown == ["1", "2"])
    player.step_is_ready()
    assert not player.goes_on
    player.stop()


def test_that_next_and_back_stay_within_the_demo(qtbot: Any) -> None:
    player, shown = playing(60, 60, 60)
    player.back()
    player.next()
    player.next()
    player.next()
    player.back()
    assert shown == ["1", "2", "3", "2"]
    player.stop()


def test_that_a_paused_step_stays_until_the_demo_goes_on(qtbot: Any) -> None:
    player, shown = playing(0.02, 60)
    player.toggle()
    player.step_is_ready()
    qtbot.wait(60)
    assert shown == ["1"]
    player.toggle()
    qtbot.waitUntil(lambda: shown == ["1", "2"])
    player.stop()


def test_that_the_last_step_stays_and_going_on_from_it_begins_again(qtbot: Any) -> None:
    player, shown = playing(60, 60)
    player.next()
    player.step_is_ready()
    assert (player.is_last, player.goes_on) == (True, False)
    player.toggle()
    assert shown == ["1", "2", "1"]
    assert player.goes_on
    player.stop()
    assert (player.demo, player.step) == (None, None)
    player.next()
    player.toggle()
    player.step_is_ready()
    assert shown == ["1", "2", "1"]


def test_that_a_demo_of_one_step_does_not_go_on(qtbot: Any) -> None:
    player, _ = playing(0.02)
    assert (player.is_first, player.is_last, player.goes_on) == (True, True, False)
    player.stop()
