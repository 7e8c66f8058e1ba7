"""The page lora: ranks, losses and what is behind a matrix follow one another, live and at rest, both ways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from core.contracts.result import Provenance
from core.topics.lora import TOPIC
from core.topics.lora.params import LoraParams
from core.topics.lora.result import LoraResult, RankHistory
from gui import theme as themes
from gui import translation
from gui.pages.lora import LoraPage
from gui.pages.lora.details import KERNEL, MERGES, PICTURES, SIZE, SPECTRUM, TEXT, TRIPLETS
from tests.gui.pages.lora.lora_result import STRONGEST, lora_result

PARAMS = LoraParams(steps=60, tinit=10, tfinal=20, delta_t=5, held_out_every=10)


def new_page() -> LoraPage:
    made = LoraPage(TOPIC)
    themes.dress(made)
    made.resize(1400, 950)

    def show(params: LoraParams) -> None:
        made.show_plan(made.topic.plan(params), params)

    made.params_changed.connect(show)
    made.form.set_params(PARAMS)
    show(PARAMS)
    made.show()
    return made


def made_up(done: int | None = None, **more: Any) -> LoraResult:
    return lora_result(PARAMS, done=done, **more)


def history_of(result: LoraResult) -> RankHistory:
    assert result.history is not None
    return result.history


def stale(page: LoraPage) -> list[bool]:
    return [bool(page.cards[key].property("stale")) for key in ("ranks", "losses", "details")]


def grow(page: LoraPage, done: int) -> None:
    page.show_partial(made_up(done))


def test_that_before_a_run_the_budget_is_planned_and_the_map_says_what_will_come(page: LoraPage) -> None:
    history = page.history_view
    assert history.map.is_empty
    assert "Run (F5)" in history.map.empty_sentence
    assert [one.name for one in history.curves.series] == ["budget (cubic)"]
    assert history.curves.series[0].y.tolist() == page.topic.plan(PARAMS).budget.tolist()
    assert page.cards["ranks"].badge.provenance is page.key_metrics.badge.provenance is Provenance.MODELLED
    assert "until step 10 (tinit)" in page.key_metrics.sentence.text()
    assert page.losses.is_empty
    assert not history.player.steps


def test_that_the_map_of_the_ranks_is_higher_than_the_curves_below_it(page: LoraPage) -> None:
    grow(page, 30)
    page.layout().activate()
    assert page.history_view.map.height() > 2 * page.history_view.curves.height()


def test_that_the_planned_budget_follows_the_form(page: LoraPage) -> None:
    page.form.fields["target_r"].edited.emit(6)
    assert page.history_view.curves.series[0].y[-1] == 6 * 28


def test_that_a_run_grows_and_the_picture_stays_at_the_newest_step(page: LoraPage) -> None:
    page.show_started("Waiting")
    for done in (10, 25, 40):
        grow(page, done)
        assert page.history_view.map.grid is not None
        assert page.history_view.map.grid.last_column == done - 1
        assert page.selection.selection.get("step") == done
        assert page.history_view.player.step == done - 1
        assert page.losses.selected_x == done
    assert page.cards["ranks"].badge.provenance is Provenance.MEASURED_CPU


def test_that_a_user_who_scrubs_stays_there_until_they_return_to_the_end(page: LoraPage) -> None:
    grow(page, 30)
    page.history_view.player.set_step(11)
    assert page.selection.selection.get("step") == 12
    grow(page, 40)
    assert page.selection.selection.get("step") == 12
    assert page.history_view.player.step == 11
    assert page.history_view.player.steps == 40
    page.history_view.player.last()
    grow(page, 50)
    assert page.selection.selection.get("step") == 50


def test_that_playing_goes_on_while_steps_come(page: LoraPage) -> None:
    grow(page, 30)
    page.history_view.player.set_step(3)
    page.toggle_play()
    grow(page, 40)
    assert page.history_view.player.is_playing
    assert page.history_view.player.steps == 40
    page.toggle_play()
    assert not page.history_view.player.is_playing


@pytest.mark.parametrize("where", ["map", "curves", "losses", "player", "keys"])
def test_that_a_step_picked_anywhere_is_shown_everywhere(page: LoraPage, where: str) -> None:
    page.present(made_up(), {})
    page.selection.update(step=21)
    pick = {
        "map": lambda: page.history_view.map.chart.clicked.emit(22.0, 3.5),
        "curves": lambda: page.history_view.curves.chart.clicked.emit(22.2, 100.0),
        "losses": lambda: page.losses.chart.clicked.emit(21.8, 1.0),
        "player": lambda: page.history_view.player.set_step(21),
        "keys": lambda: page.step(1),
    }[where]
    pick()
    assert page.selection.selection.get("step") == 22
    assert page.history_view.map.column + 1 == page.history_view.curves.selected_x == page.losses.selected_x == 22
    assert page.history_view.player.step == 21
    assert page.key_metrics.numbers[0].value == "22 of 60"
    assert page.key_metrics.numbers[0].label == "step · pruning"
    assert ", step 22: " in page.details.triplets.title.text()


def test_that_a_matrix_picked_on_the_map_reaches_every_view_and_back(page: LoraPage) -> None:
    page.present(made_up(), {})
    page.history_view.map.labels.row_clicked.emit(STRONGEST)
    assert page.selection.selection.get("matrix") == STRONGEST
    title = "Layer 0 up_proj"
    assert page.details.triplets.title.text().startswith(title)
    page.details.show_picture(PICTURES)
    assert page.details.pictures.title.text().startswith(title)
    page.details.show_picture(SPECTRUM)
    expected = f"{title}, full update: 80% of the energy in the first 4 singular values"
    assert page.details.spectrum_title.text() == expected
    page.selection.update(matrix=3)
    assert page.history_view.map.row == 3
    assert page.details.spectrum_title.text().startswith("Layer 0 o_proj")
    assert page.dismiss()
    assert page.history_view.map.row is None
    assert not page.dismiss()


def test_that_the_arrows_on_the_map_walk_matrices_and_steps(page: LoraPage) -> None:
    page.present(made_up(), {})
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Left):
        QTest.keyClick(page.history_view.map.pad, key)
    assert page.selection.selection.get("matrix") == 1
    assert page.selection.selection.get("step") == 59


def test_that_a_triplet_is_selected_and_a_second_click_lets_it_go(page: LoraPage) -> None:
    page.present(made_up(), {})
    page.details.triplets.triplet_picked.emit(4)
    assert page.selection.selection.get("triplet") == page.details.triplets.triplet == 4
    page.details.triplets.triplet_picked.emit(4)
    assert page.details.triplets.triplet is None
    page.selection.update(triplet=2)
    assert page.details.triplets.triplet == 2


def test_that_why_nothing_changes_is_answered_for_the_selected_step(page: LoraPage) -> None:
    page.present(made_up(), {})
    for step, words in ((5, "until step 10 (tinit)"), (22, "every 5 steps (deltaT)"), (50, "budget of 4")):
        page.selection.update(step=step)
        assert words in page.key_metrics.sentence.text()
    page.selection.update(step=25)
    assert page.key_metrics.sentence.text().startswith("<b>What is changing?")
    translation.use("zh")
    assert "什么在变" in page.key_metrics.sentence.text()


def test_that_a_run_that_never_called_the_allocator_says_so_whatever_the_form_says_now(page: LoraPage) -> None:
    off = PARAMS.changed(call_update=False)
    page.present(lora_result(off), {})
    assert "update_and_allocate is not called" in page.key_metrics.sentence.text()


def test_that_hover_reads_rank_total_and_budget(page: LoraPage) -> None:
    result = made_up()
    page.present(result, {})
    history = history_of(result)
    rank, total, budget = history.ranks, history.total_rank, history.budget
    read = page.history_view.map.describe(30.0, STRONGEST + 0.5) or ""
    assert read.startswith(f"Layer 0 up_proj, step 30\nrank {rank[29, STRONGEST]} of 12")
    assert f"all matrices: {total[29]:,} triplets, budget {budget[29]:,}" in read
    change = int(np.flatnonzero(np.diff(rank[:, 0]))[0]) + 2
    is_described = [
        f"changed at this step from {rank[change - 2, 0]}" in (page.history_view.map.describe(float(step), 0.5) or "")
        for step in (change - 1, change, change + 1)
    ]
    assert is_described == [False, True, False]


def test_that_both_plots_of_the_hero_share_their_axis_in_place_and_in_zoom(page: LoraPage) -> None:
    page.present(made_up(), {})
    upper, lower = page.history_view.map.chart, page.history_view.curves.chart
    QTest.qWait(1)
    boxes = [plot.getViewBox() for plot in (upper, lower)]
    lefts = [plot.mapTo(page, box.sceneBoundingRect().topLeft().toPoint()).x()
             for plot, box in zip((upper, lower), boxes, strict=True)]  # fmt: skip
    assert abs(lefts[0] - lefts[1]) <= 2
    upper.setXRange(20, 40, padding=0)
    assert boxes[1].viewRange()[0] == pytest.approx([20, 40])
    lower.go_home()
    assert boxes[0].viewRange()[0] == pytest.approx([0.5, 60.5])


def test_that_each_way_of_looking_says_where_its_numbers_come_from(page: LoraPage) -> None:
    badge = page.cards["details"].badge
    page.details.show_picture(KERNEL)
    assert badge.provenance is None
    page.details.show_picture(SIZE)
    assert badge.provenance is Provenance.MODELLED
    page.present(made_up(), {})
    for index, expected in (
        (TRIPLETS, Provenance.MEASURED_CPU), (PICTURES, Provenance.MEASURED_CPU), (SPECTRUM, Provenance.MEASURED_CPU),
        (SIZE, Provenance.MODELLED), (TEXT, Provenance.MEASURED_CPU), (KERNEL, Provenance.TRACED),
    ):  # fmt: skip
        page.details.show_picture(index)
        assert badge.provenance is expected
    headline = page.details.kernel.traffic.spec.headline
    assert headline is not None
    assert "bytes" in headline.text
    page.present(made_up(gpu=True), {})
    assert page.cards["ranks"].badge.provenance is Provenance.MEASURED


def test_that_the_size_follows_the_form_and_is_never_stale(page: LoraPage) -> None:
    page.present(made_up(), {})
    page.details.show_picture(SIZE)
    before = page.details.size_title.text()
    page.form.fields["preset_rank"].edited.emit(8)
    assert page.details.size_title.text() != before
    assert page.details.size.selected_x == 8
    assert stale(page) == [False, False, False]
    page.form.fields["target_r"].edited.emit(5)
    assert stale(page) == [True, True, False]
    page.details.show_picture(TRIPLETS)
    assert page.cards["details"].property("stale")
    page.form.fields["target_r"].edited.emit(4)
    assert not page.cards["ranks"].property("stale")


def test_that_the_key_metrics_say_how_fast_it_was_and_which_end_of_orthogonality_is_good(page: LoraPage) -> None:
    grow(page, 30)
    assert "steps/s" not in {number.label for number in page.key_metrics.numbers}
    page.present(made_up(), {})
    speed, last = page.key_metrics.numbers[-2:]
    assert (speed.label, speed.value) == ("steps/s", "30 · 30")
    assert speed.detail.startswith("LoRA, AdaLoRA: ")
    assert last.label == "orthogonality error ↓"


def test_that_no_key_metric_is_cut_in_the_smallest_window(page: LoraPage, qtbot: Any) -> None:
    result = made_up()
    sizes = {"lora": (40_960, 0.0416, 8.57), "adalora": (123_216, 0.125, 6.59)}  # of the small model
    runs = {
        name: replace(result.runs[name], trainable_parameters=count, share=share, steps_per_s=speed)
        for name, (count, share, speed) in sizes.items()
    }
    page.resize(1175, 695)
    page.present(replace(result, runs=runs), {})
    strip = page.key_metrics.strip
    assert strip.numbers[4].value == "123,216 · 12.5%"
    qtbot.waitUntil(lambda: page.key_metrics.width() < 900)
    assert strip.needed_px <= strip.width()


def test_that_a_run_that_stopped_keeps_its_curves_and_says_it(page: LoraPage) -> None:
    sentence = "The loss of step 41 is NaN, so the training stopped there: a smaller learning rate would do."
    page.present(made_up(error=sentence), {})
    last = page.key_metrics.numbers[-1]
    assert (last.tone, last.detail) == ("bad", sentence)
    assert not page.losses.is_empty


def test_that_taking_a_run_back_shows_the_plan_again(page: LoraPage) -> None:
    page.present(made_up(), {})
    page.selection.update(matrix=2)
    page.withdraw()
    assert page.history_view.map.is_empty
    assert page.losses.is_empty
    assert page.details.triplets.is_empty
    assert not page.selection.selection
    assert page.key_metrics.badge.provenance is Provenance.MODELLED


def test_that_a_result_of_fewer_matrices_lets_go_of_what_is_gone(page: LoraPage) -> None:
    page.present(made_up(), {})
    page.history_view.map.chart.clicked.emit(33.0, 20.5)
    page.present(made_up(layers=1), {})
    assert page.history_view.map.row is None
    assert "matrix" not in page.selection.selection
    assert page.history_view.map.column == 32


def test_that_without_whole_matrices_nothing_is_drawn_of_them(page: LoraPage) -> None:
    without_full = PARAMS.changed(compare_full=False)
    page.present(lora_result(without_full), {})
    assert not any("whole" in one.name for one in page.losses.series)
    page.details.show_picture(PICTURES)
    assert "delta" not in page.details.pictures.canvas.boxes()
    page.details.show_picture(SPECTRUM)
    assert [one.name for one in page.details.spectrum.series] == ["LoRA", "AdaLoRA"]


@pytest.mark.parametrize("name", themes.NAMES)
def test_that_a_run_changes_every_picture_in_both_themes(page: LoraPage, qapp: Any, name: str) -> None:
    themes.apply(qapp, name)

    def pictures() -> list[QImage]:
        images = []
        for index in (TRIPLETS, PICTURES, SPECTRUM, MERGES, SIZE, TEXT, KERNEL):
            page.details.show_picture(index)
            images.append(page.details.grab().toImage())
        return images

    planned = pictures()
    page.present(made_up(), {})
    drawn = pictures()
    changed = [before != after for before, after in zip(planned, drawn, strict=True)]
    assert changed == [True, True, True, True, False, True, True], "sizes are the plan's, all else is the run's"
    assert page.grab().toImage().pixelColor(0, 0) == QColor(themes.current().background)


def test_that_the_losses_say_the_budget_and_rings_are_the_held_out_rows(page: LoraPage) -> None:
    result = made_up()
    page.present(result, {})
    assert [str(entry.label) for entry in page.losses.legend.entries] == [
        "LoRA, rank 4", "AdaLoRA, rank 12 → 4", "full matrices",
    ]  # fmt: skip
    rings = next(one for one in page.losses.series if one.style == "rings")
    assert np.array_equal(rings.y, np.asarray(result.runs["lora"].held_out_losses))
