"""The lora page's model: schedule, importance, counts, and why nothing changes. No torch model is trained here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.language_model.libraries import import_peft
from core.language_model.model import build_model, linear_names
from core.language_model.model_config import STANDARD, TINY
from core.model_presets import GPT_3, PRESETS
from core.topics.lora.matrices import (
    adapted_matrices,
    gpt_3,
    lora_counts,
    lora_parameters,
    small_model_matrices,
    trainable_by_rank,
)
from core.topics.lora.params import LoraParams
from core.topics.lora.plan import check, plan
from core.topics.lora.schedule import Cause, Phase, Schedule, explain_ranks
from core.topics.lora.triplets import SmoothedScores, kept_triplets, spearman, triplet_scores

import_peft()
from peft.tuners.adalora.layer import RankAllocator  # noqa: E402 - after it was imported quietly


@st.composite
def schedules(draw: Any) -> Schedule:
    steps = draw(st.integers(2, 200))
    tinit = draw(st.integers(0, steps - 1))
    tfinal = draw(st.integers(0, steps - 1 - tinit))
    target = draw(st.integers(1, 12))
    first = draw(st.integers(target, 20))
    matrices = draw(st.integers(1, 40))
    delta_t, trained = draw(st.integers(1, 30)), draw(st.integers(1, 300))
    return Schedule(first * matrices, target * matrices, steps, tinit, tfinal, delta_t, trained)


@given(schedules())
def test_that_the_budget_falls_from_the_first_rank_to_the_target_and_never_rises(schedule: Schedule) -> None:
    curve = schedule.curve(schedule.total)
    assert (np.diff(curve) <= 0).all()
    assert schedule.budget(0) == schedule.first
    assert (curve[: schedule.tinit] == schedule.first).all()
    assert (curve[schedule.last_allocation - 1 :] == schedule.target).all()


@given(schedules())
def test_that_budget_and_allocations_are_those_of_peft(schedule: Schedule) -> None:
    theirs = RankAllocator.__new__(RankAllocator)
    theirs.init_bgt, theirs.target_bgt = schedule.first, schedule.target
    theirs.peft_config = SimpleNamespace(
        tinit=schedule.tinit, tfinal=schedule.tfinal, total_step=schedule.total, deltaT=schedule.delta_t
    )
    for step in range(1, schedule.total + 1):
        budget, masks = theirs.budget_schedule(step)
        assert schedule.budget(step) == budget
        # The tuner forces the last one, and afterwards the allocator is not asked any more.
        forced = step == schedule.last_allocation
        assert schedule.allocates(step) == ((masks or forced) and step <= schedule.last_allocation)


@given(schedules(), st.integers(0, 200))
def test_that_the_next_allocation_is_the_first_one_after_a_step(schedule: Schedule, step: int) -> None:
    following = [later for later in schedule.allocations() if later > step]
    assert schedule.next_allocation(step) == (following[0] if following else None)


def test_that_importance_is_that_of_the_paper_written_out_by_hand() -> None:
    weights, gradients = np.array([[2.0, -1.0]]), np.array([[0.5, 3.0]])
    after = SmoothedScores.zeros(weights).updated(weights, gradients, beta1=0.9, beta2=0.8)
    np.testing.assert_allclose(after.sensitivity, [[0.1, 0.3]])  # 0.1 x |w g|
    np.testing.assert_allclose(after.uncertainty, [[0.2 * 0.9, 0.2 * 2.7]])
    np.testing.assert_allclose(after.score, [[0.018, 0.162]])
    scores = triplet_scores(np.array([[1.0, 3.0]]), np.array([[5.0]]), np.array([[2.0], [4.0], [6.0]]))
    np.testing.assert_allclose(scores, [5 + 2 + 4])


@given(st.lists(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), min_size=1, max_size=6), st.integers(0, 48))
def test_that_the_best_of_all_matrices_together_are_kept(values: list[list[float]], budget: int) -> None:
    scores = [np.array(row) for row in values]
    total = sum(map(len, scores))
    masks = kept_triplets(scores, budget)
    everything, mask = np.concatenate(scores), np.concatenate(masks)
    if budget >= total:
        assert mask.all()
        return
    assert mask.sum() <= budget
    if len(set(everything)) == total:
        assert mask.sum() == budget
    if mask.any() and not mask.all():
        assert everything[mask].min() > everything[~mask].max()


def test_that_a_correlation_of_ranks_is_one_minus_one_or_none() -> None:
    assert spearman(np.array([1, 2, 3, 4]), np.array([1, 10, 100, 1000])) == pytest.approx(1)
    assert spearman(np.array([1, 2, 3, 4]), np.array([9, 5, 2, 1])) == pytest.approx(-1)
    assert spearman(np.array([1, 1, 2, 3]), np.array([1, 1, 2, 3])) == pytest.approx(1)
    assert np.isnan(spearman(np.array([4, 4, 4]), np.array([1, 2, 3])))


@pytest.mark.parametrize(
    ("changes", "step", "cause"),
    [
        ({"call_update": False}, 100, Cause.NOT_CALLED),
        ({"init_r": 4}, 100, Cause.NOTHING_TO_PRUNE),
        ({}, 0, Cause.BEFORE_TINIT),
        ({}, 40, Cause.BEFORE_TINIT),
        ({}, 41, Cause.BETWEEN_ALLOCATIONS),
        ({}, 50, Cause.ALLOCATING),
        ({"delta_t": 1000}, 199, Cause.BETWEEN_ALLOCATIONS),
        ({"delta_t": 1000}, 200, Cause.ALLOCATING),
        ({}, 201, Cause.BUDGET_MET),
        ({}, 300, Cause.BUDGET_MET),
    ],
)
def test_that_the_page_explains_why_ranks_stay(changes: dict[str, Any], step: int, cause: Cause) -> None:
    reason = explain_ranks(LoraParams.parse(changes), step)
    assert reason.cause is cause
    assert reason.changes == (cause is Cause.ALLOCATING)
    assert str(reason.sentence).endswith(".")
    assert reason.sentence.in_language("zh").endswith("。")


def test_that_before_the_first_allocation_its_step_is_named() -> None:
    assert "step 50" in explain_ranks(LoraParams(), 12).sentence.in_language("en")
    assert "step 60" in explain_ranks(LoraParams(), 51).sentence.in_language("en")


@pytest.mark.parametrize("config", [TINY, STANDARD])
def test_that_the_matrices_of_the_small_model_are_known_without_torch(config: Any) -> None:
    model = build_model(config)
    expected = [(name, *model.get_submodule(name).weight.shape) for name in linear_names(model)]
    matrices = small_model_matrices(config)
    assert [(matrix.name, matrix.rows, matrix.columns) for matrix in matrices] == expected
    assert [matrix.layer for matrix in matrices] == [layer for layer in range(config.layers) for _ in range(7)]


def test_that_targets_choose_among_the_matrices_as_peft_does() -> None:
    matrices = small_model_matrices(TINY)
    assert adapted_matrices(matrices, ["all"]) == matrices
    assert {matrix.kind for matrix in adapted_matrices(matrices, ["v_proj", "q_proj"])} == {"q_proj", "v_proj"}
    assert len(adapted_matrices(matrices, ["layers.1.self_attn.q_proj"])) == 1
    with pytest.raises(InvalidParams, match=r"'proj'.*q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"):
        adapted_matrices(matrices, ["proj"])


def test_that_gpt_3_is_counted_as_published_and_its_adapter_as_in_the_paper() -> None:
    assert GPT_3.parameters == pytest.approx(175e9, rel=0.003)
    counts = gpt_3()
    assert counts.trainable == 96 * 2 * 2 * 12288 * 4 == 18_874_368
    assert counts.reduction == pytest.approx(9250.9, abs=0.1)
    assert counts.checkpoint_bytes == pytest.approx(35e6, rel=0.08)


@pytest.mark.parametrize("name", PRESETS)
def test_that_parameters_grow_with_the_rank_and_count_every_expert(name: str) -> None:
    architecture = PRESETS[name]
    kinds = tuple(architecture.linear_shapes)
    ranks, parameters = trainable_by_rank(architecture, kinds)
    assert (np.diff(parameters) > 0).all()
    assert parameters[0] * int(ranks[-1]) == parameters[-1]
    assert (
        sum(lora_parameters(architecture, [kind], 3) for kind in kinds) == lora_counts(architecture, kinds, 3).trainable
    )


def test_that_a_plan_counts_what_would_be_trained() -> None:
    lora_plan = plan(LoraParams())
    assert (str(lora_plan.problem), len(lora_plan.matrices)) == ("", 28)
    assert lora_plan.lora_parameters == 4 * 4 * (4 * 256 + 3 * 512)
    assert lora_plan.adalora_parameters == 12 * 4 * (4 * 257 + 3 * 513)
    assert (lora_plan.budget[0], lora_plan.budget[-1]) == (28 * 12, 28 * 4)
    assert [lora_plan.phase(step) for step in (40, 41, 200, 201)] == [
        Phase.WARM_UP,
        Phase.PRUNING,
        Phase.PRUNING,
        Phase.FINAL,
    ]
    assert lora_plan.explain_ranks(201).cause is Cause.BUDGET_MET


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"target_r": 0}, "target_r", "between 1 and 256"),
        ({"init_r": 3}, "init_r", "can only reduce ranks"),
        ({"tinit": 200, "tfinal": 100}, "tinit", "none of the 300 steps"),
        ({"steps": 100}, "tfinal", "use more steps"),
        ({"steps": 10, "tinit": 0, "tfinal": 9}, "tfinal", "before there are any scores: use 8 or less"),
        ({"model_preset": "gpt-3", "preset_targets": "gate_proj"}, "preset_targets", "q_proj, k_proj"),
        ({"preset_targets": " , "}, "preset_targets", "names no matrix"),
    ],
)
def test_that_parameters_that_cannot_be_are_refused_in_a_sentence(
    values: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidParams, match=words) as refused:
        LoraParams.parse(values)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"target_r": 129, "init_r": 129}, "target_r", "its rank is at most 128"),
        ({"init_r": 130}, "init_r", "128 x 128"),
        ({"target_modules": "q_proj, c_attn"}, "target_modules", "'c_attn'.*q_proj, k_proj"),
        ({"target_modules": ","}, "target_modules", "No target module"),
        ({"model": "/nowhere/at/all"}, "model", "no"),
    ],
)
def test_that_what_does_not_fit_the_model_is_refused_and_the_plan_says_so(
    values: dict[str, Any], field: str, words: str
) -> None:
    params = LoraParams.parse(values)
    with pytest.raises(InvalidParams, match=words) as refused:
        check(params)
    assert refused.value.field == field
    lora_plan = plan(params)
    assert lora_plan.blames == field
    assert lora_plan.problem
    assert lora_plan.matrices == ()
    assert len(lora_plan.budget) == params.steps


@pytest.mark.parametrize("change", [{"tfinal": 8}, {"call_update": False}, {"init_r": 4}])
def test_that_a_last_allocation_at_step_1_is_refused_only_where_there_would_be_one(change: dict[str, Any]) -> None:
    LoraParams.parse({"steps": 10, "tinit": 0, "tfinal": 9} | change)


@pytest.mark.parametrize("place", [0, 1])
def test_that_a_correlation_with_what_is_no_number_is_none(place: int) -> None:
    values = [np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])]
    assert spearman(*values) == pytest.approx(0.5)
    values[place][2] = np.nan
    assert np.isnan(spearman(*values))
