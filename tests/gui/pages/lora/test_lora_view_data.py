"""A result of LoRA in the terms of the plots: the right frame, the right row, nothing made up where nothing is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.contracts.result import Result
from core.topics.lora.model.plan import plan
from core.topics.lora.params import LoraParams
from gui.pages.lora import planned, view_data
from gui.pages.lora.key_metrics import run_numbers
from tests.gui.pages.lora.lora_result import STRONGEST, WEAKEST, lora_result

PARAMS = LoraParams(steps=60, tinit=10, tfinal=20, delta_t=5, held_out_every=10)


@pytest.fixture
def result() -> Result:
    return lora_result(PARAMS.model_dump(mode="json"))


def without(result: Result, *names: str) -> Result:
    arrays = {name: values for name, values in result.arrays.items() if name not in names}
    return replace(result, arrays=arrays)


def test_that_without_a_run_there_is_nothing(result: Result) -> None:
    assert view_data.rank_grid(None) is None
    assert view_data.loss_series(None) == []
    assert view_data.triplets(None, 0, 1) is None
    assert view_data.factors(None, 0) is None
    assert view_data.spectrum(None, 0) == ([], [])
    assert view_data.text_samples(None) == ([], [])
    assert view_data.traffic(None) == ([], [])
    early = replace(result, arrays={}, tables={})
    assert view_data.rank_grid(early) is None
    assert view_data.triplets(early, 0, 1) is None


def test_that_the_grid_is_the_runs_and_allocations_are_counted_from_one(result: Result) -> None:
    grid = view_data.rank_grid(result)
    assert grid is not None
    assert (grid.rows, grid.done, grid.columns, grid.x_range) == (28, 60, 60, (0.5, 60.5))
    assert (grid.values == result.arrays["rank"].T).all()
    assert grid.groups[7] == "L1"
    assert grid.names[STRONGEST] == "up_proj"
    for step in map(int, grid.edge_marks):
        assert (result.arrays["rank"][step - 1] != result.arrays["rank"][step - 2]).any()


def test_that_the_scale_of_ranks_names_none_the_target_and_the_start(result: Result) -> None:
    grid = view_data.rank_grid(result)
    assert grid is not None
    assert dict(grid.scale.ticks) == {0: "rank 0", 12: "12 start", 4: "4 target"}
    assert grid.scale.steps == 13


def test_that_steps_that_are_not_done_have_no_rank_and_are_read_as_such(result: Result) -> None:
    arrays = {**result.arrays, "rank": result.arrays["rank"][:20]}
    grid = view_data.rank_grid(replace(result, arrays=arrays))
    assert grid is not None
    assert (grid.columns, grid.last_column) == (60, 19)
    assert np.isnan(grid.values[:, 20:]).all()
    assert np.isfinite(grid.values[:, :20]).all()
    assert grid.read(2, 24) == "step 25: not done"


@pytest.mark.parametrize(("step", "frame"), [(1, 1), (2, 2), (60, 60)])
def test_that_triplets_are_those_of_the_frame_at_the_step(result: Result, step: int, frame: int) -> None:
    found = view_data.triplets(result, STRONGEST, step)
    assert found is not None
    assert found.title == f"layer 0 up_proj, step {frame}"
    assert found.kept.sum() == result.arrays["rank"][frame - 1, STRONGEST]


def test_that_between_two_frames_the_earlier_one_is_shown(result: Result) -> None:
    some = {name: values[[0, 20, 59]] for name, values in result.arrays.items()
            if name in ("frames", "importance", "sensitivity", "uncertainty", "singular_value", "kept")}  # fmt: skip
    sparse = replace(result, arrays={**result.arrays, **some})
    for step, frame in ((1, 1), (20, 1), (21, 21), (59, 21), (60, 60)):
        found = view_data.triplets(sparse, WEAKEST, step)
        assert found is not None
        assert found.title.endswith(f"step {frame}")


def test_that_after_the_last_allocation_the_scores_are_the_last_ones_and_say_so(result: Result) -> None:
    gone = {name: values.copy() for name, values in result.arrays.items()}
    for name in ("importance", "sensitivity", "uncertainty"):
        gone[name][40:] = np.nan
    found = view_data.triplets(replace(result, arrays=gone), STRONGEST, 55)
    assert found is not None
    assert found.title.endswith("step 55 (scores of step 40)")
    assert np.array_equal(found.importance, result.arrays["importance"][39, STRONGEST])
    assert np.array_equal(found.singular_value, result.arrays["singular_value"][54, STRONGEST])
    gone["importance"][:] = np.nan
    never = view_data.triplets(replace(result, arrays=gone), STRONGEST, 55)
    assert never is not None
    assert never.title.endswith("step 55")
    assert np.isnan(never.importance).all()


def test_that_the_lowest_score_kept_is_said_only_once_something_was_pruned(result: Result) -> None:
    before, after = (view_data.triplets(result, WEAKEST, step) for step in (5, 40))
    assert before is not None
    assert after is not None
    assert np.isnan(before.lowest_kept)
    kept = result.arrays["kept"][39]
    assert after.lowest_kept == pytest.approx(result.arrays["importance"][39][kept].min())


def test_that_losses_before_the_first_held_out_row_are_named_in_the_legend() -> None:
    early = without(lora_result(PARAMS.model_dump(mode="json"), done=5), *(f"held_out.{run}" for run in view_data.RUNS))
    assert all(one.in_legend for one in view_data.loss_series(early))
    later = view_data.loss_series(lora_result(PARAMS.model_dump(mode="json"), done=30))
    assert {one.style for one in later if one.in_legend} == {"rings"}


def test_that_the_budget_is_the_plans_until_the_run_has_its_own(result: Result) -> None:
    planned_budget = plan(PARAMS).budget
    assert [one.name for one in view_data.budget_series(planned_budget, None)] == ["budget (cubic)"]
    allowed, kept = view_data.budget_series(planned_budget, result)
    assert np.array_equal(allowed.y, result.arrays["budget"])
    assert np.array_equal(kept.y, result.arrays["total_rank"])
    assert kept.style == "stairs"


def test_that_marks_stand_where_the_phases_meet() -> None:
    marks = view_data.phase_marks(PARAMS.model_dump())
    assert [(mark.x, mark.label) for mark in marks] == [(10.0, "tinit 10"), (40.0, "tfinal from 40")]


def test_that_bytes_of_the_kernels_of_a_variant_are_added_up(result: Result) -> None:
    twice = replace(result, tables={**result.tables, "kernels": result.tables["kernels"] * 2})
    once, both = view_data.traffic(result)[1], view_data.traffic(twice)[1]
    assert [row.tensor for row in both] == [row.tensor for row in once]
    assert [row.read_bytes for row in both] == [2 * row.read_bytes for row in once]
    assert [key for key, _ in view_data.traffic(result)[0]] == ["unfused", "fused"]


def test_that_tensors_without_a_name_are_said_to_be_in_between_or_part_of_nf4(result: Result) -> None:
    def row(variant: str, tensor: str) -> dict[str, Any]:
        return {"variant": variant, "tensor": tensor, "read_bytes": 4, "written_bytes": 2}

    rows = [row("unfused", "out_ptr"), row("unfused", "x_ptr"), row("fused nf4", "levels_ptr"),
            row("fused nf4", "codes of W"), row("fused", "W")]  # fmt: skip
    _, moved = view_data.traffic(replace(result, tables={"kernels": rows}))
    assert [(one.kernel, one.tensor, one.read_bytes) for one in moved] == [
        ("unfused", "in between", 8), ("fused nf4", "W in NF4", 8), ("fused", "W", 4),
    ]  # fmt: skip


def test_that_samples_leave_out_who_said_nothing() -> None:
    some = lora_result(PARAMS.changed(compare_full=False).model_dump(mode="json"))
    variants, samples = view_data.text_samples(some)
    assert [variant.key for variant in variants] == ["before", "lora", "adalora"]
    assert samples[0].expected == "Ada Holm went to Norrby."


def test_that_the_sizes_are_the_plans_and_the_sentence_counts_how_many_times_fewer() -> None:
    made = plan(PARAMS)
    lora, whole = planned.size_curves(made)
    assert np.array_equal(lora.y, made.parameters_by_rank[1])
    assert set(whole.y.tolist()) == {float(made.preset.parameters)}
    assert f"{made.preset.reduction:,.0f} times fewer" in planned.size_sentence(made)


def test_that_numbers_are_those_of_the_step(result: Result) -> None:
    for step in (3, 30, 60):
        values: dict[str, Any] = {number.label: number.value for number in run_numbers(plan(PARAMS), result, step)}
        total, allowed = (int(result.arrays[name][step - 1]) for name in ("total_rank", "budget"))
        assert values["rank of budget"] == f"{total:,} of {allowed:,}"
        assert values["mean rank"] == f"{total / 28:.3g}"
