"""The metrics of a run, each with its unit and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.comparison import ErrorCheck
from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, Text, tr
from core.topics.decoder.experiment.checks import Checks
from core.topics.decoder.experiment.influence import GradientFlow, TokenChanges
from core.topics.decoder.experiment.weights import LONGEST_TRAINED, Trained
from core.topics.decoder.inputs import Inputs
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import Plan
from core.topics.decoder.result import BLOCK, FLOAT64, TORCH, Attention, EmptyMemory, Prediction

Metrics = dict[str, Metric]
_MEMORY_NOTE = tr("largest difference between the input of torch's cross-attention and the memory")
_ARGUMENT_NOTES = {
    "query": tr(
        "largest difference between the input of torch's cross-attention and the stream after masked self-attention"
    ),
    "key": _MEMORY_NOTE,
    "value": _MEMORY_NOTE,
    "query_embedding": tr("largest difference between the input of torch's cross-attention and the embedded target"),
}


def modelled(planned: Plan) -> Metrics:
    """Parameters and FLOPs by part."""
    metrics = {
        "parameters": _modelled(planned.parameters, "", tr("trainable, in all layers")),
        "flops": _modelled(planned.flops, "FLOP", tr("matrix products of one pass")),
        "embedding.elements": _modelled(planned.embedding_elements, "", tr("fixed, and tied to the logits")),
    }
    for part in planned.parts:
        prefix = f"{part.stack}.{part.part}"
        metrics[f"{prefix}.parameters"] = _modelled(part.parameters, "", part.label)
        metrics[f"{prefix}.flops"] = _modelled(part.flops, "FLOP", part.label)
    for stack in ("encoder", "decoder"):
        counts = [part.parameters for part in planned.parts if part.stack == stack and part.part != "output"]
        if counts:
            metrics[f"{stack}.parameters"] = _modelled(sum(counts), "", tr("layers of the stack"))
    return metrics


def training(params: DecoderParams, trained: Trained) -> Metrics:
    """Steps, time, loss and accuracy of the training; empty for random weights."""
    if trained.losses is None or trained.accuracy is None:
        return {}
    how = Provenance.MEASURED_CPU
    note = tr(
        "tokens of 512 new sequences of 2 to {longest} tokens, teacher forcing, encoder-decoder",
        longest=LONGEST_TRAINED,
    )
    return {
        "training.steps": Metric(float(params.training_steps), "steps", how),
        "training.seconds": Metric(trained.seconds, "s", how, tr("training time; later runs reuse the weights")),
        "training.loss": Metric(float(trained.losses[-1]), "nats", how, tr("per token, last step")),
        "accuracy.held_out": Metric(trained.accuracy, "", how, note),
    }


def attention(attentions: Mapping[str, Attention], visible: Mapping[str, int], device: str) -> Metrics:
    """Bytes of each attention, its lengths, and how far its rows of probabilities are from summing to 1."""
    metrics = {}
    for name, attention in attentions.items():
        traffic = {
            "read": sum(row.read_bytes for row in attention.traffic),
            "written": sum(row.written_bytes for row in attention.traffic),
        }
        for direction, count in traffic.items():
            metrics[f"{name}.{direction}_bytes"] = Metric(float(count), "bytes", Provenance.TRACED, tr("by its kernel"))
        _, query_len, key_len = attention.probabilities.shape
        if visible[name]:
            error = float(np.abs(attention.probabilities.sum(-1) - 1).max())
            note = tr("probabilities from the log-sum-exp of the kernel")
            metrics[f"{name}.row_sum_error"] = Metric(error, "", _kernel(device), note)
        metrics[f"{name}.query_len"] = Metric(float(query_len), "tokens", Provenance.TRACED)
        metrics[f"{name}.key_len"] = Metric(float(key_len), "tokens", Provenance.TRACED, tr("with padding"))
        metrics[f"{name}.visible_keys"] = Metric(
            float(visible[name]), "tokens", Provenance.TRACED, tr("without padding")
        )
    return metrics


def checks(compared: Checks, device: str) -> Metrics:
    """Differences from torch.nn and from float64, and between torch's cross-attention inputs and our tensors."""
    metrics = {}
    for check in compared.checks:
        what = "torch" if check.what == TORCH else check.what.message
        against = "float64" if check.against == FLOAT64 else "torch"
        # The error of torch.nn is measured; the others come from the project's kernel.
        how = _measured(device) if what == "torch" else _kernel(device)
        metrics[f"{what}.error_{against}"] = Metric(
            check.max_abs_error,
            "",
            how,
            tr("largest difference from {reference}; limit {limit:.2g}", reference=check.against, limit=check.limit),
        )
    for name, value in compared.arguments.items():
        metrics[f"torch_cross.{name}_error"] = Metric(value, "", _kernel(device), _ARGUMENT_NOTES[name])
    return metrics


def predictions(rows: Sequence[Prediction], device: str) -> Metrics:
    """How often the most probable token is the next one of the typed target."""
    correct = sum(row.is_right for row in rows)
    note = tr("{correct} of {total} tokens of the target", correct=correct, total=len(rows))
    return {"accuracy.typed": Metric(correct / len(rows), "", _kernel(device), note)}


def alignment(weight: float | None, device: str) -> Metrics:
    """How much weight the best cross-attention head puts on the token to be written."""
    if weight is None:
        return {}
    note = tr("mean probability on the token to be written, in the best head")
    return {"cross.weight_on_wanted": Metric(weight, "", _kernel(device), note)}


def perturbation(planned: Plan, changes: Mapping[str, np.ndarray], device: str) -> Metrics:
    """How many positions the replaced token changed, and whether any changed that the masks forbid."""
    last = planned.end.id
    forbidden = sum(int((changes[name][~allowed] != 0).sum()) for name, allowed in planned.reach.items())
    cells = sum(int((~allowed).sum()) for allowed in planned.reach.values())
    how = _kernel(device)
    return {
        "perturbation.positions": Metric(
            float((changes[last] != 0).sum()), "", how, tr("changed positions of {tensor}", tensor=last)
        ),
        "perturbation.forbidden_cells": Metric(
            float(cells), "", how, tr("(tensor, position) pairs that the masks forbid")
        ),
        "perturbation.forbidden_moved": Metric(float(forbidden), "", how, tr("forbidden pairs that changed")),
    }


def influence(changes: TokenChanges, inputs: Inputs, device: str) -> Metrics:
    """Counts of (replaced token, output position) pairs, and of those that changed at all."""
    target, source = changes.influence.target, changes.influence.source
    counts: dict[str, tuple[int, int]] = {}
    if target is not None:
        past = np.triu(np.ones(target.shape, dtype=bool))  # row: replaced token; column: output position
        counts["future"] = _cells_and_changed(target[~past])
        counts["past"] = _cells_and_changed(target[past])
    if source is not None:
        visible = inputs.source_visible
        columns = slice(None) if target is not None else slice(visible)
        if visible:
            counts["source"] = _cells_and_changed(source[:visible, columns])
        counts["pads"] = _cells_and_changed(source[visible:, columns])
    metrics = {}
    for name, (cells, changed) in counts.items():
        metrics[f"{name}.cells"] = Metric(
            float(cells), "pairs", _measured(device), tr("(replaced token, output position)")
        )
        metrics[f"{name}.changed"] = Metric(
            float(changed), "pairs", _measured(device), tr("(replaced token, output position), changed")
        )
    if changes.self_attention is not None and inputs.source_visible:
        metrics["source.decoder_self_changed"] = Metric(
            float(changes.self_attention.sum()), "", _measured(device), tr("positions of the masked self-attention")
        )
    return metrics


def empty_memory(rows: Sequence[EmptyMemory], device: str) -> Metrics:
    """Rows with NaN by implementation, where no query sees a key."""
    note = tr("queries that see no key, all heads")
    return {
        f"empty_memory.{row.impl}.nan_rows": Metric(
            float(row.nan_rows), "", _kernel(device) if row.impl == "kernel" else _measured(device), note
        )
        for row in rows
    }


def swaps(changes: Mapping[str, Mapping[str, float]], device: str) -> Metrics:
    """Largest change of the cross-attention's Q, K and V, by the tensor that was replaced."""
    what = {"memory": tr("only the memory replaced"), "stream": tr("only the tokens of the decoder replaced")}
    return {
        f"{swap}_swap.{letter}_change": Metric(change, "", _measured(device), what[swap])
        for swap, by_letter in changes.items()
        for letter, change in by_letter.items()
    }


def gradients(flow: GradientFlow, device: str) -> Metrics:
    """Norms by path, and the comparisons."""
    how = _measured(device)
    note = tr("norm of d(g · output) / d(memory), float64")
    metrics = {
        f"gradient.{path.replace(' ', '')}": Metric(norm, "", how, note) for path, norm in flow.gradient.norms.items()
    }
    metrics["gradient.sum_error"] = Metric(
        flow.sum_error, "", how, tr("sum of both paths against the full gradient, relative, float64")
    )
    metrics["gradient.torch_error"] = Metric(
        flow.torch_error, "", how, tr("full gradient against torch.nn.TransformerDecoderLayer, relative, float64")
    )
    metrics["gradient.kernel_error"] = Metric(
        flow.kernel_error,
        "",
        _kernel(device),
        tr("full gradient by the kernels' backward pass in float32 against float64, relative"),
    )
    metrics["gradient.float32_error"] = Metric(
        flow.float32_error, "", how, tr("full gradient by PyTorch in float32 against float64, relative")
    )
    return metrics


def variant(planned: Plan, checks: Sequence[ErrorCheck], launches: int, own_launches: int, device: str) -> Metrics:
    """The decoder-only block for comparison."""
    error = next(check.max_abs_error for check in checks if check.what == BLOCK)
    counts = [part.parameters for part in planned.parts if part.stack == "decoder" and part.part != "output"]
    note = tr("attention kernels launched by the decoder block")
    return {
        "block.attentions": Metric(float(own_launches), "", Provenance.TRACED, note),
        "decoder_only.attentions": Metric(float(launches), "", Provenance.TRACED, note),
        "decoder_only.parameters": _modelled(sum(counts), "", tr("of the block")),
        "decoder_only.error_torch": Metric(
            error, "", _kernel(device), tr("against torch.nn.TransformerEncoderLayer under a causal mask")
        ),
    }


def shorter(inputs: Inputs, checks: Sequence[ErrorCheck], device: str) -> Metrics:
    """The same texts without the last target token."""
    assert inputs.target is not None  # callers have a decoder
    error = next(check.max_abs_error for check in checks if check.what == BLOCK)
    note = tr("without the last target token")
    return {
        "shorter.query_len": Metric(float(len(inputs.target)), "tokens", Provenance.TRACED, note),
        "shorter.error_torch": Metric(
            error, "", _kernel(device), tr("without the last target token, against torch.nn.TransformerDecoderLayer")
        ),
    }


def _cells_and_changed(cells: np.ndarray) -> tuple[int, int]:
    return cells.size, int((cells != 0).sum())


def _modelled(value: float, unit: str, note: Text = EMPTY) -> Metric:
    return Metric(float(value), unit, Provenance.MODELLED, note)


def _measured(device: str) -> Provenance:
    return Provenance.MEASURED if device.startswith("cuda") else Provenance.MEASURED_CPU


def _kernel(device: str) -> Provenance:
    """Provenance of a value from the flash kernel: on a CPU, the TTIR interpreter executes it."""
    return Provenance.MEASURED if device.startswith("cuda") else Provenance.TRACED
