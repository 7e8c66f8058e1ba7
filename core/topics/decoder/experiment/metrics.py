"""Named numbers of a run, each with its unit and how it was obtained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.comparison import ErrorCheck
from core.contracts.result import Metric, Provenance
from core.topics.decoder.experiment.checks import Checks
from core.topics.decoder.experiment.influence import GradientFlow, TokenChanges
from core.topics.decoder.experiment.weights import LONGEST_TRAINED, Trained
from core.topics.decoder.inputs import Inputs
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import Plan
from core.topics.decoder.result import Attention, Prediction

Metrics = dict[str, Metric]


def modelled(planned: Plan) -> Metrics:
    """Parameters and FLOPs by part."""
    metrics = {
        "parameters": _modelled(planned.parameters, "", "trainable, of all layers"),
        "flops": _modelled(planned.flops, "FLOP", "matrix products of one pass"),
        "embedding.elements": _modelled(planned.embedding_elements, "", "fixed, and tied to the logits"),
    }
    for part in planned.parts:
        prefix = f"{part.stack}.{part.part}"
        metrics[f"{prefix}.parameters"] = _modelled(part.parameters, "", part.label)
        metrics[f"{prefix}.flops"] = _modelled(part.flops, "FLOP", part.label)
    for stack in ("encoder", "decoder"):
        mine = [part.parameters for part in planned.parts if part.stack == stack and part.part != "output"]
        if mine:
            metrics[f"{stack}.parameters"] = _modelled(sum(mine), "", "layers of the stack")
    return metrics


def training(params: DecoderParams, trained: Trained) -> Metrics:
    """What the training took and reached; nothing for random weights."""
    if trained.losses is None or trained.accuracy is None:
        return {}
    how = Provenance.MEASURED_CPU
    note = f"tokens of 512 new sequences of 2 to {LONGEST_TRAINED} tokens, teacher forcing, encoder-decoder"
    return {
        "training.steps": Metric(float(params.training_steps), "steps", how),
        "training.seconds": Metric(trained.seconds, "s", how, "of the training; a later run reuses its weights"),
        "training.loss": Metric(float(trained.losses[-1]), "nats", how, "per token, last step"),
        "accuracy.held_out": Metric(trained.accuracy, "", how, note),
    }


def attention(attentions: Mapping[str, Attention], visible: Mapping[str, int], device: str) -> Metrics:
    """Bytes of each attention, and how far its rows of probabilities are from summing to 1."""
    metrics = {}
    for name, attention in attentions.items():
        moved = {
            "read": sum(row.read_bytes for row in attention.traffic),
            "written": sum(row.written_bytes for row in attention.traffic),
        }
        for direction, count in moved.items():
            metrics[f"{name}.{direction}_bytes"] = Metric(float(count), "bytes", Provenance.TRACED, "of its kernel")
        _, query_len, key_len = attention.probabilities.shape
        error = float(np.abs(attention.probabilities.sum(-1) - 1).max())
        note = "probabilities from the kernel's log-sum-exp"
        metrics[f"{name}.row_sum_error"] = Metric(error, "", _kernel(device), note)
        metrics[f"{name}.query_len"] = Metric(float(query_len), "tokens", Provenance.TRACED)
        metrics[f"{name}.key_len"] = Metric(float(key_len), "tokens", Provenance.TRACED, "pads included")
        metrics[f"{name}.visible_keys"] = Metric(float(visible[name]), "tokens", Provenance.TRACED, "pads left out")
    return metrics


def checks(compared: Checks, device: str) -> Metrics:
    """Differences from torch.nn and from float64, and of what torch's cross-attention is given from our tensors."""
    metrics = {}
    for check in compared.checks:
        what = "torch" if check.what == "torch.nn" else check.what
        against = "float64" if check.against == "float64" else "torch"
        # torch.nn's own error is PyTorch's; the others come through the project's kernel.
        how = _measured(device) if what == "torch" else _kernel(device)
        metrics[f"{what}.error_{against}"] = Metric(
            check.max_abs_error, "", how, f"largest difference from {check.against}; allowed {check.limit:.2g}"
        )
    note = "largest difference of what torch's cross-attention is given from "
    for name, value in compared.arguments.items():
        source = {"query": "the stream after masked self-attention", "query_embedding": "the embedded target"}
        metrics[f"torch_cross.{name}_error"] = Metric(value, "", _kernel(device), note + source.get(name, "the memory"))
    return metrics


def predictions(rows: Sequence[Prediction], device: str) -> Metrics:
    """How often the most probable token is the next one of the typed target."""
    right = sum(row.is_right for row in rows)
    return {
        "accuracy.typed": Metric(right / len(rows), "", _kernel(device), f"{right} of {len(rows)} tokens of the target")
    }


def alignment(weight: float | None, device: str) -> Metrics:
    if weight is None:
        return {}
    note = "mean probability on the token to be written, in the best head"
    return {"cross.weight_on_wanted": Metric(weight, "", _kernel(device), note)}


def perturbation(planned: Plan, moved: Mapping[str, np.ndarray], device: str) -> Metrics:
    """How many positions the chosen change moved, and whether any moved that the masks forbid."""
    last = planned.end.id
    forbidden = sum(int((moved[name][~allowed] != 0).sum()) for name, allowed in planned.reach.items())
    cells = sum(int((~allowed).sum()) for allowed in planned.reach.values())
    how = _kernel(device)
    return {
        "perturbation.positions": Metric(float((moved[last] != 0).sum()), "", how, f"of the {last}, moved"),
        "perturbation.forbidden_cells": Metric(float(cells), "", how, "(tensor, position) out of reach by the masks"),
        "perturbation.forbidden_moved": Metric(float(forbidden), "", how, "of those, moved at all"),
    }


def influence(changes: TokenChanges, inputs: Inputs, device: str) -> Metrics:
    """Counts of (changed token, looked-at position) pairs, and of those that moved at all."""
    target, source = changes.influence.target, changes.influence.source
    counts: dict[str, tuple[int, int]] = {}
    if target is not None:
        past = np.triu(np.ones(target.shape, dtype=bool))  # row: changed token; column: looked-at position
        counts["future"] = _moved_cells(target[~past])
        counts["past"] = _moved_cells(target[past])
    if source is not None:
        seen = inputs.source_visible
        columns = slice(None) if target is not None else slice(seen)
        counts["source"] = _moved_cells(source[:seen, columns])
        counts["pads"] = _moved_cells(source[seen:, columns])
    metrics = {}
    for name, (cells, moved) in counts.items():
        note = "(token replaced, position looked at)"
        metrics[f"{name}.cells"] = Metric(float(cells), "pairs", _measured(device), note)
        metrics[f"{name}.changed"] = Metric(float(moved), "pairs", _measured(device), f"{note}, moved at all")
    if changes.self_attention is not None:
        metrics["source.decoder_self_changed"] = Metric(
            float(changes.self_attention.sum()), "", _measured(device), "positions of the masked self-attention"
        )
    return metrics


def swaps(changes: Mapping[str, Mapping[str, float]], device: str) -> Metrics:
    """Largest change of the cross-attention's Q, K and V by what was replaced."""
    what = {"memory": "only the memory replaced", "stream": "only the decoder's tokens replaced"}
    return {
        f"{swap}_swap.{letter}_change": Metric(change, "", _measured(device), what[swap])
        for swap, by_letter in changes.items()
        for letter, change in by_letter.items()
    }


def gradients(flow: GradientFlow, device: str) -> Metrics:
    """Norms by path, and the two comparisons."""
    how = _measured(device)
    note = "norm of d(g · output) / d(memory), float64"
    metrics = {
        f"gradient.{path.replace(' ', '')}": Metric(norm, "", how, note) for path, norm in flow.gradient.norms.items()
    }
    metrics["gradient.sum_error"] = Metric(flow.sum_error, "", how, "k + v against the whole, relative, float64")
    metrics["gradient.torch_error"] = Metric(
        flow.torch_error, "", how, "the whole against torch.nn.TransformerDecoderLayer, relative, float64"
    )
    return metrics


def variant(planned: Plan, checks: Sequence[ErrorCheck], launches: int, own_launches: int, device: str) -> Metrics:
    """The decoder-only block beside the one asked for."""
    error = next(check.max_abs_error for check in checks if check.what == "block")
    mine = [part.parameters for part in planned.parts if part.stack == "decoder" and part.part != "output"]
    note = "kernels of attention launched by the decoder's block"
    return {
        "block.attentions": Metric(float(own_launches), "", Provenance.TRACED, note),
        "decoder_only.attentions": Metric(float(launches), "", Provenance.TRACED, note),
        "decoder_only.parameters": _modelled(sum(mine), "", "of the block"),
        "decoder_only.error_torch": Metric(
            error, "", _kernel(device), "against torch.nn.TransformerEncoderLayer under a causal mask"
        ),
    }


def shorter(inputs: Inputs, checks: Sequence[ErrorCheck], device: str) -> Metrics:
    """The same texts with the last target token left out, as one step earlier in writing."""
    assert inputs.target is not None  # a decoder reads something
    error = next(check.max_abs_error for check in checks if check.what == "block")
    note = "the last target token left out"
    return {
        "shorter.query_len": Metric(float(len(inputs.target)), "tokens", Provenance.TRACED, note),
        "shorter.error_torch": Metric(error, "", _kernel(device), f"{note}: against torch.nn.TransformerDecoderLayer"),
    }


def _moved_cells(cells: np.ndarray) -> tuple[int, int]:
    return cells.size, int((cells != 0).sum())


def _modelled(value: float, unit: str, note: str = "") -> Metric:
    return Metric(float(value), unit, Provenance.MODELLED, note)


def _measured(device: str) -> Provenance:
    return Provenance.MEASURED if device.startswith("cuda") else Provenance.MEASURED_CPU


def _kernel(device: str) -> Provenance:
    """What came through the flash kernel: executed by the TTIR interpreter on a CPU."""
    return Provenance.MEASURED if device.startswith("cuda") else Provenance.TRACED
