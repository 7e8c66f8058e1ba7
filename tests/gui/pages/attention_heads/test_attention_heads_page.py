"""The attention-heads page: control, heads and curves change the form; every picture follows; problems are told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from core.contracts.result import Provenance
from core.topics.attention_heads import TOPIC
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.plan import Plan
from core.topics.attention_heads.result import AttentionHeadsResult
from gui import theme
from gui.pages.attention_heads import AttentionHeadsPage
from gui.pages.attention_heads.compare_view import CONVERSION, CURVES, IMPLEMENTATIONS, KERNELS, SCHEMES
from gui.pages.attention_heads.conversion_view import ERRORS, LOSSES, TUNING
from gui.pages.attention_heads.kv_control import SCHEMES as IDS
from gui.pages.attention_heads.memory_view import CONTEXTS
from tests.gui.pages.attention_heads.heads_result import heads_result, study


def new_page() -> AttentionHeadsPage:
    shown = AttentionHeadsPage(TOPIC)
    theme.dress(shown)
    shown.resize(1500, 1000)
    shown.params_changed.connect(lambda params: shown.show_plan(shown.topic.plan(params), params))
    shown.show_plan(shown.topic.plan(shown.params), shown.params)
    shown.show()
    return shown


def params(page: AttentionHeadsPage) -> AttentionHeadsParams:
    current = page.params
    assert isinstance(current, AttentionHeadsParams)
    return current


def plan(page: AttentionHeadsPage) -> Plan:
    assert page.state is not None
    return page.state.plan


def change(page: AttentionHeadsPage, **changes: Any) -> None:
    page.form.propose(params(page).changed(**changes))


def present(page: AttentionHeadsPage, **changes: Any) -> AttentionHeadsResult:
    result = replace(heads_result(params(page)), **changes)
    page.present(result, {})
    return result


def number(page: AttentionHeadsPage, label: str) -> str:
    return next(number.value for number in page.key_metrics.numbers if number.label == label)


def click_head(page: AttentionHeadsPage, head: int) -> None:
    parts = page.heads_view.canvas.parts
    assert parts is not None
    place = parts.head(head).center().toPoint()
    QTest.mouseClick(page.heads_view.canvas, Qt.MouseButton.LeftButton, pos=place)


# The plan is drawn.


def test_that_the_plan_is_drawn_at_once_and_says_that_it_is_modelled(page: AttentionHeadsPage) -> None:
    assert number(page, "KV cache per token") == "131 kB"
    assert number(page, "tokens/s") == "125 to 208"
    assert page.heads_view.picture is not None
    assert not page.roofline.is_empty
    assert not page.memory.memory.is_empty
    for card in page.cards.values():
        assert card.badge.provenance is Provenance.MODELLED


def test_that_a_speed_is_never_one_number(page: AttentionHeadsPage) -> None:
    low, high = number(page, "tokens/s").split(" to ")
    assert float(low.replace(",", "")) < float(high.replace(",", ""))


@pytest.mark.parametrize(
    ("changes", "title", "groups"),
    [
        ({"attention": "mha"}, "MHA", 32),
        ({"attention": "mqa"}, "MQA", 1),
        ({"kv_heads": 4}, "GQA-4", 4),
        ({"attention": "mla"}, "MLA", 1),
    ],
)
def test_that_the_form_s_attention_reaches_every_picture(
    page: AttentionHeadsPage, changes: dict[str, Any], title: str, groups: int
) -> None:
    change(page, **changes)
    picture = page.heads_view.picture
    assert picture is not None
    assert (picture.title, picture.groups) == (title, groups)
    assert page.compare.schemes.chosen == title
    assert number(page, "KV cache per token") != "131 kB"
    assert page.control.slider.isEnabled() is (title != "MLA")


# Control and pictures change the form.


@pytest.mark.parametrize("scheme", IDS)
def test_that_a_segment_changes_the_attention(page: AttentionHeadsPage, scheme: str) -> None:
    change(page, attention="gqa", kv_heads=2)
    page.control.schemes.choose(IDS.index(scheme))
    if scheme == "gqa":  # it was chosen already
        assert (params(page).attention, params(page).kv_heads) == ("gqa", 2)
    else:
        assert (params(page).attention, params(page).kv_heads) == (scheme, 0)


def test_that_the_slider_goes_from_all_heads_down_to_one(page: AttentionHeadsPage) -> None:
    slider, reached = page.control.slider, []
    for place in range(slider.minimum(), slider.maximum() + 1):
        slider.setValue(place)
        reached.append((params(page).attention, plan(page).attention.kv_heads))
    assert reached == [("mha", 32), ("gqa", 16), ("gqa", 8), ("gqa", 4), ("gqa", 2), ("mqa", 1)]


def test_that_a_drag_of_the_slider_is_one_step_to_undo(page: AttentionHeadsPage) -> None:
    before = params(page)
    for place in (3, 4, 5):
        page.control.slider.setValue(place)
    assert plan(page).attention.kv_heads == 1
    page.form.undo_stack.undo()
    assert params(page) == before
    assert page.control.slider.value() == 2


def test_that_arrow_keys_move_the_slider_and_not_the_page(page: AttentionHeadsPage) -> None:
    page.control.slider.setFocus()
    QTest.keyClick(page.control.slider, Qt.Key.Key_Right)
    assert plan(page).attention.kv_heads == 4
    assert params(page).kv_heads == 4
    assert page.control.label.text() == "4 of 32 KV heads"


def test_that_the_control_follows_the_form_without_changing_it(page: AttentionHeadsPage) -> None:
    proposed: list[object] = []
    page.form.changed.connect(proposed.append)
    change(page, attention="mqa")
    assert IDS[page.control.schemes.index] == "mqa"
    assert page.control.slider.value() == page.control.slider.maximum()
    assert len(proposed) == 1


def test_that_a_row_of_the_schemes_chooses_it(page: AttentionHeadsPage) -> None:
    for title, expected in (("MHA", ("mha", 0)), ("GQA-8", ("gqa", 8)), ("MLA", ("mla", 0)), ("MQA", ("mqa", 0))):
        page.compare.schemes.picked.emit(title)
        assert (params(page).attention, params(page).kv_heads) == expected


def test_that_the_chosen_scheme_has_a_row_of_its_own_only_if_no_other_is_the_same(page: AttentionHeadsPage) -> None:
    assert [row.name for row in page.compare.schemes.rows] == ["MHA", "GQA-8", "MQA", "MLA"]
    change(page, kv_heads=4)
    assert [row.name for row in page.compare.schemes.rows] == ["GQA-4", "MHA", "GQA-8", "MQA", "MLA"]


def test_that_a_click_on_the_curves_chooses_the_nearest_number_of_kv_heads(page: AttentionHeadsPage) -> None:
    page.compare.show_picture(CURVES)
    assert page.compare.curves.selected_x == 8
    page.compare.curves.chart.clicked.emit(float(np.log10(3.8)), 0.0)
    assert params(page).kv_heads == 4
    assert page.compare.curves.selected_x == 4


def test_that_a_click_on_the_longest_contexts_chooses_the_batch(page: AttentionHeadsPage) -> None:
    page.memory.show_picture(CONTEXTS)
    page.memory.contexts.chart.clicked.emit(float(np.log10(30)), 0.0)
    assert params(page).batch == 32
    assert page.memory.contexts.selected_x == 32


# Heads are selected.


def test_that_a_click_selects_a_head_and_a_second_one_deselects_it(page: AttentionHeadsPage) -> None:
    click_head(page, 5)
    assert page.selection.selection.get("head") == 5
    assert page.heads_view.selected == 5
    click_head(page, 5)
    assert "head" not in page.selection.selection
    assert page.heads_view.selected is None


def test_that_a_click_on_a_kv_head_selects_the_first_head_that_reads_it(page: AttentionHeadsPage) -> None:
    parts = page.heads_view.canvas.parts
    assert parts is not None
    QTest.mouseClick(page.heads_view.canvas, Qt.MouseButton.LeftButton, pos=parts.kv_box(3).center().toPoint())
    assert page.heads_view.selected == 12


def test_that_the_keyboard_walks_over_heads_and_groups(page: AttentionHeadsPage) -> None:
    canvas, reached = page.heads_view.canvas, []
    canvas.setFocus()
    keys = (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_End, Qt.Key.Key_Up, Qt.Key.Key_Home)
    for key in keys:
        QTest.keyClick(canvas, key)
        reached.append(page.heads_view.selected)
    assert reached == [0, 1, 5, 31, 27, 0]
    assert page.heads_view.tip.text().startswith("query head 1 of 32")


def test_that_escape_deselects_the_head(page: AttentionHeadsPage) -> None:
    page.selection.update(head=3)
    assert page.dismiss()
    assert page.heads_view.selected is None
    assert not page.dismiss()


def test_that_a_selected_head_that_another_model_lacks_is_not_shown(page: AttentionHeadsPage) -> None:
    page.selection.update(head=31)
    change(page, model="gpt2")
    assert page.heads_view.selected is None
    change(page, model="llama-3.1-8b")
    assert page.heads_view.selected == 31


def test_that_the_pointer_reads_out_heads_kv_heads_and_matrices(page: AttentionHeadsPage) -> None:
    view = page.heads_view
    parts = view.canvas.parts
    assert parts is not None
    head = view.canvas.describe(parts.head(5).center())
    assert head is not None
    assert "query head 6 of 32" in head
    assert "reads KV head 2 of 8" in head
    kv_head = view.canvas.describe(parts.kv_box(1).center())
    assert kv_head is not None
    assert "read by query heads 5 to 8" in kv_head
    matrix = view.canvas.describe(parts.matrix(1).center())
    assert matrix is not None
    assert "k_proj" in matrix
    assert "4,194,304 parameters" in matrix
    assert view.canvas.describe(QPointF(1, view.canvas.height() - 1)) is None


# A run.


def test_that_a_run_adds_what_it_traced_and_measured(page: AttentionHeadsPage) -> None:
    before = len(page.roofline.points)
    result = present(page)
    assert len(page.roofline.points) == before + len(result.decodes) + 1
    assert page.cards["compare"].badge.provenance is Provenance.MODELLED
    page.compare.show_picture(KERNELS)
    assert page.cards["compare"].badge.provenance is Provenance.TRACED
    assert [row.name for row in page.compare.kernels.traced.rows] == [decode.key for decode in result.decodes]
    page.compare.kernels.show_picture(IMPLEMENTATIONS)
    assert page.cards["compare"].badge.provenance is Provenance.MEASURED_CPU
    page.compare.show_picture(CONVERSION)
    assert page.cards["compare"].badge.provenance is Provenance.MEASURED_CPU
    page.compare.show_picture(SCHEMES)
    assert page.cards["compare"].badge.provenance is Provenance.MODELLED


def test_that_implementations_on_a_gpu_are_measured(page: AttentionHeadsPage) -> None:
    page.present(heads_result(params(page), gpu=True), {})
    page.compare.show_picture(KERNELS)
    page.compare.kernels.show_picture(IMPLEMENTATIONS)
    assert page.cards["compare"].badge.provenance is Provenance.MEASURED


def test_that_a_run_stays_where_only_the_serving_changes_and_goes_where_the_attention_does(
    page: AttentionHeadsPage,
) -> None:
    present(page)
    page.compare.show_picture(KERNELS)
    change(page, context=1024, batch=8, gpu="h200")
    assert not page.compare.kernels.traced.is_empty
    change(page, attention="mqa")
    assert page.compare.kernels.traced.is_empty
    assert not any(point.traced for point in page.roofline.points)
    assert page.cards["compare"].badge.provenance is None


def test_that_a_conversion_grows_while_it_runs(page: AttentionHeadsPage) -> None:
    page.compare.show_picture(CONVERSION)
    conversion = page.compare.conversion
    assert "Convert heads" in conversion.losses.empty_sentence
    for done in (1, 3, 5):
        page.show_partial(replace(heads_result(params(page)), study=study(done)))
        assert len(conversion.losses.rows) == done
    conversion.show_picture(ERRORS)
    assert conversion.errors.grid is not None
    assert conversion.errors.grid.rows == 4 * 4  # three groupings of two KV heads, and one KV head
    conversion.show_picture(TUNING)
    assert len(conversion.tuning.series) == 5


def test_that_the_first_partial_result_has_nothing_to_show_yet(page: AttentionHeadsPage) -> None:
    page.show_partial(AttentionHeadsResult(params=params(page)))
    for picture in (KERNELS, CONVERSION):
        page.compare.show_picture(picture)
        assert page.cards["compare"].badge.provenance is None
    page.show_partial(replace(heads_result(params(page)), study=study(1, steps=0)))
    for picture in (LOSSES, ERRORS, TUNING):
        page.compare.conversion.show_picture(picture)
    assert page.compare.conversion.errors.is_empty
    assert "Steps of fine-tuning" in page.compare.conversion.tuning.empty_sentence


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"convert": False}, "Switch Convert heads on"), ({"config": "config.json"}, "choose a model folder")],
)
def test_that_an_empty_conversion_says_what_to_do(page: AttentionHeadsPage, changes: dict[str, Any], told: str) -> None:
    page.compare.show_picture(CONVERSION)
    change(page, **changes)
    for picture in (page.compare.conversion.losses, page.compare.conversion.errors, page.compare.conversion.tuning):
        assert told in picture.empty_sentence


def test_that_a_head_is_linked_to_the_conversion_of_a_model_with_as_many_heads(page: AttentionHeadsPage) -> None:
    present(page, study=study(heads=32, steps=0))
    page.compare.show_picture(CONVERSION)
    page.compare.conversion.show_picture(ERRORS)
    click_head(page, 7)
    assert page.compare.conversion.errors.column == 7
    page.compare.conversion.errors.picked.emit(2, 9)
    assert page.heads_view.selected == 9
    assert (page.compare.conversion.errors.row, page.compare.conversion.errors.column) == (2, 9)


def test_that_a_head_of_another_model_s_conversion_is_selected_there_alone(page: AttentionHeadsPage) -> None:
    present(page)
    page.compare.show_picture(CONVERSION)
    page.compare.conversion.show_picture(ERRORS)
    page.compare.conversion.errors.picked.emit(2, 3)
    assert "head" not in page.selection.selection
    assert (page.compare.conversion.errors.row, page.compare.conversion.errors.column) == (2, 3)


# What does not fit, and what has no plan.


def test_that_the_matrices_of_mla_are_visible_and_their_labels_apart_on_a_narrow_card(page: AttentionHeadsPage) -> None:
    page.resize(1170, 673)
    change(page, model="deepseek-v3")
    parts = page.heads_view.canvas.parts
    assert parts is not None
    assert parts.short_labels
    boxes = [parts.label(index) for index in range(len(parts.picture.matrices))]
    for box, wide in zip(boxes, parts.label_px, strict=True):
        assert wide <= box.width() + 0.5
    for left, right in pairwise(boxes):
        assert left.right() <= right.left()
    assert max(parts.matrix(index).height() for index in range(len(boxes))) > 20


def test_that_a_plan_that_stands_in_for_a_problem_is_that_of_the_model_as_it_is_served(
    page: AttentionHeadsPage,
) -> None:
    change(page, model="llama-3.1-405b", batch=8, context=131_072, tensor_parallel=8)
    expected = page.memory.memory.spec
    change(page, kv_heads=5)
    assert plan(page).problem
    assert page.memory.memory.spec == expected


def test_that_weights_that_do_not_fit_are_told(page: AttentionHeadsPage) -> None:
    change(page, model="deepseek-v3")
    assert number(page, "longest context") == "does not fit"
    assert number(page, "largest batch") == "does not fit"
    spec = page.memory.memory.spec
    assert spec is not None
    assert spec.headline is not None
    assert spec.headline.text == "Weights do not fit"
    assert "missing on" in spec.headline.rest
    page.memory.show_picture(CONTEXTS)
    assert "Even the weights do not fit" in page.memory.contexts.empty_sentence


def test_that_a_cache_that_stops_growing_has_no_limit(page: AttentionHeadsPage) -> None:
    change(page, model="mistral-7b-v0.1")
    assert number(page, "longest context") == "no limit"
    page.memory.show_picture(CONTEXTS)
    assert not page.memory.contexts.is_empty  # a large batch does not fit even so
    assert np.isnan(page.memory.contexts.series[0].y[0])


def test_that_impossible_kv_heads_are_told_at_the_field(page: AttentionHeadsPage) -> None:
    change(page, kv_heads=7)
    assert "cannot be divided" in page.form.fields["kv_heads"].problem
    assert not page.roofline.is_empty
    change(page, kv_heads=8)
    assert page.form.problem == ""


def test_that_a_config_that_is_not_there_is_told_at_the_field(page: AttentionHeadsPage, tmp_path: Path) -> None:
    change(page, config=str(tmp_path / "config.json"))
    assert page.form.fields["config"].problem


def test_that_remarks_are_shown_and_otherwise_what_the_model_is(page: AttentionHeadsPage) -> None:
    assert page.remarks.text().startswith("Llama 3.1 8B: 32 layers (32 full)")
    change(page, context=1 << 20)
    assert "longer than the 131,072" in page.remarks.text()


def test_that_one_head_and_very_many_are_drawn(page: AttentionHeadsPage, tmp_path: Path) -> None:
    for heads in (1, 512):
        path = tmp_path / f"{heads}.json"
        path.write_text(
            '{"model_type": "llama", "hidden_size": 1024, "num_hidden_layers": 2, "vocab_size": 100, '
            f'"intermediate_size": 64, "num_attention_heads": {heads}, "head_dim": 64}}'
        )
        change(page, config=str(path))
        assert page.form.problem == ""
        page.heads_view.canvas.grab()
        assert page.control.slider.isEnabled() is (heads > 1)
        QTest.keyClick(page.heads_view.canvas, Qt.Key.Key_End)
        assert page.heads_view.selected == heads - 1
        page.selection.update(head=None)
    page.compare.show_picture(CURVES)
    assert not page.compare.curves.is_empty


def test_that_the_canvas_has_no_read_out_beside_the_picture(page: AttentionHeadsPage) -> None:
    QTest.mouseMove(page.heads_view.canvas, QPoint(2, 2))
    assert page.heads_view.tip.isHidden()
