from __future__ import annotations

from dataclasses import replace

import pytest

from core.contracts.place import Place
from gui.window.main_window import MainWindow
from gui.window.open_page import OpenPage
from gui.window.visiting import visit
from tests.gui.doubles import ToyParams, ToyResult


@pytest.fixture
def window(toy_is_registered: None, window: MainWindow) -> MainWindow:
    """With a toy page that places can name."""
    return window


def visited(window: MainWindow, place: Place) -> OpenPage:
    opened = visit(window, place)
    assert opened is not None
    return opened


def test_that_a_visit_sets_the_parameters_and_plans_them_at_once(window: MainWindow) -> None:
    opened = visited(window, Place("toy", {"seq_len": 2048}))
    assert opened.page.form.params == ToyParams(seq_len=2048)
    assert ("plan", ("plan of", 2048)) in opened.page.calls
    opened.page.form.undo_stack.undo()
    assert opened.page.form.params == ToyParams()


def test_that_the_card_is_pointed_out_and_no_other_one_covers_it(window: MainWindow) -> None:
    opened = visited(window, Place("toy"))
    cards = opened.page.cards
    opened.page.plots.maximise(cards["schedule"])
    visited(window, Place("toy", card="traffic"))
    assert opened.page.plots.maximised is None
    assert [bool(cards[key].property("pointed_out")) for key in ("schedule", "traffic")] == [False, True]


def test_that_the_selection_is_made_now_and_again_when_the_run_is_shown(
    window: MainWindow, result: ToyResult, other_result: ToyResult
) -> None:
    opened = visited(window, Place("toy", {}, "", {"row": 3}))
    selection = opened.page.selection
    assert selection.selection.get("row") == 3
    selection.update(row=None)
    opened.controller.show_result(other_result)
    assert selection.selection.get("row") is None
    opened.controller.show_result(result)
    assert selection.selection.get("row") == 3
    selection.update(row=None)
    opened.controller.show_result(replace(result))
    assert selection.selection.get("row") is None


def test_that_other_parameters_and_another_visit_end_a_visit(window: MainWindow, result: ToyResult) -> None:
    opened = visited(window, Place("toy", {}, "", {"row": 3}))
    visited(window, Place("toy", {}, "", {"head": 1}))
    opened.page.selection.clear()
    opened.controller.show_result(result)
    assert "row" not in opened.page.selection.selection
    assert opened.page.selection.selection.get("head") == 1

    visited(window, Place("toy", {"heads": 8}, "", {"row": 3}))
    opened.page.form.propose(ToyParams(heads=16))
    opened.page.selection.clear()
    opened.controller.show_result(replace(result, params=ToyParams(heads=8)))
    assert not opened.page.selection.selection


def test_that_a_place_that_does_not_exist_is_one_sentence_and_changes_nothing(window: MainWindow) -> None:
    opened = visited(window, Place("toy", {"heads": 8}))
    for place, named in ((Place("nowhere"), "nowhere"), (Place("toy", {"beads": 8}), "beads")):
        assert visit(window, place) is None
        assert named in opened.page.banner.sentence
    visited(window, Place("toy", {"heads": 16}, "map"))
    assert "map" in opened.page.banner.sentence
    assert opened.page.form.params == ToyParams(heads=8)
