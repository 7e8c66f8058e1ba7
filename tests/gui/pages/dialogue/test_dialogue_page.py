"""The dialogue page: the plan is drawn at every key, all views select together, and edits go through the form."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.chat.messages import Conversation, Message
from core.contracts.result import Provenance
from core.topics.dialogue import TOPIC, training_set
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.result import DialogueResult
from gui import theme
from gui.pages.dialogue import DialoguePage, turn_parts, view_data
from gui.pages.dialogue.rows_view import ALONE, PACKED
from gui.pages.dialogue.turn_parts import Kind
from gui.pages.dialogue.views import ATTENTION, DATA, DOCTOR, MISTAKES, PACKING, WAYS
from tests.gui.pages.dialogue.dialogue_result import NO_TARGET, dialogue_params, dialogue_result

BROKEN = "{% for message in messages %}{{ message.content }"


@pytest.fixture(scope="module", autouse=True)
def small_training_set() -> Iterator[None]:
    """Enough to fill several rows: all of it takes a busy machine seconds for each template."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_set, "CONVERSATIONS", 60)
        patch.setattr(training_set, "_sets", OrderedDict())
        yield


def new_page() -> DialoguePage:
    shown = DialoguePage(TOPIC)
    theme.dress(shown)
    shown.resize(1500, 1000)
    shown.params_changed.connect(lambda params: shown.show_plan(shown.topic.plan(params), params))
    shown.form.set_params(dialogue_params())
    shown.show_plan(shown.topic.plan(shown.params), shown.params)
    shown.show()
    return shown


def params(page: DialoguePage) -> DialogueParams:
    current = page.params
    assert isinstance(current, DialogueParams)
    return current


def change(page: DialoguePage, **changes: Any) -> None:
    page.form.propose(params(page).changed(**changes))


def present(page: DialoguePage, result: DialogueResult | None = None, **changes: Any) -> DialogueResult:
    result = result or dialogue_result(params(page), **changes)
    page.present(result, {})
    return result


def settled(page: DialoguePage, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not page.drawing, timeout=10_000)


def messages(page: DialoguePage) -> list[dict[str, Any]]:
    return json.loads(params(page).conversation)["messages"]


def numbers(page: DialoguePage) -> dict[str, str]:
    return {number.label: number.value for number in page.views.metrics.numbers}


# The plan is drawn.


def test_that_all_that_the_plan_knows_is_shown_before_a_run(page: DialoguePage, qtbot: Any) -> None:
    settled(page, qtbot)
    views = page.views
    assert not views.rows.rows.is_empty
    assert len(views.editor.turns.turns.parts) == 5
    assert views.doctor.ill == ()
    assert len(views.doctor.findings) > 20
    assert not views.packing.table.is_empty
    assert not views.packing.tiles.is_empty
    assert {"tokens", "targets", "failures", "fill", "FLOPs saved"} <= set(numbers(page))
    views.outcomes.show_picture(WAYS)
    assert not views.ways.costs.is_empty
    assert views.mistakes.losses.is_empty
    views.outcomes.show_picture(MISTAKES)
    assert not views.mistakes.behaviour.isVisible()


def test_that_the_numbers_of_a_turn_are_those_of_its_tokens(page: DialoguePage) -> None:
    rows = page.state.plan.rows  # type: ignore[union-attr]
    counts = view_data.counts(page.state.plan)  # type: ignore[union-attr]
    assert sum(tokens for tokens, _ in counts) == int((rows.message >= 0).sum())
    assert [targets > 0 for _, targets in counts] == [False, False, True, False, True]
    assert page.views.editor.turns.counts == tuple(counts)


def test_that_another_policy_changes_the_targets(page: DialoguePage, qtbot: Any) -> None:
    source = page.views.rows.source
    assert source is not None
    assert not source.is_target.all()
    change(page, policy="all")
    assert page.views.rows.source.is_target.all()  # type: ignore[union-attr]
    settled(page, qtbot)
    ill = {finding.failure for finding in page.views.doctor.ill}
    assert "mask-covers-user" in ill
    assert numbers(page)["failures"] == str(len(ill))


# Edits.


def test_that_an_edit_of_a_turn_goes_through_the_form_and_back(page: DialoguePage, qtbot: Any) -> None:
    editor = page.views.editor
    editor.go_to(2)
    QTest.keyClick(editor.turns, Qt.Key.Key_Return)
    text = editor.turns.editor
    assert text is not None
    QTest.keyClicks(text, "!")
    qtbot.waitUntil(lambda: messages(page)[2]["content"].endswith("!"))
    assert "!" in "".join(page.views.rows.source.texts)  # type: ignore[union-attr]
    assert text.isVisible()
    page.form.undo_stack.undo()
    assert not messages(page)[2]["content"].endswith("!")
    assert not text.toPlainText().endswith("!")


def test_that_a_selected_token_elsewhere_does_not_end_an_edit(page: DialoguePage, qtbot: Any) -> None:
    page._pick_token(3)
    editor = page.views.editor
    editor.go_to(4)
    QTest.keyClick(editor.turns, Qt.Key.Key_Return)
    text = editor.turns.editor
    assert text is not None
    QTest.keyClicks(text, "!")
    qtbot.waitUntil(lambda: messages(page)[4]["content"].endswith("!"))
    assert editor.turns.editor is text


def test_that_turns_are_added_and_removed_and_both_can_be_undone(page: DialoguePage) -> None:
    editor = page.views.editor
    editor.go_to(4)
    QTest.keyClick(editor.turns, Qt.Key.Key_Insert)
    assert [message["role"] for message in messages(page)][-2:] == ["assistant", "user"]
    QTest.keyClick(editor.turns, Qt.Key.Key_Escape)
    QTest.keyClick(editor.turns, Qt.Key.Key_Delete)
    assert len(messages(page)) == 5
    page.form.undo_stack.undo()
    page.form.undo_stack.undo()
    assert len(messages(page)) == 5
    assert editor.conversation == turn_parts.pasted(params(page).conversation)


def test_that_broken_json_in_the_form_is_said_and_the_editor_stays(page: DialoguePage) -> None:
    change(page, conversation='{"messages": [')
    assert page.views.editor.problem.isVisible()
    assert "JSON" in page.views.editor.problem.text()
    assert len(page.views.editor.turns.turns.parts) == 5
    assert page.views.rows.rows.is_empty
    page.form.undo_stack.undo()
    assert not page.views.editor.problem.isVisible()
    assert not page.views.rows.rows.is_empty


def test_that_a_copy_of_the_template_is_edited_and_its_error_has_its_line(page: DialoguePage, qtbot: Any) -> None:
    template = page.views.template
    template.copy.click()
    assert params(page).template == "pasted"
    assert params(page).jinja == template.code.source
    template.code.setPlainText(BROKEN)
    qtbot.waitUntil(lambda: params(page).jinja == BROKEN)
    assert template.problem.text()
    assert page.views.rows.rows.is_empty
    page.form.undo_stack.undo()
    assert not page.views.rows.rows.is_empty


def test_that_without_a_rendered_text_there_are_no_verdicts_and_no_badges(page: DialoguePage, qtbot: Any) -> None:
    settled(page, qtbot)
    assert page.cards["outcomes"].badge.provenance is Provenance.MODELLED
    change(page, template="pasted", jinja=BROKEN)
    settled(page, qtbot)
    assert page.views.doctor.is_empty
    assert [card.badge.provenance for card in page.cards.values()] == [None] * 3
    assert [badge.provenance for badge in page.views.metrics.badges] == [None] * 2
    page.form.undo_stack.undo()
    settled(page, qtbot)
    assert len(page.views.doctor.findings) > 20
    assert page.cards["outcomes"].badge.provenance is Provenance.MODELLED


def test_that_an_empty_template_is_refused_beside_its_source(page: DialoguePage, qtbot: Any) -> None:
    template = page.views.template
    template.copy.click()
    template.code.setPlainText("")
    qtbot.waitUntil(lambda: not page.form.valid)
    assert template.problem.text()


def test_that_a_family_is_chosen_in_both_places(page: DialoguePage) -> None:
    combo = page.views.template.combo
    combo.activated.emit(combo.findData("chatml"))
    assert params(page).template == "chatml"
    assert "<|im_start|>" in page.views.rows.source.texts  # type: ignore[union-attr]
    change(page, template="llama3")
    assert combo.currentData() == "llama3"
    combo.activated.emit(combo.findData("pasted"))
    assert "eot_id" in params(page).jinja  # it begins as a copy


# What is selected is shown everywhere.


def test_that_a_token_shows_what_wrote_it_and_its_turn(page: DialoguePage, qtbot: Any) -> None:
    rows = page.views.rows.source.rows  # type: ignore[union-attr]
    token = int(np.flatnonzero(rows.message == 2)[3])
    page.views.rows.picked.emit(token)
    start, end = int(rows.template_start[token]), int(rows.template_end[token])
    highlighted = [one.cursor.selectedText() for one in page.views.template.code.extraSelections()]
    assert highlighted == [page.views.template.code.source[start:end]]
    assert page.views.editor.turns.current is not None
    assert page.views.editor.turns.current.place == (Kind.CONTENT, 2, -1)
    qtbot.waitUntil(lambda: "one example per turn: number 1" in page.views.rows.more.text())


def test_that_a_place_of_the_template_marks_what_it_wrote(page: DialoguePage) -> None:
    rows = page.views.rows.source.rows  # type: ignore[union-attr]
    token = int(np.flatnonzero(rows.special & (rows.message == 2))[0])
    page.views.template.position_picked.emit(int(rows.template_start[token]))
    marked = page.views.rows.rows.selected.marked
    assert marked is not None
    assert marked[token]
    assert not marked.all()
    assert page.dismiss()
    assert page.views.rows.rows.selected.marked is None


def test_that_going_to_a_turn_marks_its_tokens(page: DialoguePage) -> None:
    page.views.editor.picked.emit(3)
    marked = page.views.rows.rows.selected.marked
    assert marked is not None
    assert set(page.views.rows.source.rows.message[marked]) == {3}  # type: ignore[union-attr]


def test_that_the_evidence_of_a_finding_is_marked(page: DialoguePage, qtbot: Any) -> None:
    change(page, policy="all")
    settled(page, qtbot)
    strips = [strip for card in page.views.doctor.cards for strip in card.strips if strip.is_own and strip.texts]
    assert strips
    QTest.mouseClick(strips[0], Qt.MouseButton.LeftButton)
    evidence, marked = strips[0].evidence, page.views.rows.rows.selected.marked
    assert marked is not None
    assert np.flatnonzero(marked).tolist() == list(range(evidence.start, evidence.end))


def test_that_the_matrix_is_drawn_when_it_is_in_front_and_picks_tokens(page: DialoguePage, qtbot: Any) -> None:
    assert page.views.matrix.source is None
    page.views.sources.show_picture(ATTENTION)
    assert page.views.matrix.source is not None
    assert page.views.matrix.source.rows == len(page.views.rows.source)  # type: ignore[arg-type]
    page.views.matrix.cell_picked.emit(7, 2)
    assert page.views.rows.rows.selected.token == 7


def test_that_arrows_step_from_token_to_token(page: DialoguePage) -> None:
    page._pick_token(4)
    page.step(1)
    assert page.selection.selection.index("token") == 5
    page.step(-2)
    assert page.selection.selection.index("token") == 3


# The packed row.


def test_that_the_packed_row_keeps_the_selected_token(page: DialoguePage, qtbot: Any) -> None:
    settled(page, qtbot)
    page._pick_token(9)
    text = page.views.rows.source.texts[9]  # type: ignore[union-attr]
    page.views.rows.which.choose(PACKED)
    source = page.views.rows.source
    assert source is not None
    assert source.segments > 1
    token = page.selection.selection.index("token")
    assert source.texts[token] == text
    page.views.rows.which.choose(ALONE)
    assert page.selection.selection.index("token") == 9


def test_that_a_turn_is_shown_in_the_conversation_alone(page: DialoguePage, qtbot: Any) -> None:
    settled(page, qtbot)
    page.views.rows.which.choose(PACKED)
    page.views.editor.picked.emit(2)
    assert page.views.rows.which.index == ALONE


def test_that_a_forgotten_document_mask_shows_what_leaks(page: DialoguePage, qtbot: Any) -> None:
    change(page, document_mask=False)
    settled(page, qtbot)
    page.views.rows.which.choose(PACKED)
    source = page.views.rows.source
    assert source is not None
    last = len(source) - 1
    assert "of other documents" in (page.views.rows.rows.describe(last) or "")


def test_that_another_strategy_shows_its_rows(page: DialoguePage, qtbot: Any) -> None:
    settled(page, qtbot)
    packing = page.views.packing
    assert packing.bars.packing is not None
    assert packing.bars.packing.strategy == params(page).packing
    packing.strategy_picked.emit("wrapped")
    assert packing.bars.packing.strategy == "wrapped"
    before = packing.tiles.tiles
    packing.bars.picked.emit(1)
    assert packing.tiles.tiles is not before


# A run.


def test_that_a_run_fills_every_view(page: DialoguePage, qtbot: Any) -> None:
    present(page)
    views = page.views
    assert views.rows.switches["loss"].isEnabled()
    assert not views.packing.leak.is_empty
    assert not views.packing.positions.is_empty
    assert not views.ways.accuracy.is_empty
    assert not views.ways.gradients.is_empty
    assert not views.mistakes.losses.is_empty
    assert {"stops, sound", "stops, padded", "gradients differ"} <= set(numbers(page))
    assert page.cards["rows"].badge.provenance is Provenance.MEASURED_CPU
    page.withdraw()
    assert views.mistakes.losses.is_empty
    assert not views.rows.switches["loss"].isEnabled()
    assert page.cards["rows"].badge.provenance is Provenance.MODELLED


def test_that_losses_are_shown_only_beside_the_text_that_they_are_of(page: DialoguePage) -> None:
    present(page)
    assert page.views.rows.source.loss is not None  # type: ignore[union-attr]
    change(page, template="chatml")
    assert page.views.rows.source.loss is None  # type: ignore[union-attr]


def test_that_cards_tell_where_the_numbers_in_front_come_from(page: DialoguePage, qtbot: Any) -> None:
    settled(page, qtbot)
    present(page)
    badge = page.cards["outcomes"].badge
    wanted = {
        DOCTOR: Provenance.MODELLED, DATA: None, PACKING: Provenance.MODELLED, WAYS: Provenance.MODELLED,
        MISTAKES: Provenance.MEASURED_CPU,
    }  # fmt: skip
    for picture, provenance in wanted.items():
        page.views.outcomes.show_picture(picture)
        assert badge.provenance is provenance
    page.views.outcomes.show_picture(PACKING)
    page.views.packing.switcher.show_picture(1)
    assert badge.provenance is Provenance.MEASURED_CPU


def test_that_losses_look_alike_and_the_generations_do_not(page: DialoguePage) -> None:
    present(page)
    page.views.outcomes.show_picture(MISTAKES)
    sound, *mistakes = page.views.mistakes.losses.series
    for mistake in mistakes:
        assert np.allclose(mistake.y, sound.y)
    page.views.mistakes.picked.emit("pad_with_end")
    assert "It does not stop." in page.views.mistakes.behaviour.toPlainText()
    page.views.mistakes.picked.emit("sound")
    assert "It does not stop." not in page.views.mistakes.behaviour.toPlainText()


# A data file.


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    path = tmp_path / "talks.jsonl"
    lines = [{"messages": [{"role": "user", "content": f"question {number}"}]} for number in range(5)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_that_a_dropped_file_is_data_and_a_folder_a_tokenizer(page: DialoguePage, talks: Path) -> None:
    for path, name in ((talks, "data"), (talks.parent, "tokenizer")):
        assert page.open_dropped(str(path))
        assert page.form.fields[name].value() == str(path)


def test_that_what_is_ill_in_the_file_is_listed_and_sorted(page: DialoguePage, talks: Path) -> None:
    change(page, data=str(talks))
    present(page, data=str(talks))
    page.views.outcomes.show_picture(DATA)
    table = page.views.data.table
    assert len(table.rows) == 58
    assert table.rows[0].tokens is None  # the broken line
    table.view.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    assert table.rows[0].tokens == max(row.tokens or 0 for row in table.rows)
    assert not page.views.data.progress.isVisible()


def test_that_progress_is_shown_while_the_file_is_examined(page: DialoguePage, talks: Path) -> None:
    change(page, data=str(talks))
    page.show_partial(dialogue_result(params(page), data=str(talks), share=0.5, trains=False))
    page.views.outcomes.show_picture(DATA)
    assert page.views.data.progress.isVisible()
    assert page.views.data.progress.value() == 500
    assert "500" in page.views.data.summary.text()


def test_that_the_doctor_speaks_of_the_file_once_it_was_examined(page: DialoguePage, talks: Path, qtbot: Any) -> None:
    change(page, data=str(talks))
    present(page, data=str(talks))
    settled(page, qtbot)
    assert NO_TARGET in {finding.failure for finding in page.views.doctor.ill}
    assert "1,000" in page.views.doctor.scope.text()
    assert page.views.packing.about.text().startswith("1,000")
    change(page, policy="all")
    settled(page, qtbot)
    assert "This conversation" in page.views.doctor.scope.text()


def test_that_a_conversation_of_the_file_is_opened_in_the_editor(page: DialoguePage, talks: Path, qtbot: Any) -> None:
    change(page, data=str(talks))
    page.views.data.line_opened.emit(3)
    qtbot.waitUntil(lambda: messages(page)[0]["content"] == "question 2", timeout=5000)
    page.form.undo_stack.undo()
    assert len(messages(page)) == 5
    page.views.data.line_opened.emit(99)
    qtbot.waitUntil(lambda: "99" in page.banner.sentence, timeout=5000)


def test_that_a_pasted_conversation_replaces_the_one_of_the_page(page: DialoguePage) -> None:
    page.views.editor.edited.emit(Conversation((Message("user", "Hi"), Message("assistant", "Ho"))), "")
    assert [message["content"] for message in messages(page)] == ["Hi", "Ho"]
    assert "Ho" in "".join(page.views.rows.source.texts)  # type: ignore[union-attr]


def test_that_the_end_of_the_first_learned_turn_is_selected_until_the_user_chooses(page: DialoguePage) -> None:
    rows = page.views.rows.source.rows  # type: ignore[union-attr]
    token = page.selection.selection.index("token")
    assert rows.special[token]
    assert rows.message[token] == 2
    assert page.dismiss()
    change(page, policy="all")
    assert "token" not in page.selection.selection


def test_that_what_a_run_adds_comes_to_the_front_until_the_user_chooses(page: DialoguePage) -> None:
    assert page.views.outcomes.index == DOCTOR
    page.show_partial(dialogue_result(params(page), data="talks.jsonl", share=0.5, trains=False))
    assert page.views.outcomes.index == DATA
    present(page)
    assert page.views.outcomes.index == MISTAKES
    page.views.outcomes.show_picture(PACKING)
    present(page)
    assert page.views.outcomes.index == PACKING
