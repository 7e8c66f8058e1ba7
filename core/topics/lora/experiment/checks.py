"""What must be so: no change at the start, merging changes nothing, and peft does what the formulas say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from core.language_model.data import Batch
from core.language_model.torch_state import evaluating
from core.topics.lora.experiment.allocator import Recorder
from core.topics.lora.experiment.runs import Run
from core.topics.lora.matrices import Matrix
from core.topics.lora.params import LoraParams
from core.topics.lora.result import Check

MERGED_LIMIT = 1e-5
"""Of the logits, over the largest of them where that is above 1: float32 keeps seven digits."""

IMPORTANCE_LIMIT = 1e-5


def check(what: str, value: float, limit: float) -> Check:
    """`value` is None, and the check failed, where it is no number: JSON has none of those."""
    shown = float(value) if math.isfinite(value) else None
    return Check(what, shown, float(limit), bool(value <= limit))


def logits_of(model: Any, batch: Batch) -> torch.Tensor:
    """[tokens, vocabulary] float32 on the CPU, padding left out."""
    moved = batch.to(model.device)
    with evaluating(model):
        logits = model(input_ids=moved.input_ids, attention_mask=moved.attention_mask, use_cache=False).logits
    chosen: torch.Tensor = logits[moved.attention_mask.bool()].float().cpu()
    return chosen


def start_change(run: Run, base_logits: torch.Tensor, batch: Batch) -> float:
    """The largest change of a logit by adapters that nothing was trained of yet."""
    return float((logits_of(run.model, batch) - base_logits).abs().max())


def merge_error(run: Run, batch: Batch) -> tuple[float, float]:
    """The largest |difference| of a logit between merged and unmerged weights, and the largest |logit|.

    Leaves the model unmerged, its weights as they were but for rounding.
    """
    apart = logits_of(run.model, batch)
    run.model.merge_adapter()
    try:
        together = logits_of(run.model, batch)
    finally:
        run.model.unmerge_adapter()
    return float((together - apart).abs().max()), float(apart.abs().max())


def count_checks(params: LoraParams, runs: Sequence[Run], matrices: Sequence[Matrix]) -> list[Check]:
    """Parameters that peft says are trainable, against the count from shapes."""
    expected = {
        "lora": sum(matrix.lora_parameters(params.target_r) for matrix in matrices),
        "adalora": sum(matrix.adalora_parameters(params.init_r) for matrix in matrices),
    }
    return [
        check(
            f"{run.label}: trainable parameters, peft's count against the shapes",
            abs(run.model.get_nb_trainable_parameters()[0] - expected[run.id]),
            0,
        )
        for run in runs
        if run.id in expected
    ]


def allocator_checks(recorder: Recorder) -> list[Check]:
    """peft's allocator against the formulas, at every step so far."""
    seen = recorder.differences
    rows = []
    if seen.compared:
        rows = [
            check("AdaLoRA: budget, peft against the cubic schedule (triplets)", seen.budget, 0),
            check(
                f"AdaLoRA: sensitivity and uncertainty, peft against the formulas in {seen.compared} steps (relative)",
                seen.importance,
                IMPORTANCE_LIMIT,
            ),
        ]
    if seen.allocations:
        rows.append(
            check(
                f"AdaLoRA: triplets kept, peft against the formulas in {seen.allocations} allocations (differing)",
                seen.triplets,
                0,
            )
        )
    return rows
