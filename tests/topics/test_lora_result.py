"""What a run of lora returns: its triplets by step, its bytes by tensor, and histories of before it was typed."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.comparison import ErrorCheck, ImplResult
from core.contracts.result import Environment, KernelSource, LineTraffic, Message, Metric, Provenance
from core.contracts.text import Text
from core.topics.lora import TOPIC
from core.topics.lora.params import LoraParams
from core.topics.lora.result import (
    AdaptedMatrix,
    Allocation,
    AnsweredRow,
    Check,
    HeldOutPair,
    LaunchTraffic,
    LoraImplResult,
    LoraResult,
    RankChange,
)
from core.topics.lora.triplets import TripletFrames
from tests.same_result import same

PARAMS = LoraParams(steps=3, tinit=0, tfinal=1, init_r=2, target_r=1)
SHAPE = (2, 1, 2)
"""Frames, matrices, triplets."""
SCORES = np.array([[[2.0, 3.0]], [[np.nan, np.nan]]], dtype=np.float32)
KEPT = np.array([[[True, True]], [[False, True]]])


def old_arrays() -> dict[str, np.ndarray]:
    return {
        "loss.lora": np.array([3, 2, 1], np.float32),
        "loss.adalora": np.array([4, 3, 2], np.float32),
        "held_out.lora": np.array([1.5], np.float32),
        "held_out.adalora": np.array([2.5], np.float32),
        "held_out.steps": np.array([3], np.int64),
        "rank": np.array([[2], [2], [1]], np.int16),
        "budget": np.array([2, 1, 1], np.int32),
        "total_rank": np.array([2, 2, 1], np.int32),
        "orthogonality": np.array([0.3, 0.2, 0.1], np.float32),
        "allocated": np.array([False, False, True]),
        "frames": np.array([1, 3], np.int64),
        "importance": SCORES,
        "sensitivity": SCORES / 2,
        "uncertainty": SCORES / 4,
        "singular_value": np.ones(SHAPE, np.float32),
        "kept": KEPT,
        "spectrum.lora": np.ones((1, 2), np.float32),
        "picture.0.w": np.ones((4, 2), np.float32),
        "picture.0.a": np.ones((1, 2), np.float32),
        "picture.0.b": np.ones((4, 1), np.float32),
        "picture.0.ba": np.full((4, 2), 16, np.float32),
    }


OLD_TABLES: dict[str, list[dict[str, Any]]] = {
    "matrices": [
        {"index": 0, "name": "model.layers.0.self_attn.q_proj", "layer": 0, "kind": "q_proj", "rows": 4, "columns": 2,
         "lora_rank": 1, "final_rank": 1, "importance": 2.5, "full_update": None, "energy_in_rank": None,
         "lora_params": 6, "adalora_params": 14},
    ],
    "runs": [
        {"run": "lora", "label": "LoRA", "trainable_parameters": 6, "total_parameters": 60, "share": 0.1,
         "seconds": 2.0, "steps": 3, "steps_per_s": 1.5, "learning_rate": 3e-3, "final_loss": 2.0,
         "held_out_loss": 1.5, "exact_match": 0.5, "error": ""},
        {"run": "adalora", "label": "AdaLoRA", "trainable_parameters": 14, "total_parameters": 60, "share": 0.2,
         "seconds": 2.0, "steps": 3, "steps_per_s": 1.5, "learning_rate": 1e-2, "final_loss": 3.0,
         "held_out_loss": 2.5, "exact_match": None, "error": "Step 4 broke."},
    ],
    "checks": [{"what": "merged", "value": None, "limit": 1e-5, "passed": False}],
    "allocations": [
        {"step": 3, "budget": 1, "before": 2, "after": 1,
         "changed": [{"name": "model.layers.0.self_attn.q_proj", "from": 2, "to": 1}]},
    ],
    "held_out_pairs": [{"run": "adalora", "other": "lora", "loss_difference": 1.0, "stderr": 0.1}],
    "samples": [{"row": "Ada", "wanted": "Ada went.", "before": "Ada is", "lora": "Ada went.", "adalora": "Ada",
                 "full": ""}],
    "kernels": [
        {"variant": "unfused", "function": "mul", "launch": 0, "tensor": "W", "dtype": "bf16", "elements": 8,
         "read_bytes": 16, "written_bytes": 0, "unique_bytes": 16},
    ],
    "comparison": [
        {"impl": "torch", "label": "torch, two products", "runs_on": "cpu", "reason": "", "time_ms": 1.0,
         "time_ms_samples": [1.0, 1.1], "tflops": 0.1, "peak_memory_bytes": None, "max_abs_error": 1e-6,
         "rms_error": 1e-7, "allowed_rms_error": 2e-7, "passed": True, "tokens": 512, "width": 1024, "rank": 16},
    ],
    "agreement": [{"what": "fused", "against": "float64", "max_abs_error": 1e-3, "limit": 2e-3, "passed": True}],
    "lines": [
        {"kernel": "unfused", "function": "mul", "file": "kernels/lora/x.py", "line": 7, "op": "load", "tensor": "W",
         "accesses": 8, "bytes": 16, "masked_share": 0.0},
    ],
    "sources": [
        {"kernel": "unfused", "function": "mul", "file": "kernels/lora/x.py", "first_line": 1, "text": "def mul():",
         "ttir": "module {}"},
    ],
    "messages": [{"severity": "notice", "text": "The model was kept."}],
}  # fmt: skip


def old_bytes(arrays: dict[str, np.ndarray], tables: dict[str, list[dict[str, Any]]]) -> bytes:
    """As results were stored before they were typed."""
    header = {
        "topic": "lora",
        "params": PARAMS.model_dump(mode="json"),
        "environment": {"device": "cpu (x)", "backend": "torch, peft", "versions": {"peft": "1"}},
        "metrics": {"lora.share": {"value": 4.0, "unit": "%", "provenance": "measured (CPU)", "note": ""}},
        "tables": tables,
    }
    buffer = io.BytesIO()
    named: dict[str, Any] = {f"array:{name}": array for name, array in arrays.items()}
    np.savez_compressed(buffer, __result__=np.array(json.dumps(header)), **named)
    return buffer.getvalue()


@pytest.fixture
def opened() -> LoraResult:
    return LoraResult.from_bytes(old_bytes(old_arrays(), OLD_TABLES))


def test_that_an_old_history_opens_with_every_row(opened: LoraResult) -> None:
    assert opened.params == PARAMS
    assert opened.environment == Environment("cpu (x)", "torch, peft", {"peft": "1"})
    assert opened.metrics == {"lora.share": Metric(4.0, "%", Provenance.MEASURED_CPU)}
    name = "model.layers.0.self_attn.q_proj"
    assert opened.matrices == (AdaptedMatrix(name, 0, "q_proj", 4, 2, 1, 1, 2.5, None, None, 6, 14),)
    assert opened.checks == (Check(Text("merged"), None, 1e-5, False),)
    assert opened.held_out_pairs == (HeldOutPair("adalora", "lora", 1.0, 0.1),)
    assert opened.agreement == (ErrorCheck(Text("fused"), Text("float64"), 1e-3, 2e-3, True),)
    assert opened.samples == (
        AnsweredRow("Ada", "Ada went.", {"before": "Ada is", "lora": "Ada went.", "adalora": "Ada", "full": ""}),
    )
    assert opened.launches == (LaunchTraffic("unfused", "mul", "W", 16, 0, 16, launch=0, dtype="bf16", elements=8),)
    (torch_row,) = opened.comparison
    assert isinstance(torch_row, LoraImplResult)
    assert isinstance(torch_row, ImplResult)
    assert (torch_row.impl, torch_row.time_ms_samples, torch_row.width) == ("torch", (1.0, 1.1), 1024)
    assert opened.lines == (LineTraffic("unfused", "mul", "kernels/lora/x.py", 7, "load", "W", 8, 16, 0.0),)
    assert opened.sources == (KernelSource("unfused", "mul", "kernels/lora/x.py", 1, "def mul():", "module {}"),)
    assert opened.messages == (Message("notice", Text("The model was kept.")),)


def test_that_an_old_history_opens_with_every_array(opened: LoraResult) -> None:
    arrays = old_arrays()
    lora, adalora = opened.runs["lora"], opened.runs["adalora"]
    assert (str(lora.label), str(adalora.error)) == ("LoRA", "Step 4 broke.")
    assert (lora.exact_match, adalora.exact_match) == (0.5, None)
    history = opened.history
    assert history is not None
    assert history.frames is not None
    assert history.allocations == (Allocation(3, 1, 2, 1, (RankChange(opened.matrices[0].name, 2, 1),)),)
    (factors,) = opened.factors
    assert (factors.shape, factors.rank, factors.scaling) == ((4, 2), 1, 16.0)
    assert set(factors.pictures) == {"w", "a", "b", "ba"}
    typed = {
        "loss.lora": lora.losses, "loss.adalora": adalora.losses, "held_out.lora": lora.held_out_losses,
        "held_out.adalora": adalora.held_out_losses, "held_out.steps": opened.held_out_steps, "rank": history.ranks,
        "budget": history.budget, "total_rank": history.total_rank, "orthogonality": history.orthogonality,
        "allocated": history.allocated, "frames": history.frames.steps, "importance": history.frames.importance,
        "sensitivity": history.frames.sensitivity, "uncertainty": history.frames.uncertainty,
        "singular_value": history.frames.singular_value, "kept": history.frames.kept,
        "spectrum.lora": opened.spectra["lora"],
    }  # fmt: skip
    typed |= {f"picture.0.{part}": picture for part, picture in factors.pictures.items()}
    assert typed.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(typed[name], array)
        assert typed[name].dtype == array.dtype


def test_that_an_old_history_that_broke_off_opens_and_is_kept_anew(opened: LoraResult) -> None:
    empty = LoraResult.from_bytes(old_bytes({}, {}))
    assert (empty.history, empty.runs, empty.matrices, empty.factors) == (None, {}, (), ())
    for result in (opened, empty):
        assert same(LoraResult.from_bytes(result.to_bytes()), result)


def test_that_after_the_last_allocation_triplets_have_the_last_scores() -> None:
    frames = TripletFrames(np.array([2, 5]), SCORES, SCORES / 2, SCORES / 4, np.ones(SHAPE, np.float32), KEPT)
    assert [frames.triplets(0, step).step for step in (1, 2, 4, 5, 9)] == [2, 2, 2, 5, 5]
    last = frames.triplets(0, 5)
    assert (last.scored_step, last.importance.tolist(), last.kept.tolist()) == (2, [2.0, 3.0], [False, True])
    assert last.lowest_kept == 3.0
    assert np.isnan(frames.triplets(0, 2).lowest_kept)


def test_that_the_public_model_that_is_counted_is_not_of_a_run() -> None:
    result = LoraResult(params=PARAMS)
    changes: dict[str, Any] = {"model_preset": "gpt-3", "preset_rank": 64, "preset_targets": "k_proj"}
    assert result.is_run_of(PARAMS.changed(**changes))
    assert not result.is_run_of(PARAMS.changed(target_r=2))


@pytest.mark.parametrize(
    ("device", "kernels", "backend"),
    [
        ("cuda", True, "CUDA, peft"),
        ("cuda", False, "CUDA, peft"),
        ("cpu", True, "torch, peft, TTIR interpreter (CPU)"),
        ("cpu", False, "torch, peft"),
    ],
)
def test_that_the_environment_says_what_computed(device: str, kernels: bool, backend: str) -> None:
    assert TOPIC.backend(PARAMS.changed(kernels=kernels), device) == backend
    assert TOPIC.packages == ("transformers", "tokenizers", "peft")


def test_that_bytes_of_the_launches_of_a_variant_are_added_up() -> None:
    row = LaunchTraffic("unfused", "mul", "x", 4, 2, 4)
    twice = LoraResult(params=PARAMS, launches=(row, replace(row, launch=1))).traffic
    assert [(moved.tensor, moved.read_bytes, moved.written_bytes) for moved in twice] == [("x", 8, 4)]
