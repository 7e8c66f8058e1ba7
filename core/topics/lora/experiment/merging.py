"""What is left of LoRA's update when it is merged into weights of a stored precision."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from core.contracts.result import Metric, Provenance
from core.contracts.text import Text, tr
from core.engine.steps import ProgressCallback
from core.language_model.adapters import is_tied
from core.language_model.data import Batch
from core.topics.lora.experiment.allocator import ADAPTER
from core.topics.lora.experiment.checks import logits_of
from core.topics.lora.experiment.runs import Run
from core.topics.lora.merges import MERGES, MatrixMerge, Merge
from kernels.quantization.api import dequantize, quantize
from kernels.quantization.formats import FormatId
from kernels.quantization.impl import Impl

NF4_BLOCK = 64
_PHASE = tr("merging the update into stored weights")


@dataclass(frozen=True)
class Merged:
    """`matrices` are the merges of every matrix; `logit_errors` the largest |difference| of a logit between merged and
    unmerged weights by merge, relative to the largest logit if that is above 1."""

    matrices: tuple[MatrixMerge, ...]
    logit_errors: dict[Merge, float]


def measure_merges(lora: Run, base: Any, names: Sequence[str], batch: Batch, progress: ProgressCallback) -> Merged:
    """Merges LoRA's update of each matrix in every way of MERGES. Computes in float32, so only the weights differ."""
    model = copy.deepcopy(base).float()
    if is_tied(model):  # merging into a tied head would change the embedding too, which is told elsewhere
        head = model.get_output_embeddings()
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    updates = {name: _update(lora, name) for name in names}
    matrices: list[MatrixMerge] = []
    logit_errors: dict[Merge, float] = {}
    initial = {name: base.get_submodule(name).weight.detach().float() for name in names}
    for done, merge in enumerate(MERGES):
        progress(done, len(MERGES), _PHASE)
        pairs = {name: _weights(merge, initial[name], updates[name]) for name in names}
        matrices += [_compared(name, merge, updates[name], *pairs[name]) for name in names]
        logits = []
        for side in range(2):
            for name in names:
                model.get_submodule(name).weight.data.copy_(pairs[name][side + 1])
            logits.append(logits_of(model, batch))
        unmerged, merged = logits
        logit_errors[merge] = float((merged - unmerged).abs().max()) / max(1.0, float(unmerged.abs().max()))
    return Merged(tuple(matrices), logit_errors)


def merge_metrics(merged: Merged, provenance: Provenance) -> dict[str, Metric]:
    """'merge.{merge}.rounding' (size of the rounding relative to that of the update, over all matrices) and
    'merge.{merge}.logit_error'. Numbers that are NaN or infinite are left out."""
    metrics: dict[str, Metric] = {}
    for merge in MERGES:
        rows = [row for row in merged.matrices if row.merge is merge]
        rounding, update = (math.sqrt(sum(getattr(row, name) ** 2 * row.elements for row in rows)) for name in _SIZES)
        worst = max(rows, key=lambda row: row.rounding_share)
        note = tr(
            "{merge}: size of the rounding divided by that of the update; largest in {name}, {share:.3g}",
            merge=merge.label,
            name=worst.name,
            share=worst.rounding_share,
        )
        values = {
            "rounding": (rounding / update if update else math.nan, note),
            "logit_error": (
                merged.logit_errors[merge],
                tr("{merge}: relative to the largest logit", merge=merge.label),
            ),
        }
        for name, (value, text) in values.items():
            if math.isfinite(value):
                metrics[f"merge.{merge.value}.{name}"] = Metric(value, "", provenance, text)
    return metrics


_SIZES = ("rounding", "update")


def swallowed_notices(merged: Merged) -> list[Text]:
    """One sentence for each merge whose rounding is at least as large as the update in some matrix."""
    texts = []
    for merge in MERGES:
        rows = [row for row in merged.matrices if row.merge is merge]
        swallowed = [row for row in rows if row.is_swallowed]
        if swallowed:
            texts.append(
                tr(
                    "{merge}: in {count} of {total} matrices, such as {name}, rounding is at least as large as the "
                    "update and swallows it.",
                    count=len(swallowed),
                    merge=merge.label,
                    total=len(rows),
                    name=swallowed[0].name,
                )
            )
    return texts


def _weights(merge: Merge, weight: torch.Tensor, update: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """(base, unmerged, merged) weights in float32: the stored base, base plus update, and what is stored of that."""
    if merge in (Merge.BF16, Merge.FP16):
        dtype = torch.bfloat16 if merge is Merge.BF16 else torch.float16
        base = _rounded(weight, dtype)
        return base, base + update, _rounded(base + update, dtype)
    base = _in_nf4(weight)
    unmerged = base + update
    if merge is Merge.NF4:
        return base, unmerged, _in_nf4(unmerged)
    if merge is Merge.DEQUANTIZED:
        return base, unmerged, _rounded(unmerged, torch.bfloat16)
    return base, unmerged, _rounded(_rounded(weight, torch.bfloat16) + update, torch.bfloat16)


def _compared(
    name: str, merge: Merge, update: torch.Tensor, base: torch.Tensor, unmerged: torch.Tensor, merged: torch.Tensor
) -> MatrixMerge:
    squares = float(update.double().square().sum())
    arrived = float(((merged - base).double() * update.double()).sum())
    return MatrixMerge(
        name=name,
        merge=merge,
        elements=update.numel(),
        update=_rms(update),
        rounding=_rms(merged - unmerged),
        arrives=arrived / squares if squares else 0.0,
        unchanged=float((merged == base).double().mean()),
    )


def _update(lora: Run, name: str) -> torch.Tensor:
    """The update as it is added to the weight, in its orientation, float32 on the CPU."""
    layer = lora.model.base_model.model.get_submodule(name)
    with torch.no_grad():
        update: torch.Tensor = layer.get_delta_weight(ADAPTER).detach().float()
    return update


def _rounded(weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return weight.to(dtype).float()


def _in_nf4(weight: torch.Tensor) -> torch.Tensor:
    quantized = quantize(weight.contiguous(), format=FormatId.NF4, block_size=NF4_BLOCK, impl=Impl.TORCH)
    return dequantize(quantized, dtype=torch.float32, impl=Impl.TORCH)


def _rms(values: torch.Tensor) -> float:
    return float(values.double().square().mean().sqrt())
