"""The page flash-attention: before a run, after it, and everything linked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from core.contracts.registry import topic
from core.contracts.result import Provenance
from core.hardware.gpus import GPU_IDS
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.result import FlashAttentionResult
from gui import theme as themes
from gui.pages.flash_attention import FlashAttentionPage
from tests.gui.pages.flash_attention.flash_result import FLASH_K_LINE, FLASH_V_LINE, flash_result, old_archive

PARAMS = FlashAttentionParams(seq_len=256, heads=2, kv_heads=2, head_dim=32)


def show(page: FlashAttentionPage, params: FlashAttentionParams) -> None:
    page.show_plan(page.topic.plan(params), params)


def new_page() -> FlashAttentionPage:
    flash_page = FlashAttentionPage(topic("flash-attention"))
    themes.dress(flash_page)
    flash_page.resize(1600, 1000)
    show(flash_page, PARAMS)
    flash_page.show()
    return flash_page


@pytest.fixture
def traced(page: FlashAttentionPage, qtbot: Any) -> FlashAttentionPage:
    page.show_result(flash_result(PARAMS))
    qtbot.waitUntil(lambda: not page.drawing)
    return page


def test_that_the_page_says_what_the_command_line_says_about_a_shape(page: FlashAttentionPage) -> None:
    assert page.remarks.isHidden()
    unusual = FlashAttentionParams(seq_len=100, kv_len=40, head_dim=80)
    show(page, unusual)
    remarks = [str(remark.text) for remark in page.topic.remarks(unusual)]
    assert len(remarks) == 2
    assert not page.remarks.isHidden()
    assert all(remark in page.remarks.text() for remark in remarks)
    show(page, PARAMS)
    assert page.remarks.isHidden()


def badges(page: FlashAttentionPage) -> list[Provenance | None]:
    return [page.cards[key].badge.provenance for key in ("schedule", "traffic", "accesses", "comparison")]


def test_that_before_a_run_the_model_is_drawn_and_says_so(page: FlashAttentionPage) -> None:
    assert badges(page) == [Provenance.MODELLED, Provenance.MODELLED, None, None]
    drawn = (page.strip, page.stepper.schedule, page.stepper.sram, page.stepper.softmax, page.traffic)
    assert not any(plot.is_empty for plot in drawn)
    assert all(plot.is_empty for plot in (page.accesses, page.comparison, page.timeline))


def test_that_a_run_without_triton_leaves_the_model_and_claims_no_trace(page: FlashAttentionPage) -> None:
    whole = flash_result(PARAMS)
    page.show_result(replace(whole, traffic=(), lines=(), sources=(), traces={}, schedule=None, sweep=()))
    assert badges(page)[:3] == [Provenance.MODELLED, Provenance.MODELLED, None]
    assert not page.traffic.is_empty
    assert "Triton" in page.accesses.empty_sentence


def test_that_a_run_brings_traced_data_and_says_so(traced: FlashAttentionPage) -> None:
    assert badges(traced) == [
        Provenance.TRACED, Provenance.TRACED, Provenance.TRACED, Provenance.MEASURED_CPU
    ]  # fmt: skip
    assert traced.stepper.softmax_badge.provenance is Provenance.TRACED
    assert not traced.accesses.is_empty
    assert not traced.comparison.is_empty
    assert traced.timeline.is_empty


def test_that_traces_are_drawn_before_the_comparison_is_made(page: FlashAttentionPage) -> None:
    page.show_partial(replace(flash_result(PARAMS), comparison=()))
    assert badges(page) == [Provenance.TRACED, Provenance.TRACED, Provenance.TRACED, None]
    assert "compared" in page.comparison.empty_sentence
    page.show_result(flash_result(PARAMS))
    assert not page.comparison.is_empty
    page.clear_result()
    assert "Run" in page.comparison.empty_sentence


def test_that_a_run_on_a_gpu_brings_the_timeline(page: FlashAttentionPage) -> None:
    page.show_result(flash_result(PARAMS, gpu=True))
    assert not page.timeline.is_empty
    assert badges(page)[3] is Provenance.MEASURED


def test_that_curves_stay_modelled_after_a_run(traced: FlashAttentionPage) -> None:
    for index, curves in ((2, traced.by_sram), (1, traced.by_length)):
        traced.traffic_views.show_picture(index)
        assert not curves.is_empty
    assert traced.cards["traffic"].badge.provenance is Provenance.MODELLED
    traced.traffic_views.show_picture(0)
    assert traced.cards["traffic"].badge.provenance is Provenance.TRACED


def test_that_other_parameters_return_to_the_model_and_the_run_s_own_to_its_traces(traced: FlashAttentionPage) -> None:
    show(traced, PARAMS.changed(seq_len=512))
    assert badges(traced)[:2] == [Provenance.MODELLED, Provenance.MODELLED]
    assert traced.cards["accesses"].property("stale")
    assert not traced.cards["schedule"].property("stale")
    show(traced, PARAMS)
    assert badges(traced)[:2] == [Provenance.TRACED, Provenance.TRACED]
    assert not traced.cards["accesses"].property("stale")


def test_that_a_withdrawn_run_leaves_the_page_as_before_it(traced: FlashAttentionPage) -> None:
    traced.clear_result()
    assert badges(traced) == [Provenance.MODELLED, Provenance.MODELLED, None, None]
    assert traced.accesses.is_empty


def test_that_a_step_moves_everything(traced: FlashAttentionPage) -> None:
    stepper = traced.stepper
    assert stepper.grid is not None
    stepper.player.set_step(0)
    q_block, kv_block = stepper.grid.tile_at(0)
    selection = traced.selection.selection
    assert (selection.get("q_block"), selection.get("kv_block"), selection.get("program")) == (q_block, kv_block, 0)
    assert stepper.schedule.step == 0
    assert stepper.sram.fresh == {"Q", "K", "V"}
    assert stepper.softmax.iteration == 0
    stepper.player.set_step(2)
    assert stepper.sram.fresh == {"K", "V"}
    assert stepper.softmax.iteration == 2
    assert traced.accesses.maps["standard"].marked_program is None
    assert traced.accesses.maps["flash"].marked_program is not None


def test_that_a_click_on_a_tile_selects_its_step_row_program_and_source_line(traced: FlashAttentionPage) -> None:
    traced.stepper.schedule.tile_picked.emit(2, 1, 140)
    selection = traced.selection.selection
    assert traced.stepper.grid is not None
    assert traced.stepper.player.step == traced.stepper.grid.order[2, 1]
    assert selection.get("row") == 140
    assert traced.stepper.softmax.state is not None
    assert traced.stepper.softmax.state.row == 140
    assert (selection.get("function"), selection.get("line")) == ("flash_fwd", FLASH_K_LINE)
    assert selection.get("program") == 1  # the causal launch runs the last of the four Q blocks first


def test_that_the_row_within_the_tile_is_kept_while_stepping(traced: FlashAttentionPage) -> None:
    traced.stepper.schedule.tile_picked.emit(2, 1, 140)
    assert traced.stepper.grid is not None
    traced.stepper.player.set_step(int(traced.stepper.grid.order[1, 0]))
    assert traced.selection.selection.get("row") == 64 + 140 - 128


def test_that_a_skipped_tile_is_framed_and_leaves_the_step(page: FlashAttentionPage) -> None:
    before = page.stepper.player.step
    page.stepper.schedule.tile_picked.emit(0, 3, 10)
    assert page.stepper.player.step == before
    assert page.stepper.schedule._chosen.isVisible()
    page.stepper.player.set_step(before + 1)
    assert not page.stepper.schedule._chosen.isVisible()


def test_that_a_source_line_lights_its_tensor(traced: FlashAttentionPage) -> None:
    traced.source.line_picked.emit("flash_fwd", FLASH_V_LINE)
    assert traced.traffic.chosen == "V"
    traced.source.line_picked.emit("flash_fwd", 1)
    assert traced.traffic.chosen is None


def test_that_a_tensor_is_lit_with_its_line_and_put_out_by_a_second_click(traced: FlashAttentionPage) -> None:
    traced.traffic.picked.emit("V")
    assert traced.traffic.chosen == "V"
    assert traced.selection.selection.get("line") == FLASH_V_LINE
    traced.traffic.picked.emit("V")
    assert traced.traffic.chosen is None


def test_that_an_access_of_the_map_selects_program_tensor_and_line(traced: FlashAttentionPage) -> None:
    flash, standard = traced.accesses.maps["flash"], traced.accesses.maps["standard"]
    assert flash.order is not None
    # The second program begins with the 64 rows of Q, then loads K: byte 5000 lies in K, whose rows begin after Q's.
    x, q_bytes = float(flash.order.edges[1]) + 64 * 32 + 5, 256 * 32 * 2
    flash.chart.clicked.emit(x, q_bytes + 5000.0)
    selection = traced.selection.selection
    assert [selection.get(kind) for kind in ("kernel", "program", "q_block", "tensor")] == ["flash", 1, 2, "K"]
    assert (selection.get("function"), selection.get("line")) == ("flash_fwd", FLASH_K_LINE)
    assert flash._band_mark.isVisible()
    step = traced.stepper.player.step
    standard.chart.clicked.emit(float(standard.order.edges[18]) + 1, 0.0)
    selection = traced.selection.selection
    assert [selection.get(kind) for kind in ("kernel", "program", "function")] == ["standard", 18, "softmax_fwd"]
    assert traced.stepper.player.step == step
    assert standard.marked_program is not None
    assert flash.marked_program is None


def test_that_a_run_of_an_older_version_shows_all_but_its_accesses(page: FlashAttentionPage) -> None:
    page.present(FlashAttentionResult.from_bytes(old_archive(flash_result(PARAMS))), {})
    assert badges(page) == [Provenance.TRACED, Provenance.TRACED, None, Provenance.MEASURED_CPU]
    assert page.accesses.empty_sentence == (
        "This run was stored by an older version: run again (F5) to see its accesses."
    )
    page.withdraw()
    assert "Run (F5) to trace" in page.accesses.empty_sentence


def test_that_keys_step_and_play(page: FlashAttentionPage, qtbot: Any) -> None:
    before = page.stepper.player.step
    page.step(1)
    assert page.stepper.player.step == before + 1
    page.toggle_play()
    assert page.stepper.player.is_playing
    page.step(-1)
    assert not page.stepper.player.is_playing
    qtbot.keyClick(page.stepper.player, Qt.Key.Key_Home)
    assert page.selection.selection.get("step") == 0


def test_that_the_step_is_kept_while_the_schedule_stays_as_long(page: FlashAttentionPage) -> None:
    page.stepper.player.set_step(3)
    show(page, PARAMS.changed(dtype="fp32"))
    assert page.stepper.player.step == 3
    show(page, PARAMS.changed(seq_len=512))
    assert page.stepper.player.step == int(0.62 * (page.stepper.player.steps - 1))


def test_that_a_schedule_without_tiles_says_what_would_help(page: FlashAttentionPage) -> None:
    class Nothing:
        """A plan in which every tile is skipped."""

        def __init__(self, plan: Any) -> None:
            self._plan = plan
            self.tiles = plan.tiles * 0
            self.schedule = plan.schedule[:0]

        def __getattr__(self, name: str) -> Any:
            return getattr(self._plan, name)

    page.show_plan(Nothing(page.topic.plan(PARAMS)), PARAMS)  # type: ignore[arg-type]
    assert page.stepper.schedule.is_empty
    assert page.stepper.player.step == -1
    show(page, PARAMS)
    assert not page.stepper.schedule.is_empty


def test_that_very_large_models_wait_until_the_sliders_rest(page: FlashAttentionPage, qtbot: Any) -> None:
    large = PARAMS.changed(seq_len=16384, block_q=16, block_kv=16)
    show(page, large)
    assert page.stepper.grid is not None
    assert page.stepper.grid.query_len == 256
    qtbot.waitUntil(lambda: page.stepper.grid is not None and page.stepper.grid.query_len == 16384, timeout=5000)
    qtbot.waitUntil(lambda: page.stepper.softmax.state is not None, timeout=5000)
    show(page, PARAMS)
    assert page.stepper.grid.query_len == 256


@pytest.mark.parametrize(
    "changes",
    [
        {"seq_len": 1},
        {"seq_len": 1, "kv_len": 500, "causal": False},
        {"seq_len": 300, "kv_len": 20},
        {"seq_len": 65, "block_q": 16, "block_kv": 128, "head_dim": 128, "dtype": "fp32"},
        {"seq_len": 4096, "causal": False, "gpu": GPU_IDS[-1]},
    ],
)
def test_that_any_shape_can_be_drawn_and_played(page: FlashAttentionPage, changes: dict[str, Any]) -> None:
    params = PARAMS.changed(**changes)
    show(page, params)
    stepper = page.stepper
    schedule = page.topic.plan(params).schedule
    for move, step in (
        (stepper.player.first, 0),
        (stepper.player.step_forward, min(1, len(schedule) - 1)),
        (stepper.player.last, len(schedule) - 1),
    ):
        move()
        selection = page.selection.selection
        q_block, _, kv_block = schedule[step].tolist()
        assert [selection.get(name) for name in ("step", "q_block", "kv_block")] == [step, q_block, kv_block]
        assert 0 <= selection.get("row") < params.seq_len
        assert not stepper.schedule.is_empty
    image = stepper.schedule.grab().toImage()
    colours = {image.pixel(x, y) for x in range(image.width()) for y in range(image.height())}
    assert QColor(themes.current().tiles["current"]).rgb() in colours, "the current tile is framed"
