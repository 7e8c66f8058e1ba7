"""The player: buttons, keys, time and the signals they cause."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt

from gui.widgets.player import SPEEDS, Player


@pytest.fixture
def player(qtbot: Any) -> Player:
    made = Player()
    qtbot.addWidget(made)
    made.show()
    made.set_steps(100, 10)
    return made


def test_that_a_schedule_announces_where_it_stands(player: Player, qtbot: Any) -> None:
    with qtbot.waitSignal(player.step_changed) as caught:
        player.set_steps(50, 20)
    assert caught.args == [20]
    assert (player.steps, player.step) == (50, 20)


def test_that_nothing_to_play_is_disabled_and_silent(player: Player, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(player.step_changed):
        player.set_steps(0)
    assert player.step == -1
    assert not player.slider.isEnabled()
    player.play()
    assert not player.is_playing


@pytest.mark.parametrize(
    ("key", "step"),
    [
        (Qt.Key.Key_Right, 11),
        (Qt.Key.Key_Left, 9),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_End, 99),
        (Qt.Key.Key_PageDown, 20),
        (Qt.Key.Key_PageUp, 0),
    ],
)
def test_that_keys_move_the_step(player: Player, qtbot: Any, key: Qt.Key, step: int) -> None:
    qtbot.keyClick(player, key)
    assert player.step == step


def test_that_space_plays_and_pauses(player: Player, qtbot: Any) -> None:
    with qtbot.waitSignal(player.playing_changed) as caught:
        qtbot.keyClick(player, Qt.Key.Key_Space)
    assert caught.args == [True]
    assert player.is_playing
    qtbot.keyClick(player, Qt.Key.Key_Space)
    assert not player.is_playing


def test_that_plus_and_minus_change_the_speed_within_its_limits(player: Player, qtbot: Any) -> None:
    for _ in range(len(SPEEDS) + 2):
        qtbot.keyClick(player, Qt.Key.Key_Plus)
    assert player.speed.currentData() == SPEEDS[-1]
    for _ in range(len(SPEEDS) + 2):
        qtbot.keyClick(player, Qt.Key.Key_Minus)
    assert player.speed.currentData() == SPEEDS[0]


def test_that_playing_ends_at_the_last_step_and_starts_over(player: Player, qtbot: Any) -> None:
    player.speed.setCurrentIndex(len(SPEEDS) - 1)
    with qtbot.waitSignals([player.playing_changed, player.playing_changed], timeout=3000):
        player.play()
    assert player.step == 99
    player.play()
    assert player.step == 0
    player.pause()


def test_that_a_fast_speed_passes_several_steps_a_frame(player: Player) -> None:
    player.speed.setCurrentIndex(len(SPEEDS) - 1)
    player._advance()
    assert player.step == 10 + int(SPEEDS[-1] * 0.033)


def test_that_stepping_by_hand_pauses(player: Player, qtbot: Any) -> None:
    player.play()
    qtbot.mouseClick(player._buttons["forward"], Qt.MouseButton.LeftButton)
    assert not player.is_playing
    assert player.step == 11


def test_that_the_slider_is_the_step_both_ways(player: Player, qtbot: Any) -> None:
    with qtbot.waitSignal(player.step_changed) as caught:
        player.slider.setValue(42)
    assert caught.args == [42]
    player.set_step(7)
    assert player.slider.value() == 7
    with qtbot.assertNotEmitted(player.step_changed):
        player.set_step(7)


def test_that_a_narrow_player_keeps_a_slider_and_leaves_the_ends_to_the_keys(player: Player, qtbot: Any) -> None:
    first = player._buttons["first"]
    player.resize(400, 30)
    assert first.isVisible()
    wide_px = player.minimumSizeHint().width()
    player.resize(260, 30)
    assert not first.isVisible()
    qtbot.waitUntil(lambda: player.slider.width() >= 40)  # the layout follows in the next turn
    assert player.minimumSizeHint().width() == wide_px
    player.resize(400, 30)
    assert first.isVisible()
