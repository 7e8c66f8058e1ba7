"""Checks: adapters change nothing at the start, merging changes nothing, and peft follows the formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from core.contracts.text import Text, tr
from core.language_model.data import Batch
from core.language_model.torch_state import evaluating
from core.topics.lora.experiment.allocator import Recorder
from core.topics.lora.experiment.runs import Run
from core.topics.lora.matrices import Matrix
from core.topics.lora.params import LoraParams
from core.topics.lora.result import Check

MERGED_LIMIT = 1e-5
"""Limit for the error of a logit, relative to the largest logit if that is above 1. float32 has about seven digits."""

IMPORTANCE_LIMIT = 1e-5


def check(what: Text, value: float, limit: float) -> Check:
    """A check that passes up to `limit`. A NaN or infinite value fails and becomes None, because JSON has no NaN."""
    finite_value = float(value) if math.isfinite(value) else None
    return Check(what, finite_value, float(limit), bool(value <= limit))


def logits_of(model: Any, batch: Batch) -> torch.Tensor:
    """The logits of all tokens except padding, float32 [tokens, vocabulary] on the CPU."""
    on_device = batch.to(model.device)
    with evaluating(model):
        logits = model(input_ids=on_device.input_ids, attention_mask=on_device.attention_mask, use_cache=False).logits
    token_logits: torch.Tensor = logits[on_device.attention_mask.bool()].float().cpu()
    return token_logits


def largest_start_change(run: Run, base_logits: torch.Tensor, batch: Batch) -> float:
    """The largest change of a logit caused by untrained adapters."""
    return float((logits_of(run.model, batch) - base_logits).abs().max())


def merge_error(run: Run, batch: Batch) -> tuple[float, float]:
    """The largest |difference| of a logit between merged and unmerged weights, and the largest |logit|.

    The model stays unmerged afterwards; its weights are unchanged except for rounding.
    """
    unmerged = logits_of(run.model, batch)
    run.model.merge_adapter()
    try:
        merged = logits_of(run.model, batch)
    finally:
        run.model.unmerge_adapter()
    return float((merged - unmerged).abs().max()), float(unmerged.abs().max())


def count_checks(
    params: LoraParams, runs: Sequence[Run], matrices: Sequence[Matrix], expert_sides: int = 0
) -> list[Check]:
    """peft's count of trainable parameters against the count from the shapes. `expert_sides` are the parameters per
    rank of LoRA's adapters on 3-D parameters."""
    expected = {
        "lora": sum(matrix.lora_parameters(params.target_r) for matrix in matrices) + params.target_r * expert_sides,
        "adalora": sum(matrix.adalora_parameters(params.init_r) for matrix in matrices),
    }
    return [
        check(
            tr("{run}: trainable parameters, PEFT's count against the shapes", run=run.label),
            abs(run.model.get_nb_trainable_parameters()[0] - expected[run.id]),
            0,
        )
        for run in runs
        if run.id in expected
    ]


def allocator_checks(recorder: Recorder) -> list[Check]:
    """peft's allocator against the formulas at every step so far."""
    differences = recorder.differences
    rows = []
    if differences.compared:
        rows = [
            check(tr("AdaLoRA: budget, PEFT against the cubic schedule (triplets)"), differences.budget, 0),
            check(
                tr(
                    "AdaLoRA: sensitivity and uncertainty, PEFT against the formulas in {steps} steps (relative)",
                    steps=differences.compared,
                ),
                differences.importance,
                IMPORTANCE_LIMIT,
            ),
        ]
    if differences.allocations:
        rows.append(
            check(
                tr(
                    "AdaLoRA: triplets kept, PEFT against the formulas in {allocations} allocations (differences)",
                    allocations=differences.allocations,
                ),
                differences.triplets,
                0,
            )
        )
    return rows
