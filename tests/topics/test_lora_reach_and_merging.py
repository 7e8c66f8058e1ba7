"""The lora page on models that adapters do not reach whole, and what merging, saving and dtypes do to an adapter."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.contracts.claims import Verdict
from core.contracts.errors import InvalidParams
from core.language_model.adapters import NonFiniteLoss, fused_experts
from core.language_model.model import build_model
from core.language_model.model_config import TINY
from core.language_model.torch_state import torch_threads
from core.topics.lora.claims.adalora import at_the_same_budget
from core.topics.lora.claims.lora import merges_exactly
from core.topics.lora.experiment import merging
from core.topics.lora.merges import MERGES, MatrixMerge, Merge
from core.topics.lora.params import LoraParams
from core.topics.lora.plan import plan
from core.topics.lora.result import LoraResult
from core.topics.lora.schedule import total_step_mismatch
from tests.language_model.model_folders import model_folder
from tests.same_result import same
from tests.topics.lora_runs import finished, messages

SHORT = {"steps": 10, "tinit": 2, "tfinal": 3, "delta_t": 2, "batch": 2, "held_out_every": 10, "compare_full": False}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("mixtral"), "mixtral")


@pytest.fixture(scope="module")
def on_experts(mixture: Path) -> LoraResult:
    return finished(model=str(mixture), target_parameters="all", **SHORT)[0]


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(model_folder(tmp_path_factory.mktemp("tied"), "llama", tie_word_embeddings=True))


@pytest.fixture(scope="module")
def on_head(tied: str) -> LoraResult:
    """A model with its tied head adapted, in bfloat16."""
    return finished(model=tied, target_modules="q_proj, lm_head", dtype="bfloat16", **SHORT)[0]


def test_that_a_budget_that_never_arrives_or_arrives_too_early_is_said() -> None:
    never = LoraParams.parse({"steps": 100, "total_step": 1000})
    assert "never arrives" in str(total_step_mismatch(never))
    assert "step 900" in str(total_step_mismatch(never))
    assert plan(never).schedule.final_budget > plan(never).schedule.target
    early = LoraParams.parse({"steps": 1000, "total_step": 300})
    assert "too early" in str(total_step_mismatch(early))
    assert "step 200" in str(total_step_mismatch(early))
    assert "50 of the 100 final steps" in str(total_step_mismatch(LoraParams.parse({"steps": 250, "total_step": 300})))
    for fits in ({}, {"total_step": 300}, {"total_step": 900, "call_update": False}, {"total_step": 900, "init_r": 4}):
        assert not total_step_mismatch(LoraParams.parse(fits))


def test_that_a_schedule_of_a_hundred_thousand_steps_is_planned_without_a_run() -> None:
    planned = plan(LoraParams.parse({"steps": 100_000, "tinit": 5_000, "tfinal": 20_000, "delta_t": 100}))
    assert planned.budget.size == 100_000
    assert planned.budget[-20_001] == planned.schedule.target
    assert not planned.total_step_mismatch
    assert plan(LoraParams.parse({"total_step": 100_000})).budget.size == 100_000


@pytest.mark.parametrize(("total", "ranks"), [(14, "early"), (60, "never")])
def test_that_peft_does_with_another_total_step_what_the_plan_says(total: int, ranks: str, tied: str) -> None:
    found = finished(model=tied, total_step=total, **SHORT | {"steps": 24, "target_modules": "q_proj"})[0]
    assert found.history is not None
    assert found.history.total_rank[-1] == found.schedule.final_budget == found.value("budget.final")
    assert any(ranks in text for text in messages(found))
    assert all(row.passed for row in found.checks), found.checks
    assert found.value("budget.arrives") == total - 3
    if ranks == "never":
        assert at_the_same_budget(found).verdict is Verdict.NOT_TESTED


def test_that_experts_that_target_modules_cannot_reach_are_named_with_their_share(mixture: Path) -> None:
    params = LoraParams.parse({"model": str(mixture), "target_modules": "w1"})
    planned = plan(params)
    assert planned.blames == "target_modules"
    assert "3-D parameter of fused experts" in str(planned.problem)
    with pytest.raises(InvalidParams, match="only target_parameters reaches"):
        finished(model=str(mixture), **SHORT | {"target_modules": "w1"})
    found, _ = finished(model=str(mixture), **SHORT | {"target_modules": "q_proj"})
    share = found.value("reach.experts")
    assert 10 < share < 90
    (text,) = [text for text in messages(found) if "fused experts" in text]
    assert f"{share / 100:.0%}" in text
    assert "[4, 96, 32] for all 4 experts" in text
    assert "mlp.experts.gate_up_proj" in text
    shares = [metric.value for name, metric in found.metrics.items() if name.startswith("reach.")]
    assert sum(shares) == pytest.approx(100)
    with pytest.raises(InvalidParams, match="3-D parameter of fused experts") as refused:
        finished(model=str(mixture), **SHORT | {"target_modules": "experts.gate_up_proj"})
    assert refused.value.field == "target_modules"
    with pytest.raises(InvalidParams, match=r"one or more of mlp\.experts\.gate_up_proj") as refused:
        finished(model=str(mixture), **SHORT | {"target_parameters": "mlp.experts.nothing"})
    assert refused.value.field == "target_parameters"


def test_that_lora_adapts_experts_by_target_parameters(on_experts: LoraResult) -> None:
    assert "reach.experts" not in on_experts.metrics
    assert all(row.passed for row in on_experts.checks if "trainable parameters" in str(row.what))
    assert on_experts.value("start.max_abs_change") == 0
    assert any("Only LoRA adapts mlp.experts.gate_up_proj" in text for text in messages(on_experts))
    # rank 3 on two layers of four experts: [4, 96, 32] and [4, 32, 48]
    by_matrices = sum(row.lora_params for row in on_experts.matrices)
    assert on_experts.value("lora.trainable") == by_matrices + 2 * 3 * 4 * (96 + 32 + 32 + 48)
    assert {row.run for row in on_experts.saved} == {"lora", "adalora"}


def test_that_a_model_without_experts_refuses_target_parameters(tied: str) -> None:
    with pytest.raises(InvalidParams, match="no 3-D parameters") as refused:
        finished(model=tied, target_parameters="mlp.experts.down_proj", **SHORT)
    assert refused.value.field == "target_parameters"
    assert not fused_experts(build_model(TINY))


def test_that_a_tied_head_is_adapted_and_what_merging_does_to_it_is_told(on_head: LoraResult) -> None:
    assert [row.kind for row in on_head.matrices if row.layer < 0] == ["lm_head"]
    assert str(on_head.matrices[-1].title) == "lm_head"
    assert any("one weight (tied)" in text for text in messages(on_head))
    assert [matrix.name for matrix in plan(on_head.params).matrices] == [row.name for row in on_head.matrices]
    of_small_model = plan(LoraParams.parse({"target_modules": "v_proj, lm_head"})).matrices
    assert (of_small_model[-1].rows, of_small_model[-1].columns) == (1024, 128)
    finding = merges_exactly(on_head)
    assert finding.verdict is Verdict.DOES_NOT_HOLD  # the embedding changes too
    assert "bfloat16" in str(finding.evidence)
    assert "is an embedding" in str(plan(LoraParams.parse({"target_modules": "embed_tokens"})).problem)


def test_that_a_dtype_is_what_the_weights_are_in(on_head: LoraResult) -> None:
    assert on_head.params.dtype == "bfloat16"
    assert all(np.isfinite(run.losses).all() for run in on_head.runs.values())
    assert same(LoraResult.from_bytes(on_head.to_bytes()), on_head)


def test_that_merges_say_how_much_of_the_update_arrives(on_head: LoraResult) -> None:
    assert [row.merge for row in on_head.merges[:: len(on_head.matrices)]] == list(MERGES)
    by_merge = {merge: [row for row in on_head.merges if row.merge is merge] for merge in MERGES}
    for bf16, fp16, nf4 in zip(by_merge[Merge.BF16], by_merge[Merge.FP16], by_merge[Merge.NF4], strict=True):
        assert 0 < fp16.rounding < bf16.rounding < nf4.rounding
        assert bf16.update == nf4.update > 0
    for merge in MERGES:
        assert on_head.value(f"merge.{merge}.rounding") > 0
        assert on_head.value(f"merge.{merge}.logit_error") > 0


def test_that_an_update_smaller_than_rounding_is_swallowed_and_said() -> None:
    weight = torch.linspace(1.0, 1.9, 64 * 8).reshape(8, 64)
    tiny = torch.full_like(weight, 6e-4)  # between 1 and 2, bf16 has steps of 2^-7 and fp16 of 2^-10
    rows = []
    for merge in MERGES:
        rows.append(merging._compared("q_proj", merge, tiny, *merging._weights(merge, weight, tiny)))
    by_merge = {row.merge: row for row in rows}
    swallowed = by_merge[Merge.BF16]
    assert swallowed.is_swallowed
    assert swallowed.unchanged == 1
    assert swallowed.arrives == 0
    assert not by_merge[Merge.FP16].is_swallowed
    texts = merging.swallowed_notices(merging.Merged(tuple(rows), {}))
    assert any(str(text).startswith("bf16: in 1 of 1 matrices, such as q_proj") for text in texts)
    large = replace(swallowed, update=1.0)
    assert not large.is_swallowed
    assert MatrixMerge("q", Merge.BF16, 4, 0.0, 0.0, 0.0, 1.0).rounding_share == 0


def test_that_merging_into_the_original_base_is_off_by_the_error_of_nf4() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(16, 64, generator=generator) * 0.05
    update = torch.randn(16, 64, generator=generator) * 0.05
    into = {merge: merging._compared("m", merge, update, *merging._weights(merge, weight, update)) for merge in MERGES}
    nf4_error = merging._rms(merging._in_nf4(weight) - weight)
    assert into[Merge.ORIGINAL].rounding == pytest.approx(nf4_error, rel=0.05)
    assert into[Merge.DEQUANTIZED].rounding < 0.1 * nf4_error
    assert into[Merge.DEQUANTIZED].arrives == pytest.approx(1, abs=0.01)


def test_that_a_saved_adapter_comes_back_and_what_does_not_is_said(tied: str) -> None:
    found, _ = finished(
        model=tied, target_r=1, **SHORT | {"target_modules": "q_proj, v_proj", "adalora_learning_rate": 0.05}
    )
    lora, adalora = found.saved
    assert (lora.run, lora.empty_tensors, str(lora.resumes)) == ("lora", 0, "")
    assert lora.parameters_before == lora.parameters_after
    assert max(lora.max_error, adalora.max_error) < 1e-5
    kept = found.history.ranks[-1]
    assert adalora.triplets == kept.sum() == found.value("budget.final")
    assert adalora.empty_tensors == 3 * int((kept == 0).sum())
    assert adalora.parameters_after < adalora.parameters_before
    assert "cannot go on pruning" in str(adalora.resumes)
    assert str(adalora.resumes) in messages(found)


def test_that_float16_says_why_a_loss_is_nan(tied: str) -> None:
    found, _ = finished(
        model=tied, dtype="float16", **SHORT | {"compare_full": True, "target_modules": "q_proj", "learning_rate": 1.0}
    )
    stopped = [str(run.error) for run in found.runs.values() if run.error]
    assert all("float16" in text or "65,504" in text for text in stopped)
    damaged = NonFiniteLoss(3, float("nan"), "float16", "model.norm.weight")
    assert "left model.norm.weight NaN or infinite" in str(damaged.text)
    assert "exceeded 65,504" in str(NonFiniteLoss(3, float("inf"), "float16").text)
    assert "float16" not in str(NonFiniteLoss(3, float("nan")).text)


def test_that_a_weight_beyond_float16_is_counted_when_the_model_is_opened(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    opening = import_module("core.language_model.opening")
    folder = model_folder(tmp_path, "llama")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, :5] = 1e5
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    opened = opening.open_model(str(folder), "float16", TINY, lambda *_: None)
    assert "5 weights of the model are NaN or infinite in float16" in str(opened.notice)
    assert opened.model.dtype is torch.float16
    assert not opening.open_model(str(folder), "bfloat16", TINY, lambda *_: None).notice
