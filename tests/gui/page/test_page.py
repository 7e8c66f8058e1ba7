from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget

from core import language
from core.contracts.claims import Finding, Verdict
from core.contracts.result import Message, Provenance, Result
from core.contracts.topic import Topic
from gui import translation
from gui.page.card import Card
from gui.page.page_layout import layout_of, restore_layout
from tests.gui.doubles import ToyPage, ToyParams, ToyResult

FINDINGS = {"same-result": Finding(Verdict.HOLDS, "error 3e-7"), "faster": Finding(Verdict.NOT_TESTED, "needs a GPU")}


def test_that_a_page_frames_its_plots(page: ToyPage) -> None:
    assert isinstance(page.cards["schedule"], Card)
    assert [str(card.title) for card in page.plots.cards] == ["Schedule", "Traffic"]
    assert page.cards["traffic"].badge.provenance is Provenance.MODELLED


def test_that_building_a_page_flashes_no_window(topic: Topic, qapp: Any, qtbot: Any) -> None:
    """A widget that is shown before it has a parent is a window of its own for a moment, and takes the focus."""

    class Watch(QObject):
        shown: ClassVar[list[QObject]] = []

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
                self.shown.append(watched)
            return False

    watch = Watch()
    qapp.installEventFilter(watch)
    qtbot.addWidget(ToyPage(topic))
    qapp.removeEventFilter(watch)
    assert not watch.shown


def test_that_a_result_reaches_plots_claims_numbers_and_source(page: ToyPage, result: Result) -> None:
    page.present(result, FINDINGS)
    assert page.calls[-1] == ("result", result)
    assert page.claims.chips["same-result"].verdict is Verdict.HOLDS
    assert page.tabs.tabText(0) == "Claims 1/2"
    assert page.numbers.visible_metrics() == result.metrics
    assert page.source.function == "fwd"
    page.tabs.setCurrentWidget(page.source)
    assert page.source.current_view._annotations == {11: "2.00 MB"}


def test_that_what_a_run_says_of_itself_is_in_the_log_and_its_warnings_in_the_banner(
    page: ToyPage, result: Result
) -> None:
    messages = (
        Message("notice", "2 tensors were measured earlier."),
        Message("warning", "3 tensors are missing."),
        Message("warning", "The report was not saved."),
    )
    page.present(replace(result, messages=messages), FINDINGS)
    assert page.banner.sentence == "3 tensors are missing. The report was not saved."
    assert all(message.text in page.log.toPlainText() for message in messages)
    assert "Notice: 2 tensors" in page.log.toPlainText()
    page.present(result, FINDINGS)
    assert page.banner.sentence == ""
    page.show_error("Something else went wrong.")
    page.present(result, FINDINGS)
    assert page.banner.sentence == "Something else went wrong."


def test_that_withdrawing_a_result_brings_the_first_state_back(page: ToyPage, result: Result) -> None:
    page.present(result, FINDINGS)
    page.withdraw()
    assert page.calls[-1] == ("clear", None)
    assert page.claims.tested() == 0
    assert page.tabs.tabText(0) == "Claims"
    assert not page.numbers.visible_metrics()
    assert page.source.function == ""
    assert page.run_bar.phase == "Not run yet"


def test_that_a_picked_source_line_is_selected_for_every_plot_and_back(page: ToyPage, result: Result) -> None:
    page.present(result, FINDINGS)
    page.source.line_picked.emit("fwd", 12)
    assert page.calls[-1][1].get("line") == 12
    page.selection.update(function="scores", line=2)
    page.tabs.setCurrentWidget(page.source)
    assert page.source.function == "scores"
    assert page.source.current_view.picked_line == 2


def test_that_an_error_is_shown_in_place_with_its_details_in_the_log(page: ToyPage) -> None:
    page.show_error("It does not fit.", "traceback", "heads")
    assert page.banner.sentence == "It does not fit."
    assert page.form.fields["heads"].problem == "It does not fit."
    assert "traceback" in page.log.toPlainText()
    page.banner.dismiss()
    assert not page.form.problem


def test_that_the_same_error_again_is_one_entry_of_the_log(page: ToyPage) -> None:
    for _ in range(60):
        page.show_error("It does not fit.", "", "heads")
    assert page.log.blockCount() == 1
    page.clear_error()
    assert page.banner.sentence == page.form.problem == ""


def test_that_a_new_run_takes_the_banner_away(page: ToyPage) -> None:
    page.show_error("It broke.")
    page.show_started("Waiting for the worker")
    assert page.banner.sentence == ""
    page.show_ended("Done", completed=True)


def test_that_impossible_parameters_disable_the_run(page: ToyPage) -> None:
    page.form.fields["kv_heads"].spin.setValue(3)
    assert not page.run_bar.run_button.isEnabled()
    page.form.undo_stack.undo()
    assert page.run_bar.run_button.isEnabled()


def test_that_language_changes_title_question_and_claims(page: ToyPage) -> None:
    translation.use(language.PSEUDO)
    texts = {label.property("role"): label.text() for label in page.findChildren(QLabel)}
    assert texts["heading"] == "[Töy]"
    assert texts["question"].startswith("[Whàt îs ît?")
    assert page.claims.statements["faster"].text().startswith("[Ît îs fàstér.")


def test_that_escape_undoes_the_innermost_state(page: ToyPage) -> None:
    cancelled: list[bool] = []
    page.cancel_requested.connect(lambda: cancelled.append(True))
    page.plots.maximise(page.cards["schedule"])
    page.show_started("Waiting")
    page.banner.show_error("It broke.")
    assert page.dismiss()
    assert cancelled
    page.show_ended("Cancelled", completed=False)
    assert page.dismiss()
    assert page.banner.sentence == ""
    assert page.plots.maximised is page.cards["schedule"]
    assert page.dismiss()
    assert page.plots.maximised is None
    assert not page.dismiss()


def test_that_layout_and_parameters_are_remembered(page: ToyPage, topic: Topic, qtbot: Any) -> None:
    page.form.fields["heads"].spin.setValue(8)
    page.tabs.setCurrentIndex(3)
    page.side.hide()
    state = layout_of(page)
    other = ToyPage(topic)
    qtbot.addWidget(other)
    restore_layout(other, state)
    assert other.tabs.currentIndex() == 3
    assert other.side.isHidden()
    assert ToyParams.parse(state["params"]) == ToyParams(heads=8)


@pytest.mark.parametrize("state", [{}, {"plots": [[1]], "vertical": [1, 2, 3], "tab": 99}])
def test_that_a_state_that_no_longer_fits_is_ignored(page: ToyPage, state: dict[str, Any]) -> None:
    restore_layout(page, state)
    assert page.side.isVisible()
    assert page.tabs.currentIndex() == 0


def test_that_every_control_can_be_reached_with_the_keyboard(page: ToyPage) -> None:
    page.form.fields["seq_len"].spin.setFocus()
    seen = set()
    for _ in range(40):
        QTest.keyClick(page.focusWidget(), Qt.Key.Key_Tab)
        seen.add(page.focusWidget())
    assert {page.run_bar.run_button, page.form.fields["heads"].spin, page.form.fields["seq_len"].slider} <= seen


def test_that_a_run_is_stale_while_the_form_has_other_parameters(page: ToyPage, result: ToyResult) -> None:
    page.show_plan("plan", ToyParams())
    page.present(result, FINDINGS)
    assert not page.cards["schedule"].property("stale")
    page.show_plan("other plan", ToyParams(seq_len=2048))
    assert page.cards["schedule"].property("stale")
    assert not page.cards["traffic"].property("stale")
    assert page.lower._outdated.isVisibleTo(page), "its claims and numbers, too"
    assert page.state is not None
    assert page.state.fitting is None
    page.show_plan("plan", ToyParams())
    assert not page.cards["schedule"].property("stale")
    assert page.state.fitting is result
    assert not page.lower._outdated.isVisibleTo(page)


def test_that_a_run_is_stale_while_the_form_has_parameters_without_a_plan(page: ToyPage, result: ToyResult) -> None:
    page.show_plan("plan", ToyParams())
    page.present(result, FINDINGS)
    page.keep_plan(ToyParams(seq_len=2048))
    assert page.cards["schedule"].property("stale")
    assert page.state is not None
    assert (page.state.plan, page.state.fitting) == ("plan", result), "what is drawn stays"
    page.show_plan("plan", ToyParams())
    assert not page.cards["schedule"].property("stale")


def test_that_a_run_from_before_any_plan_brings_its_own(page: ToyPage, other_result: ToyResult) -> None:
    page.present(other_result, FINDINGS)
    assert page.state is not None
    assert (page.state.params, page.state.plan) == (other_result.params, ("plan of", 2048))
    assert not page.state.outdated
