"""The page masks: form, chips, text and pictures follow one another; errors keep the last picture; a run is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from core.contracts.errors import InvalidParams
from core.contracts.registry import topic
from core.contracts.result import Provenance
from core.topics.masks.params import MasksParams
from gui import theme, translation
from gui.pages.masks import MasksPage
from gui.pages.masks.view_data import CODE, COMPARISON, MIRROR, POSITIONS
from tests.gui.pages.masks.masks_result import mask_result


def new_page() -> MasksPage:
    masks_page = MasksPage(topic("masks"))
    theme.dress(masks_page)
    masks_page.resize(1600, 1000)

    def show(params: MasksParams) -> None:
        masks_page.show_plan(masks_page.topic.plan(params), params)

    masks_page.params_changed.connect(show)
    show(MasksParams())
    masks_page.show()
    return masks_page


def expression(page: MasksPage) -> str:
    return str(page.params.model_dump()["expression"])


def test_that_typing_an_expression_draws_it_and_moves_the_chips(page: MasksPage) -> None:
    QTest.keyClicks(page.composer.line, "causal & window(5)")
    assert expression(page) == "causal & window(5)"
    assert str(page.composer.chips.mask) == "causal & window(5)"
    assert page.form.fields["expression"].value() == "causal & window(5)"
    assert page.matrix.source is not None
    assert page.matrix.source.row_counts.max() == 5


def test_that_the_command_line_has_every_remark_of_the_page(page: MasksPage) -> None:
    page.form.propose(MasksParams(query_text="a b <pad>", expression="window(9)", lengths="4"))
    remarks = page.topic.remarks(page.params)
    assert [str(text) for text in page.composer.warnings] == [str(remark.text) for remark in remarks]
    assert len(remarks) > 2


def test_that_chips_write_the_text_and_undo_takes_it_back(page: MasksPage) -> None:
    page.composer.chips.add("window(9)")
    assert expression(page) == "causal & window(9)"
    assert page.composer.line.text() == "causal & window(9)"
    page.form.undo_stack.undo()
    assert expression(page) == ""
    assert page.composer.line.text() == ""
    assert str(page.composer.chips.mask) == "causal"
    page.form.undo_stack.redo()
    assert page.composer.line.text() == "causal & window(9)"


def test_that_the_form_s_field_reaches_the_composer(page: MasksPage) -> None:
    page.form.fields["expression"].edited.emit("documents")
    assert page.composer.line.text() == "documents"
    assert str(page.composer.chips.mask) == "documents"


def test_that_an_invalid_text_says_why_and_keeps_the_last_picture(page: MasksPage) -> None:
    before = page.matrix.source
    QTest.keyClicks(page.composer.line, "causal & (")
    assert page.composer.line.text() == "causal & ("
    assert page.composer.message.endswith(".")
    assert "character" in page.composer.message
    assert not page.form.valid
    assert page.matrix.source is not None
    assert before is not None
    assert np.array_equal(page.matrix.source.row_counts, before.row_counts)
    page.form.fields["expression"].edited.emit("caussal")
    assert "did you mean causal" in page.composer.message
    page.form.undo_stack.undo()
    assert page.form.valid
    assert "did you mean" not in page.composer.message


def test_that_one_click_applies_a_preset_and_undo_brings_the_text_back(page: MasksPage) -> None:
    page.form.propose(MasksParams(expression="none", query_text="mine", seq_len=128))
    page.gallery.buttons["mistral-window"].click()
    params = page.params
    assert isinstance(params, MasksParams)
    assert (params.preset, params.expression, params.query_text, params.seq_len) == ("mistral-window", "", "", 128)
    assert page.gallery.buttons["mistral-window"].isChecked()
    page.form.undo_stack.undo()
    assert page.form.fields["query_text"].value() == "mine"
    assert not any(button.isChecked() for button in page.gallery.buttons.values())


def test_that_a_mask_that_hides_everything_says_so_and_plays_nothing(page: MasksPage) -> None:
    page.form.propose(MasksParams(expression="none"))
    assert "Everything is masked" in page.composer.message
    assert page.schedule.is_empty
    assert page.player.steps == 0
    assert page.strip.numbers[-1].tone == "bad"
    page.matrix.cell_picked.emit(3, 3)
    page.form.propose(MasksParams())
    assert not page.schedule.is_empty


def test_that_the_numbers_have_the_right_sign(page: MasksPage) -> None:
    assert page.strip.numbers[2].tone == "good"
    assert "−" in page.strip.numbers[2].value
    page.form.propose(MasksParams(expression="all", query_text="a b c", block_q=128, block_kv=128))
    worse = page.strip.numbers[2]
    assert (worse.label, worse.tone) == ("FLOPs vs dense", "bad")
    assert "+" in worse.value


def test_that_a_cell_selects_its_tile_and_step_and_a_tile_its_row(page: MasksPage) -> None:
    page.matrix.cell_picked.emit(40, 3)
    selection = page.selection.selection
    assert [selection.get(kind) for kind in ("row", "col", "q_block", "kv_block")] == [40, 3, 2, 0]
    assert page.schedule.step == selection.get("step") == page.player.step
    assert page.matrix.cell == (40, 3)
    page.schedule.tile_picked.emit(3, 1, 50)
    assert page.matrix.cell == (50, -1)
    page.player.set_step(0)
    assert page.selection.selection.get("q_block") == 0
    assert page.matrix.cell is None
    page.matrix.cell_picked.emit(0, 60)  # an empty tile has no step
    assert page.player.step == 0
    assert page.selection.selection.get("kv_block") == 3


def test_that_a_run_brings_the_kernel_s_own_order_and_other_parameters_the_plan_s(page: MasksPage) -> None:
    result = mask_result(MasksParams())
    page.present(result, {})
    assert page.cards["kernel"].badge.provenance is Provenance.TRACED
    page.player.set_step(0)
    assert page.selection.selection.get("q_block") == 3
    page.views.show_picture(COMPARISON)
    assert page.cards["kernel"].badge.provenance is Provenance.MEASURED_CPU
    assert [row.name for row in page.comparison.rows] == ["Naive · 3 rows NaN", "Triton"]
    assert not page.comparison.rows[1].cells[0].bars
    page.form.propose(MasksParams(block_q=32))
    assert page.cards["kernel"].property("stale")
    page.views.show_picture(0)
    assert page.cards["kernel"].badge.provenance is Provenance.MODELLED
    page.withdraw()
    assert page.comparison.is_empty


def test_that_the_mask_is_shown_against_its_transpose(page: MasksPage, qtbot: Any) -> None:
    page.views.show_picture(MIRROR)
    qtbot.waitUntil(lambda: not page.drawing)
    assert "2,016" not in page.mirror.verdict
    assert "4,032 of 4,096" in page.mirror.verdict
    assert "hidden" in (page.mirror.describe(60.5, 3.5) or "")
    page.form.propose(MasksParams(expression="all"))
    qtbot.waitUntil(lambda: page.mirror.verdict.startswith("M = M"))
    page.form.propose(MasksParams(key_len=100))
    qtbot.waitUntil(lambda: page.mirror.is_empty)
    assert "square" in page.mirror.empty_sentence


def test_that_position_ids_stand_under_their_tokens(page: MasksPage) -> None:
    page.views.show_picture(POSITIONS)
    assert page.positions.model.rowCount() == 2
    page.form.propose(MasksParams(query_text="<pad> <pad> a b <doc> c", expression="causal & ~padding"))
    rows = [row.cells for row in page.positions.model.rows]
    assert rows == [
        ("<pad>", "<pad>", "a", "b", "<doc>", "c"),
        ("0", "1", "2", "3", "4", "5"),
        ("0", "0", "0", "1", "2", "3"),
        ("0", "0", "0", "1", "0", "1"),
    ]
    assert "Rotary embeddings see distances" in page.positions.caption.text()
    page.form.propose(MasksParams(preset="t5-cross"))
    assert page.positions.model.rowCount() == 1
    assert page.positions.caption.text().startswith("Cross-attention")


def test_that_the_code_is_copied_for_each_target(page: MasksPage) -> None:
    page.views.show_picture(CODE)
    for index, word in enumerate(("mask_mod", "scaled_dot_product_attention", "flash_attn", "attention_mask")):
        page.code.switcher.show_picture(index)
        page.code.copy_button.click()
        assert word in QGuiApplication.clipboard().text()
        compile(QGuiApplication.clipboard().text(), "copied", "exec")


def test_that_keys_of_the_page_play_the_schedule(page: MasksPage) -> None:
    page.player.set_step(2)
    page.step(1)
    assert page.player.step == 3
    page.toggle_play()
    assert page.player.is_playing
    page.toggle_play()


def test_that_the_reason_of_a_cell_names_the_term(page: MasksPage) -> None:
    assert "hidden, because not causal" in (page.matrix.describe(50.5, 3.5) or "")


def test_that_the_names_of_presets_follow_the_language(page: MasksPage) -> None:
    button = page.gallery.buttons["causal"]
    english = button.accessibleName(), button.toolTip()
    translation.use("zh")
    assert not button.accessibleName().isascii()
    assert button.toolTip().startswith(button.accessibleName())
    translation.use("en")
    assert (button.accessibleName(), button.toolTip()) == english
    assert page.gallery.buttons["causal"] is button, "the focus stays"


def test_that_warnings_follow_the_language(page: MasksPage) -> None:
    page.form.propose(MasksParams(expression="none"))
    translation.use("zh")
    assert "遮住" in page.composer.message


def test_that_200_000_pasted_characters_are_drawn_up_to_what_fits(page: MasksPage) -> None:
    page.form.fields["query_text"].edited.emit("token " * 34_000)
    assert page.matrix.source is not None
    assert page.matrix.source.rows == 8192
    assert "The rest is kept in the field" in page.composer.message
    with pytest.raises(InvalidParams):
        MasksParams.parse({"query_text": "x" * 300_000})


def test_that_both_themes_draw(page: MasksPage, qapp: Any) -> None:
    from gui import theme

    dark = page.grab().toImage()
    theme.apply(qapp, "light")
    assert page.grab().toImage() != dark
    theme.apply(qapp, "dark")
    QTest.keyClick(page.composer.chips, Qt.Key.Key_End)
