"""A demo is recorded by doing it, edited, and saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import language
from core.demos import read_demo
from gui import translation
from gui.demos.demos import Demos
from gui.window.main_window import MainWindow
from tests.gui.doubles import ToyPage, ToyParams, ToyResult


@pytest.fixture
def window(window: MainWindow) -> Iterator[MainWindow]:
    """Nothing is asked when it closes."""
    yield window
    window.demos.recorder.discard()


@pytest.fixture
def demos(window: MainWindow, page: ToyPage) -> Demos:
    """Demos that record the toy page."""
    window.demos.toggle_recording()
    return window.demos


def add(demos: Demos, caption: str = "") -> None:
    demos.recording_bar.caption.setText(caption)
    demos.recording_bar.add.click()


def test_that_a_step_is_what_was_set_selected_and_maximised(demos: Demos, page: ToyPage) -> None:
    page.form.propose(ToyParams(heads=8, causal=False))
    page.selection.replace({"row": 2, "unknown": 1})
    page.plots.maximise(page.cards["traffic"])
    add(demos, "Eight heads.")
    (step,) = demos.recorder.steps
    assert (step.place.page, step.place.set) == ("toy", {"heads": 8, "causal": False})
    assert (step.place.card, step.alone, step.place.select) == ("traffic", True, {"row": 2})
    assert (str(step.caption), step.run) == ("Eight heads.", False)
    assert demos.recording_bar.caption.text() == ""
    assert demos.recording_bar.count.text() == "● Recording: 1 step"


def test_that_a_page_is_recorded_when_it_is_left_and_when_a_run_is_shown(
    demos: Demos, window: MainWindow, page: ToyPage, result: ToyResult
) -> None:
    window.current.controller.show_result(result)
    assert [step.run for step in demos.recorder.steps] == [True]
    demos.recorder.page_changed(None)
    page.form.propose(ToyParams(heads=8))
    demos.recorder.page_changed(window.current)
    assert [step.place.set for step in demos.recorder.steps] == [{}]
    demos.recorder.page_changed(None)
    assert [step.place.set for step in demos.recorder.steps] == [{}, {"heads": 8}]


def test_that_the_same_state_is_one_step_and_keeps_its_caption(
    demos: Demos, window: MainWindow, result: ToyResult
) -> None:
    add(demos, "Look.")
    add(demos)
    window.current.controller.show_result(result)
    (step,) = demos.recorder.steps
    assert (str(step.caption), step.run) == ("Look.", True)
    add(demos, "Look again.")
    assert [str(step.caption) for step in demos.recorder.steps] == ["Look again."]


def test_that_the_last_step_can_be_undone(demos: Demos, page: ToyPage) -> None:
    assert not demos.recording_bar.undo.isEnabled()
    add(demos, "One.")
    page.form.propose(ToyParams(heads=8))
    add(demos, "Two.")
    demos.recording_bar.undo.click()
    assert [str(step.caption) for step in demos.recorder.steps] == ["One."]


def test_that_a_caption_is_of_the_language_that_it_was_typed_in(demos: Demos, page: ToyPage) -> None:
    translation.use(language.CHINESE)
    add(demos, "看。")
    translation.use(language.ENGLISH)
    page.form.propose(ToyParams(heads=8))
    add(demos)
    typed, automatic = (step.caption for step in demos.recorder.steps)
    assert typed.others == (("zh", "看。"),)
    assert (automatic.message, dict(automatic.others).keys()) == ("What is it?", {"zh"})


def test_that_what_was_recorded_is_edited_saved_and_played_again(
    demos: Demos, window: MainWindow, page: ToyPage, tmp_path: Path, qtbot: Any
) -> None:
    for heads in (8, 16, 32):
        page.form.propose(ToyParams(heads=heads))
        add(demos, f"{heads} heads.")
    demos.finish()
    editor = demos._editor
    assert editor is not None
    editor.title.setText("Heads")
    editor._rows[0].captions["zh"].setPlainText("八个头。")
    editor._rows[0].seconds.setValue(2.5)
    editor.remove(1)
    path = tmp_path / "heads.toml"
    demos.save(path, editor.demo)
    qtbot.waitUntil(lambda: not demos.recorder.is_recording)
    assert window.status.currentMessage() == "Saved heads.toml."
    assert [file.path for file in window.recent_files.files] == [str(path)]
    saved = read_demo(path)
    assert (str(saved.title), [step.place.set["heads"] for step in saved.steps]) == ("Heads", [8, 32])
    assert saved.steps[0].caption.in_language("zh") == "八个头。"
    assert saved.steps[0].seconds == 2.5
    demos.play(saved)
    assert page.form.params == ToyParams(heads=8)
    demos.leave()


def test_that_a_demo_that_cannot_be_saved_is_not_lost(demos: Demos, page: ToyPage, tmp_path: Path, qtbot: Any) -> None:
    add(demos, "Look.")
    demos.finish()
    editor = demos._editor
    assert editor is not None
    demos.save(tmp_path / "none" / "own.toml", editor.demo)
    qtbot.waitUntil(lambda: "cannot be written" in editor._problem.text())
    editor.reject()
    assert [str(step.caption) for step in demos.recorder.steps] == ["Look."]
    assert demos._editor is None


def test_that_the_first_attempt_to_close_the_window_offers_to_save(
    demos: Demos, window: MainWindow, page: ToyPage
) -> None:
    add(demos, "Look.")
    assert not window.close()
    assert demos._editor is not None
    demos._editor.reject()
    demos.recording_bar.discard.click()
    assert not demos.recorder.is_recording
    assert window.close()


def test_that_nothing_is_recorded_without_a_page(window: MainWindow) -> None:
    window.demos.toggle_recording()
    add(window.demos, "Look.")
    window.demos.finish()
    assert window.demos._editor is None
    assert "Nothing has been recorded yet" in window.status.currentMessage()
