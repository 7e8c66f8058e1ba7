"""Prefix methods on models with sliding windows, grouped heads and head sizes of their own, and with checkpointing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.contracts.claims import Verdict
from core.language_model.torch_state import torch_threads
from core.topics.fine_tuning.claims import prefix_stands_first
from core.topics.fine_tuning.experiment import opening
from core.topics.fine_tuning.plan import plan
from core.topics.fine_tuning.result import FineTuningResult
from gui.pages.fine_tuning import mask_pages
from tests.language_model.model_folders import model_folder
from tests.same_result import same
from tests.topics.fine_tuning_runs import finished, messages, quick

PREFIXES = "prefix-tuning, p-tuning-v2"


@pytest.fixture(scope="module", autouse=True)
def small_and_single(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch, torch_threads(1):
        patch.setattr(opening, "HELD_OUT_ROWS", 2)
        yield


def trained(folder: Path, kind: str, **changes: Any) -> FineTuningResult:
    params = {"methods": PREFIXES, "steps": 2, "exact_match_rows": 1, "samples": 1, "virtual_tokens": 12}
    return finished(quick(model=str(model_folder(folder, kind)), **params | changes))[0]


@pytest.mark.parametrize(
    ("kind", "cut", "stored"), [("gemma3_text", [0], 5), ("qwen3", [0], 12), ("mistral", [0, 1], 12)]
)
def test_that_layers_whose_window_cuts_the_prefix_are_named_and_drawn_apart(
    kind: str, cut: list[int], stored: int, tmp_path: Path
) -> None:
    result = trained(tmp_path, kind)
    assert not [text for text in messages(result) if "stack expects" in text or "left out" in text]
    method = result.method("p-tuning-v2")
    assert method.summary is not None
    assert method.summary.steps == 2
    assert sorted(layer for mask in method.window_masks for layer in mask.layers) == cut
    assert {mask.stored for mask in method.window_masks} == {stored}
    assert all(mask.cuts(12) for mask in method.window_masks)
    assert method.attention_to_prefix.shape[:2] == (2, 4)
    assert any(
        f"in layers {', '.join(map(str, cut))} a sliding window" in t.replace(" and ", ", ") for t in messages(result)
    )
    assert prefix_stands_first(result).verdict is Verdict.HOLDS_WITH_LIMIT
    names = [page.name for page in mask_pages.pages(plan(result.params), result, "p-tuning-v2")]
    assert names[-1] == "attention, window"
    assert ("attention" in names) == (len(cut) == 1)
    assert same(FineTuningResult.from_bytes(result.to_bytes()), result)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_that_grouped_heads_and_odd_head_sizes_hold_a_prefix(kind: str, tmp_path: Path) -> None:
    result = trained(tmp_path, kind, virtual_tokens=4)
    method = result.method("p-tuning-v2")
    assert method.vectors[0].shape == {"llama": (2, 4, 1, 6), "gpt2": (2, 4, 4, 9)}[kind]
    assert not method.window_masks
    assert prefix_stands_first(result).verdict is Verdict.HOLDS


def test_that_checkpointing_leaves_out_prefixes_in_one_sentence_and_trains_the_others(tmp_path: Path) -> None:
    result = trained(
        tmp_path, "llama", methods="p-tuning-v2, lora, full", gradient_checkpointing=True, rank=2, virtual_tokens=4
    )
    (text,) = [text for text in messages(result) if "P-tuning v2 is left out" in text]
    assert "gradient checkpointing computes layer 0" in text
    assert list(result.methods) == ["full", "lora"]
    plain = trained(tmp_path, "llama", methods="lora, full", rank=2, virtual_tokens=4)
    for method in ("lora", "full"):
        kept, whole = (each.method(method).summary.memory.activations_bytes for each in (result, plain))
        assert kept < whole
        assert result.method(method).losses == pytest.approx(plain.method(method).losses, rel=1e-4)


def test_that_qlora_says_what_stays_unquantized(tmp_path: Path) -> None:
    result = trained(tmp_path, "mixtral", methods="lora, qlora, adalora", target_parameters="all", rank=2)
    assert list(result.methods) == ["lora", "qlora", "adalora"]
    unquantized = result.metrics["qlora.unquantized"]
    assert 0 < unquantized.value < 100
    assert f"{unquantized.value / 100:.0%} stay as they are" in str(unquantized.note)
    assert "embedding and output head" in str(unquantized.note)
    trained_by = {name: result.method(name).summary.trainable_parameters for name in ("lora", "qlora")}
    assert trained_by["lora"] == trained_by["qlora"] > 2 * 2 * 4 * (96 + 32 + 32 + 48)


def test_that_a_dtype_and_a_tied_head_reach_every_method(tmp_path: Path) -> None:
    folder = model_folder(tmp_path, "llama", tie_word_embeddings=True)
    changes = {"methods": "full, lora, qlora", "dtype": "bfloat16", "target_modules": "q_proj, lm_head", "steps": 2}
    result, _ = finished(quick(model=str(folder), exact_match_rows=1, samples=1, **changes))
    assert all(not method.summary.error for method in result.methods.values())
    assert result.method("lora").trained_at["head"] > 0
    assert any("one weight (tied)" in text for text in messages(result))
    planned = plan(result.params)
    assert planned.counts["lora"].trainable_parameters == result.method("lora").summary.trainable_parameters
