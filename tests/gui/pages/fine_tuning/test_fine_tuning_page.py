"""The page fine-tuning: form, diagram, curves, costs and tables follow one another; a run grows; stale is said."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.contracts.registry import topic
from core.contracts.result import Provenance
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.result import FineTuningResult
from gui import theme as themes
from gui.pages.fine_tuning import FineTuningPage, view_data
from gui.pages.fine_tuning.details import MASK, METHODS_TABLE, SAMPLES, VECTORS
from gui.pages.fine_tuning.page import HELD_OUT
from tests.gui.pages.fine_tuning.fine_tuning_result import changed, run_of

PARAMS = FineTuningParams()


def new_page() -> FineTuningPage:
    made = FineTuningPage(topic("fine-tuning"))
    themes.dress(made)
    made.resize(1500, 1000)

    def show(params: FineTuningParams) -> None:
        made.show_plan(made.topic.plan(params), params)

    made.params_changed.connect(show)
    made.form.set_params(PARAMS)
    show(PARAMS)
    made.show()
    return made


def method_of(page: FineTuningPage) -> str:
    params = page.params
    assert isinstance(params, FineTuningParams)
    return params.method


def stale(page: FineTuningPage) -> list[bool]:
    return [bool(card.property("stale")) for card in page.plots.cards]


def everywhere(page: FineTuningPage) -> set[str]:
    """The method that each view shows."""
    return {
        method_of(page),
        str(page.selection.selection.get("method")),
        page.modules.picker.chosen,
        page.costs.chosen,
    }


def test_that_the_plan_shows_what_would_train_and_says_that_it_is_modelled(page: FineTuningPage) -> None:
    assert everywhere(page) == {"p-tuning-v2"}
    modules = page.modules.map
    lit = [place.id for place, count in zip(modules.grid.places, modules.method.trainable, strict=True) if count]
    assert lit == [f"layer.{layer}.prefix" for layer in range(4)]
    assert not modules.is_measured
    assert page.losses.is_empty
    assert page.details.samples.is_empty
    for badge in (page.cards["modules"].badge, page.cards["costs"].badge, page.key_metrics.badges[0]):
        assert badge.provenance is Provenance.MODELLED
    assert page.cards["curves"].badge.provenance is None
    assert page.key_metrics.numbers[0].value == "16,384"


@pytest.mark.parametrize("method", ["full", "adalora"])
@pytest.mark.parametrize("view", ["tiles", "board", "samples", "methods", "form"])
def test_that_a_method_chosen_in_one_view_is_chosen_in_all(page: FineTuningPage, view: str, method: str) -> None:
    run = run_of(PARAMS)
    page.present(run, {})
    page.details.show_picture(METHODS_TABLE if view == "methods" else SAMPLES)
    choose = {
        "tiles": page.modules.picker.picked.emit,
        "board": page.costs.picked.emit,
        "samples": page.details.samples.variant_picked.emit,
        "methods": lambda method: page.details.methods.picked.emit(run.method(method).summary),
        "form": page.form.fields["method"].edited.emit,
    }[view]
    choose(method)
    assert everywhere(page) == {method}
    page.details.show_picture(SAMPLES)
    assert page.details.samples.chosen == method
    page.details.show_picture(METHODS_TABLE)
    assert page.details.methods.marked == method
    assert page.key_metrics.numbers[0].label.endswith(view_data.label(method))
    assert [s.name for s in page.losses.series if s.style == "line"] == [view_data.label(method)]
    page.form.undo_stack.undo()
    assert everywhere(page) == {"p-tuning-v2"}


def test_that_the_answers_before_are_no_method(page: FineTuningPage) -> None:
    page.present(run_of(PARAMS), {})
    page.details.samples.variant_picked.emit("before")
    assert method_of(page) == "p-tuning-v2"


def test_that_tiles_keep_their_numbers_in_a_window_of_1280(page: FineTuningPage) -> None:
    picker = page.modules.picker
    picker.resize(490, picker.height())
    picker.row.resize(490, picker.height())
    heads = [picker.row.head(index) for index in range(len(view_data.ORDER))]
    assert [head.split()[0] for head in heads] == ["1", "2", "3", "4", "5", "6", "7"]


def test_that_digits_choose_a_method(page: FineTuningPage) -> None:
    page.setFocus()
    for number, method in enumerate(view_data.ORDER, start=1):
        QTest.keyClick(page, Qt.Key(Qt.Key.Key_0.value + number))
        assert everywhere(page) == {method}
    QTest.keyClick(page, Qt.Key.Key_8)
    assert method_of(page) == view_data.ORDER[-1]


def test_that_a_click_on_a_tile_and_on_a_row_reach_the_form(page: FineTuningPage) -> None:
    row = page.modules.picker.row
    QTest.mouseClick(row, Qt.MouseButton.LeftButton, pos=row.box(4).center().toPoint())
    assert everywhere(page) == {"lora"}
    rows = page.costs.view
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=rows.row_boxes[0].center().toPoint())
    assert everywhere(page) == {"full"}


def test_that_another_method_shown_asks_for_no_other_run() -> None:
    run = run_of(PARAMS)
    for method in view_data.ORDER:
        assert run.is_run_of(PARAMS.changed(method=method))
    assert not run.is_run_of(PARAMS.changed(seed=1))


def test_that_another_method_makes_no_run_stale_and_other_steps_do(page: FineTuningPage) -> None:
    page.present(run_of(PARAMS), {})
    assert stale(page) == [False] * 4
    page._choose("lora")
    assert stale(page) == [False] * 4
    page.form.propose(PARAMS.changed(steps=64))
    assert stale(page) == [True] * 4
    page.details.show_picture(MASK)
    assert stale(page)[3]
    page.form.propose(PARAMS.changed(method="full"))
    assert stale(page) == [False] * 4


def test_that_a_run_lights_places_by_gradient_and_says_measured(page: FineTuningPage) -> None:
    result = run_of(PARAMS)
    page.present(result, {})
    modules = page.modules.map
    assert modules.is_measured
    last = result.method("p-tuning-v2").gradient_norms[-1]
    np.testing.assert_array_equal(modules.method.norms, last)
    for badge in (
        page.cards["modules"].badge,
        page.cards["costs"].badge,
        page.cards["curves"].badge,
        page.cards["details"].badge,
    ):
        assert badge.provenance is Provenance.MEASURED_CPU
    low, high = modules.limits
    everything = np.concatenate([run.gradient_norms.ravel() for run in result.methods.values()])
    assert high == pytest.approx(np.nanmax(everything))
    assert low < high


def test_that_a_step_picked_in_the_curves_shows_the_gradients_of_then(page: FineTuningPage) -> None:
    result = run_of(PARAMS)
    page.present(result, {})
    page.losses.x_picked.emit(60)
    frames = result.gradient_steps
    frame = int(np.searchsorted(frames, 60, side="right")) - 1
    np.testing.assert_array_equal(page.modules.map.method.norms, result.method("p-tuning-v2").gradient_norms[frame])
    assert page.modules.player.step == frame
    assert page.losses.selected_x == page.held_out.selected_x == 60
    page.step(1)
    assert page.selection.selection.get("step") == int(frames[frame + 1])
    assert page.losses.selected_x == int(frames[frame + 1])
    page.modules.player.last()
    assert page.selection.selection.get("step") is None
    page.step(-1)
    assert page.dismiss()
    assert page.modules.player.step == len(frames) - 1


def test_that_a_place_is_selected_in_diagram_and_table(page: FineTuningPage) -> None:
    page.present(run_of(PARAMS), {})
    page.details.show_picture(VECTORS)
    page.modules.map.place_picked.emit("layer.2.prefix")
    assert page.details.vectors.table.marked == "layer.2.prefix"
    assert page.modules.map.selected == page.modules.map.grid.index("layer.2.prefix")
    page.details.vectors.table.picked.emit(page.details.vectors.table.rows[1])
    assert page.details.vectors.table.rows[1].place == "layer.1.prefix"
    assert page.modules.map.selected == page.modules.map.grid.index("layer.1.prefix")
    page.modules.map.place_picked.emit("layer.1.prefix")
    assert page.modules.map.selected is None
    page.modules.map.place_picked.emit("head")
    assert page.dismiss()
    assert page.modules.map.selected is None


def test_that_partials_grow_the_curves_and_follow_the_newest_gradients(page: FineTuningPage) -> None:
    for done in (10, 40, 90):
        page.show_partial(run_of(PARAMS, done, summaries=False))
        assert {len(series.x) for series in page.losses.series} == {done}
        assert page.modules.player.step == page.modules.player.steps - 1
    assert page.cards["costs"].badge.provenance is Provenance.MODELLED
    assert page.details.samples.is_empty
    page.losses.x_picked.emit(20)
    stood = page.modules.player.step
    page.show_partial(run_of(PARAMS, 120, frames=24))
    assert page.selection.selection.get("step") == 20
    assert page.modules.player.step <= stood + 1
    assert page.cards["costs"].badge.provenance is Provenance.MEASURED_CPU


def test_that_a_partial_of_one_method_shows_the_others_as_planned_and_never_as_measured(page: FineTuningPage) -> None:
    only = run_of(PARAMS.changed(methods="full"), 10)
    early = replace(only, params=PARAMS)
    page.show_partial(early)
    assert not page.modules.map.is_measured
    assert page.cards["modules"].badge.provenance is Provenance.MODELLED
    assert page.key_metrics.badges[0].provenance is Provenance.MODELLED
    trainable = {row.key: row.cells[0] for row in page.costs.rows}
    assert trainable["full"].mark > 0
    assert math.isnan(trainable["lora"].mark)  # the badge of the costs says measured
    assert page.costs.describe(view_data.ORDER.index("lora")).splitlines() == ["LoRA", "nothing measured yet"]
    page.show_partial(only)
    assert page.costs.describe(view_data.ORDER.index("lora")).splitlines() == ["LoRA", "not in this run"]
    page.show_partial(early)
    page._choose("full")
    assert page.cards["modules"].badge.provenance is Provenance.MEASURED_CPU


def test_that_a_method_that_is_behind_shows_its_own_newest_gradients(page: FineTuningPage) -> None:
    result = run_of(PARAMS, 40, frames=10)
    behind = result.method("p-tuning-v2").gradient_norms.copy()
    behind[4:] = np.nan
    page.show_partial(changed(result, "p-tuning-v2", gradient_norms=behind))
    np.testing.assert_array_equal(page.modules.map.method.norms, behind[3])
    behind = np.full_like(behind, np.nan)
    page.show_partial(changed(result, "p-tuning-v2", gradient_norms=behind))
    assert not page.modules.map.is_measured


def test_that_a_method_that_stopped_says_so_and_keeps_its_curves(page: FineTuningPage) -> None:
    result = run_of(PARAMS)
    lora = result.method("lora")
    assert lora.summary is not None
    stopped = replace(lora.summary, error="The loss is NaN at step 30.", held_out_loss=None, exact_match_unseen=None)
    cut = {"losses": lora.losses[:30], "held_out_losses": lora.held_out_losses[:2]}
    page.present(changed(result, "lora", summary=stopped, **cut), {})
    assert page.modules.picker.tiles[4].broken
    assert "step 30" in page.modules.picker.tiles[4].tip
    assert "step 30" in page.costs.describe(4)
    page._choose("lora")
    assert any("stopped" in number.label for number in page.key_metrics.numbers)
    assert {len(series.x) for series in page.losses.series} == {30, PARAMS.steps}


def test_that_the_mask_shows_prefix_columns_first_and_reads_them_out(page: FineTuningPage) -> None:
    page.present(run_of(PARAMS), {})
    page.details.show_picture(MASK)
    mask, attention = page.details.mask.pages
    assert mask.columns[:2] == ("v0", "v1")
    assert mask.columns[16] == "tok0"
    assert "added vector 3" in mask.read(2, 3)
    assert mask.read(2, 3).endswith("visible")
    assert mask.read(2, 25).endswith("hidden by the mask")
    assert "sees 19 of 30 columns, of which 16 are added" in mask.read(2, -1)
    assert attention.shape == (16, 14)
    page._choose("full")
    assert len(page.details.mask.pages) == 1
    assert page.details.mask.pages[0].shape == (14, 14)


def test_that_the_planned_mask_says_that_it_is_modelled(page: FineTuningPage) -> None:
    page.details.show_picture(MASK)
    assert page.cards["details"].badge.provenance is Provenance.MODELLED
    assert page.details.mask.pages[0].shape == (24, 16 + 24)
    page._choose("prompt-tuning")
    assert page.details.mask.pages[0].shape == (40, 40)
    page._choose("lora")
    assert page.details.mask.pages[0].shape == (24, 24)


def test_that_masks_are_of_two_colours_where_there_is_a_prefix(page: FineTuningPage) -> None:
    page.details.show_picture(MASK)
    image = page.details.mask.pages[0].image(themes.current())
    colours = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
    assert len(colours) == 3
    assert image.pixelColor(0, 0) != image.pixelColor(16, 0)


def test_that_vectors_list_what_is_added_and_for_qlora_what_gradients_passed(page: FineTuningPage) -> None:
    page.details.show_picture(VECTORS)
    assert page.cards["details"].badge.provenance is Provenance.MODELLED
    assert [part.count for part in page.details.vectors.table.rows] == [4096] * 4
    page.present(run_of(PARAMS), {})
    assert page.details.vectors.table.model.index(0, 1).data() == "16 × 128"
    assert page.cards["details"].badge.provenance is Provenance.MEASURED_CPU
    page._choose("qlora")
    assert "frozen 4-bit weights 0 of 28" in page.details.vectors.evidence.text()
    assert len(page.details.vectors.table.rows) == 28


def test_that_the_table_of_methods_sorts_and_has_modelled_rows_before_a_run(page: FineTuningPage) -> None:
    page.details.show_picture(METHODS_TABLE)
    table = page.details.methods
    assert page.cards["details"].badge.provenance is Provenance.MODELLED
    assert len(table.rows) == 7
    table.view.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert table.rows[0].method == "prompt-tuning"
    page.present(run_of(PARAMS), {})
    assert table.rows[0].method == "prompt-tuning"
    assert table.rows[-1].method == "full"
    table.view.sortByColumn(4, Qt.SortOrder.DescendingOrder)
    assert table.rows[0].method == "adalora"


def test_that_held_out_losses_are_behind_their_button(page: FineTuningPage) -> None:
    result = run_of(PARAMS)
    page.present(result, {})
    page.curves.show_picture(HELD_OUT)
    chosen = next(series for series in page.held_out.series if series.style == "rings")
    np.testing.assert_array_equal(chosen.x, result.held_out_steps)
    np.testing.assert_array_equal(chosen.y, result.method("p-tuning-v2").held_out_losses)


def test_that_a_withdrawn_run_leaves_the_plan(page: FineTuningPage) -> None:
    page.present(run_of(PARAMS), {})
    page.losses.x_picked.emit(10)
    page.withdraw()
    assert not page.modules.map.is_measured
    assert page.losses.is_empty
    assert page.details.samples.is_empty
    assert page.selection.selection.get("step") is None
    assert page.modules.player.isHidden()


def test_that_a_run_before_any_plan_is_shown(qtbot: Any) -> None:
    made = FineTuningPage(topic("fine-tuning"))
    qtbot.addWidget(made)
    made.show_result(run_of(PARAMS))
    assert made.modules.map.is_measured


def test_that_a_problem_of_the_plan_blames_its_field(page: FineTuningPage) -> None:
    page.form.propose(PARAMS.changed(rank=512))
    assert "Rank 512" in page.form.fields["rank"].problem
    page.form.propose(PARAMS.changed(rank=4))
    assert page.modules.picker.tiles[4].facts[0].startswith("4")  # 4% of all train


def test_that_runs_survive_being_saved(page: FineTuningPage) -> None:
    page.present(FineTuningResult.from_bytes(run_of(PARAMS).to_bytes()), {})
    assert page.modules.map.is_measured
    assert len(page.details.samples.samples) == 4


def test_that_it_grabs_in_both_themes(page: FineTuningPage, qapp: Any) -> None:
    page.present(run_of(PARAMS), {})

    def pictures() -> list[Any]:
        taken = []
        for tab in (SAMPLES, MASK, VECTORS, METHODS_TABLE):
            page.details.show_picture(tab)
            taken.append(page.details.grab().toImage())
        return [*taken, page.grab().toImage()]

    dark = pictures()
    themes.apply(qapp, "light")
    assert all(light != before for light, before in zip(pictures(), dark, strict=True))
    themes.apply(qapp, "dark")
