"""A demo is played in the window, and what was there before is there again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core import language
from core.contracts.events import Cancelled, Failed, Finished
from core.demos import demo_as_toml
from core.run_files import SavedRun
from gui import translation
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.demos.demo_window import demo, step
from tests.gui.doubles import FakeEngine, ToyPage, ToyParams, ToyResult


def press(window: MainWindow, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(window, key)


def test_that_a_step_sets_selects_and_shows_its_picture_alone(window: MainWindow, page: ToyPage) -> None:
    shown = step(set_={"heads": 8}, select={"row": 3}, card="traffic", alone=True)
    window.demos.play(demo(shown, step("More.")))
    assert page.form.params == ToyParams(heads=8)
    assert page.selection.selection.get("row") == 3
    assert page.plots.maximised is page.cards["traffic"]
    bar = window.demos.bar
    assert bar.isVisible()
    assert bar.caption.text() == "Look."
    assert bar.place.text() == "My demo · Step 1 of 2"
    page.selection.update(tensor="Q")
    window.demos.player.next()
    assert dict(page.selection.selection.items) == {"tensor": "Q"}
    assert page.plots.maximised is None
    assert (page.form.params, bar.caption.text()) == (ToyParams(), "More.")
    window.demos.leave()


def test_that_leaving_gives_back_what_was_there_before(
    window: MainWindow, page: ToyPage, result: ToyResult, other_result: ToyResult
) -> None:
    controller = window.current.controller
    page.form.propose(ToyParams(seq_len=2048))
    controller.show_result(other_result)
    page.selection.update(tensor="Q")
    page.plots.maximise(page.cards["schedule"])
    window.demos.play(demo(step(set_={"heads": 8}, select={"row": 1}), step(set_={"heads": 16}, card="traffic")))
    window.demos.player.next()
    controller.show_result(result)
    window.demos.leave()
    assert page.form.params == ToyParams(seq_len=2048)
    assert controller.result is other_result
    assert dict(page.selection.selection.items) == {"tensor": "Q"}
    assert page.plots.maximised is page.cards["schedule"]
    assert not window.demos.bar.isVisible()
    page.form.undo_stack.undo()
    assert page.form.params == ToyParams()


def test_that_values_that_were_not_valid_are_there_again(window: MainWindow, page: ToyPage) -> None:
    page.form.fields["heads"].edited.emit(6)
    assert not page.form.valid
    window.demos.play(demo(step(set_={"heads": 8})))
    assert page.form.valid
    window.demos.leave()
    assert not page.form.valid
    assert page.form.fields["heads"].value() == 6


def test_that_a_step_waits_for_its_run(
    window: MainWindow, page: ToyPage, engine: FakeEngine, result: ToyResult, qtbot: Any
) -> None:
    window.demos.play(demo(step(seconds=0.5, run=True), step("More.")))
    qtbot.waitUntil(lambda: bool(engine.runs))
    (run,) = engine.runs
    qtbot.wait(20)
    assert window.demos.player.index == 0
    run.post(Finished(result))
    with qtbot.waitSignal(window.demos._staging.ready):
        pass
    assert window.current.controller.result is result
    window.demos.player.back()
    window.demos.player.next()
    assert len(engine.runs) == 1
    window.demos.leave()
    assert window.current.controller.result is None


def test_that_a_run_of_other_parameters_is_not_what_a_step_waits_for(
    window: MainWindow, page: ToyPage, other_result: ToyResult, engine: FakeEngine, qtbot: Any
) -> None:
    window.demos.play(demo(step(run=True), step("More.")))
    with qtbot.assertNotEmitted(window.demos._staging.ready):
        window.current.controller.show_result(other_result)
        qtbot.waitUntil(lambda: bool(engine.runs))
    window.demos.leave()


def test_that_a_run_that_fails_is_said_and_does_not_hold_up_the_demo(
    window: MainWindow, page: ToyPage, engine: FakeEngine, qtbot: Any
) -> None:
    window.demos.play(demo(step(run=True), step("More.")))
    qtbot.waitUntil(lambda: bool(engine.runs))
    with qtbot.waitSignal(window.demos._staging.ready):
        engine.runs[0].post(Failed("The worker crashed."))
    assert page.banner.sentence == "The worker crashed."
    window.demos.leave()


def test_that_a_run_that_nobody_waits_for_any_more_is_cancelled(
    window: MainWindow, page: ToyPage, engine: FakeEngine, qtbot: Any
) -> None:
    window.demos.play(demo(step(run=True), step("More.", run=True, set_={"heads": 8})))
    qtbot.waitUntil(lambda: len(engine.runs) == 1)
    window.demos.player.next()
    qtbot.waitUntil(lambda: len(engine.runs) == 2)
    first, second = engine.runs
    assert (first.cancelled, second.cancelled) == (True, False)
    window.demos.leave()
    assert second.cancelled
    with qtbot.waitSignal(window.current.controller.ended):
        second.post(Cancelled())


def test_that_a_file_of_someone_else_is_not_run(
    window: MainWindow, page: ToyPage, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.demos.staging.runs_foreign_code", lambda place: True)
    window.demos.play(demo(step(run=True)))
    assert engine.runs == []
    assert "did not come with Tilescope" in page.banner.sentence
    window.demos.leave()


def test_that_keys_move_the_demo_and_the_page_has_them_again_afterwards(window: MainWindow, page: ToyPage) -> None:
    page.setFocus()
    window.demos.play(demo(*(step(str(number)) for number in range(5))))
    player = window.demos.player
    press(window, Qt.Key.Key_Right, Qt.Key.Key_PageDown, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_PageUp)
    assert player.index == 1
    press(window, Qt.Key.Key_Space)
    assert not player.goes_on
    assert not any(name in ("step", "play") for name, _ in page.calls)
    press(window, Qt.Key.Key_Escape)
    assert not window.demos.is_playing
    press(window, Qt.Key.Key_Right)
    assert page.calls[-1] == ("step", 1)


def test_that_full_screen_ends_with_the_demo(window: MainWindow, page: ToyPage) -> None:
    window.demos.play(demo(step()))
    press(window, Qt.Key.Key_F11)
    assert window.isFullScreen()
    window.demos.leave()
    assert not window.isFullScreen()


def test_that_a_caption_follows_the_language(window: MainWindow, page: ToyPage) -> None:
    window.demos.play(demo(step()))
    translation.use(language.CHINESE)
    assert window.demos.bar.place.text() == "我的演示 · 第 1 步，共 1 步"
    window.demos.leave()


def test_that_a_file_is_played_and_one_that_cannot_be_says_why(
    window: MainWindow, page: ToyPage, tmp_path: Path, qtbot: Any
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(demo_as_toml(demo(step(set_={"heads": 8}))))
    window.run_files.open(path)
    qtbot.waitUntil(lambda: window.demos.is_playing)
    assert page.form.params == ToyParams(heads=8)
    path.write_text("format = 2")
    window.demos.play_file(path)
    qtbot.waitUntil(lambda: bool(page.banner.sentence))
    assert page.banner.sentence.startswith("The demo 'own' cannot be played: it is from a newer version")
    assert window.demos.is_playing
    window.demos.leave()


def test_that_a_window_that_closes_remembers_what_was_there_before_the_demo(
    window: MainWindow, page: ToyPage, settings: Settings
) -> None:
    window.demos.play(demo(step(set_={"heads": 8})))
    window.close()
    assert settings.page_state("toy")["params"]["heads"] == 4


def test_that_a_run_that_comes_with_the_program_serves_a_step_and_leaves_with_it(
    window: MainWindow,
    page: ToyPage,
    engine: FakeEngine,
    result: ToyResult,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    saved = SavedRun(result, datetime(2026, 5, 4, tzinfo=UTC), 2.0)
    monkeypatch.setattr("gui.window.demo_stage.shipped_run", lambda topic_id: saved)
    with qtbot.waitSignal(window.demos._staging.ready):
        window.demos.play(demo(step(run=True)))
    assert window.current.controller.recorded is saved
    assert engine.runs == []
    window.demos.leave()
    assert (window.current.controller.recorded, window.current.controller.result) == (None, None)


def test_that_a_page_that_had_no_run_gets_what_it_opens_with(
    window: MainWindow, page: ToyPage, result: ToyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Mock()
    monkeypatch.setattr(window, "keeper", keeper)
    window.demos.play(demo(step(set_={"heads": 8})))
    window.current.controller.show_result(result)
    window.demos.leave()
    assert window.current.controller.result is None
    keeper.read_opening.assert_called_once_with(page.topic, ToyParams())
    monkeypatch.undo()
