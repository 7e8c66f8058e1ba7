"""A result of LoRA in the terms of the plots: the right frame, the right row, nothing made up where nothing is."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from core.topics.lora.params import LoraParams
from core.topics.lora.plan import plan
from core.topics.lora.result import AnsweredRow, LaunchTraffic, LoraResult, RankHistory
from core.topics.lora.triplets import TripletFrames
from gui.pages.lora import view_data
from gui.pages.lora.details import Details
from gui.pages.lora.key_metrics import run_numbers
from tests.gui.pages.lora.lora_result import STRONGEST, WEAKEST, lora_result

PARAMS = LoraParams(steps=60, tinit=10, tfinal=20, delta_t=5, held_out_every=10)
SCORES = ("importance", "sensitivity", "uncertainty")


@pytest.fixture
def result() -> LoraResult:
    return lora_result(PARAMS)


@pytest.fixture
def history(result: LoraResult) -> RankHistory:
    assert result.history is not None
    return result.history


@pytest.fixture
def frames(history: RankHistory) -> TripletFrames:
    assert history.frames is not None
    return history.frames


def test_that_without_a_run_there_is_nothing() -> None:
    early = LoraResult(params=PARAMS)
    assert view_data.rank_grid(early) is None
    assert view_data.loss_series(early) == []
    for result in (None, early):
        assert view_data.spectrum(result, 0) == ([], [])
        assert view_data.text_samples(result) == ([], [])
        assert view_data.traffic(result) == ([], [])


@pytest.mark.parametrize("early", [None, LoraResult(params=PARAMS)])
def test_that_without_a_run_no_matrix_has_triplets_or_pictures(early: LoraResult | None, qtbot: Any) -> None:
    details = Details()
    qtbot.addWidget(details)
    for index, picture in enumerate((details.triplets, details.pictures)):
        details.show_picture(index)
        details.draw(plan(PARAMS), early, 0, 1)
        assert picture.is_empty


def test_that_the_grid_is_the_runs_and_allocations_are_counted_from_one(
    result: LoraResult, history: RankHistory
) -> None:
    grid = view_data.rank_grid(result)
    assert grid is not None
    assert (grid.rows, grid.done, grid.columns, grid.x_range) == (28, 60, 60, (0.5, 60.5))
    assert (grid.values == history.ranks.T).all()
    assert grid.groups[7] == "L1"
    assert grid.names[STRONGEST] == "up_proj"
    for step in map(int, grid.edge_marks):
        assert (history.ranks[step - 1] != history.ranks[step - 2]).any()


def test_that_the_scale_of_ranks_names_none_the_target_and_the_start(result: LoraResult) -> None:
    grid = view_data.rank_grid(result)
    assert grid is not None
    assert dict(grid.scale.ticks) == {0: "rank 0", 12: "12 initial", 4: "4 target"}
    assert grid.scale.steps == 13


def test_that_steps_that_are_not_done_have_no_rank_and_are_read_as_such(
    result: LoraResult, history: RankHistory
) -> None:
    grid = view_data.rank_grid(replace(result, history=replace(history, ranks=history.ranks[:20])))
    assert grid is not None
    assert (grid.columns, grid.last_column) == (60, 19)
    assert np.isnan(grid.values[:, 20:]).all()
    assert np.isfinite(grid.values[:, :20]).all()
    assert grid.read(2, 24) == "step 25: not reached yet"


@pytest.mark.parametrize(("step", "frame"), [(1, 1), (2, 2), (60, 60)])
def test_that_triplets_are_those_of_the_frame_at_the_step(
    history: RankHistory, frames: TripletFrames, step: int, frame: int
) -> None:
    triplets = frames.triplets(STRONGEST, step)
    assert (triplets.step, triplets.scored_step) == (frame, frame)
    assert triplets.kept.sum() == history.ranks[frame - 1, STRONGEST]


def test_that_between_two_frames_the_earlier_one_is_shown(frames: TripletFrames) -> None:
    fewer = {item.name: getattr(frames, item.name)[[0, 20, 59]] for item in fields(frames)}
    sparse = TripletFrames(**fewer)
    for step, frame in ((1, 1), (20, 1), (21, 21), (59, 21), (60, 60)):
        assert sparse.triplets(WEAKEST, step).step == frame


def test_that_after_the_last_allocation_the_scores_are_the_last_ones(frames: TripletFrames) -> None:
    gone = {name: getattr(frames, name).copy() for name in SCORES}
    for scores in gone.values():
        scores[40:] = np.nan
    last = replace(frames, **gone).triplets(STRONGEST, 55)
    assert (last.step, last.scored_step) == (55, 40)
    assert np.array_equal(last.importance, frames.importance[39, STRONGEST])
    assert np.array_equal(last.singular_value, frames.singular_value[54, STRONGEST])
    gone["importance"][:] = np.nan
    never = replace(frames, **gone).triplets(STRONGEST, 55)
    assert (never.step, never.scored_step) == (55, 55)
    assert np.isnan(never.importance).all()


def test_that_the_lowest_score_kept_is_said_only_once_something_was_pruned(frames: TripletFrames) -> None:
    before, after = (frames.triplets(WEAKEST, step) for step in (5, 40))
    assert np.isnan(before.lowest_kept)
    assert after.lowest_kept == pytest.approx(frames.importance[39][frames.kept[39]].min())


def test_that_losses_before_the_first_held_out_row_are_named_in_the_legend() -> None:
    first = lora_result(PARAMS, done=5)
    early = replace(first, runs={name: replace(run, held_out_losses=None) for name, run in first.runs.items()})
    assert all(one.in_legend for one in view_data.loss_series(early))
    later = view_data.loss_series(lora_result(PARAMS, done=30))
    assert {one.style for one in later if one.in_legend} == {"rings"}


def test_that_the_budget_is_the_plans_until_the_run_has_its_own(history: RankHistory) -> None:
    planned = view_data.planned_budget(plan(PARAMS))
    assert planned.name == "budget (cubic)"
    assert np.array_equal(planned.y, plan(PARAMS).budget)
    allowed, kept = view_data.budget_series(history)
    assert np.array_equal(allowed.y, history.budget)
    assert np.array_equal(kept.y, history.total_rank)
    assert kept.style == "stairs"


def test_that_marks_stand_where_the_phases_meet() -> None:
    marks = view_data.phase_marks(plan(PARAMS).schedule)
    assert [(mark.x, mark.label) for mark in marks] == [(10.0, "tinit 10"), (40.0, "tfinal from 40")]


def test_that_bytes_of_the_kernels_of_a_variant_are_added_up(result: LoraResult) -> None:
    twice = replace(result, launches=result.launches * 2)
    once, both = view_data.traffic(result)[1], view_data.traffic(twice)[1]
    assert [row.tensor for row in both] == [row.tensor for row in once]
    assert [row.read_bytes for row in both] == [2 * row.read_bytes for row in once]
    assert [key for key, _ in view_data.traffic(result)[0]] == ["unfused", "fused"]


def test_that_tensors_without_a_name_are_intermediate_or_part_of_nf4(result: LoraResult) -> None:
    names = (("unfused", "out_ptr"), ("unfused", "x_ptr"), ("fused nf4", "levels_ptr"), ("fused nf4", "codes of W"),
             ("fused", "W"))  # fmt: skip
    launches = tuple(LaunchTraffic(variant, "mul", tensor, 4, 2, 4) for variant, tensor in names)
    _, moved = view_data.traffic(replace(result, launches=launches))
    assert [(one.kernel, one.tensor, one.read_bytes) for one in moved] == [
        ("unfused", "intermediate", 8), ("fused nf4", "W in NF4", 8), ("fused", "W", 4),
    ]  # fmt: skip


def test_that_samples_leave_out_who_said_nothing() -> None:
    adapters = lora_result(PARAMS.changed(compare_full=False))
    (row,) = adapters.samples
    silent = AnsweredRow(row.row, row.expected, {**row.answers, "full": ""})
    variants, samples = view_data.text_samples(replace(adapters, samples=(silent,)))
    assert [variant.key for variant in variants] == ["before", "lora", "adalora"]
    assert samples[0].expected == "Ada Holm went to Norrby."


def test_that_the_sizes_are_the_plans_and_the_sentence_counts_how_many_times_fewer() -> None:
    made = plan(PARAMS)
    lora, whole = view_data.size_curves(made)
    assert np.array_equal(lora.y, made.parameters_by_rank[1])
    assert set(whole.y.tolist()) == {float(made.preset.parameters)}
    assert f"{made.preset.reduction:,.0f} times fewer" in str(view_data.size_sentence(made))


def test_that_numbers_are_those_of_the_step(result: LoraResult, history: RankHistory) -> None:
    for step in (3, 30, 60):
        values: dict[str, Any] = {number.label: number.value for number in run_numbers(result, history, step)}
        total, allowed = int(history.total_rank[step - 1]), int(history.budget[step - 1])
        assert values["total rank / budget"] == f"{total:,} / {allowed:,}"
        assert values["mean rank"] == f"{total / 28:.3g}"
