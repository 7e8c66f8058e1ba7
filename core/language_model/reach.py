"""Which share of a model adapters reach, and what stays as it is. Workers only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, Text, listed, sentences, tr, tr_in
from core.language_model.adapters import fused_experts, head_name
from core.language_model.model import linear_names, parameter_count


class PartId(StrEnum):
    ADAPTED = "adapted"
    LINEAR = "linear"
    EXPERTS = "experts"
    EMBEDDING = "embedding"
    OTHER = "other"

    @property
    def label(self) -> Text:
        return _LABELS[self]


_LABELS = {
    PartId.ADAPTED: tr("matrices with adapters"),
    PartId.LINEAR: tr("other linear layers"),
    PartId.EXPERTS: tr("fused experts"),
    PartId.EMBEDDING: tr("embedding and output head"),
    PartId.OTHER: tr("norms, routers and biases"),
}


@dataclass(frozen=True)
class Part:
    """Parameters that adapters treat alike. `share` is 0 to 1 of all parameters of the model; a tied weight counts
    once. `example` is the end of a name of one of them."""

    id: PartId
    parameters: int
    share: float
    example: str


def parts_of(model: Any, adapted: Collection[str], adapted_parameters: Collection[str] = ()) -> list[Part]:
    """The parts of a model without adapters, in the order of PartId, without those that it does not have. `adapted`
    names layers, `adapted_parameters` 3-D parameters."""
    layers, experts = set(linear_names(model)), set(fused_experts(model))
    head = model.get_output_embeddings()
    head_weight = None if head is None else head.weight
    head_is_adapted = head_name(model) in adapted
    total = parameter_count(model)
    counts: dict[PartId, int] = {}
    examples: dict[PartId, str] = {}
    for name, weight in model.named_parameters():
        layer, _, kind = name.rpartition(".")
        if weight is head_weight or weight is model.get_input_embeddings().weight:
            part = PartId.ADAPTED if head_is_adapted and weight is head_weight else PartId.EMBEDDING
        elif name in experts:
            part = PartId.ADAPTED if name in adapted_parameters else PartId.EXPERTS
        elif layer in layers and kind == "weight":
            part = PartId.ADAPTED if layer in adapted else PartId.LINEAR
        else:
            part = PartId.OTHER
        counts[part] = counts.get(part, 0) + weight.numel()
        examples.setdefault(part, ".".join(name.removesuffix(".weight").split(".")[-2:]))
    return [Part(part, counts[part], counts[part] / total, examples[part]) for part in PartId if part in counts]


def reach_metrics(parts: list[Part], provenance: Provenance) -> dict[str, Metric]:
    """'reach.{part}': the share of the parameters in each part, in percent."""
    return {
        f"reach.{part.id.value}": Metric(
            100 * part.share,
            "%",
            provenance,
            tr(
                "{label}: {count:,} parameters, such as {example}",
                label=part.id.label,
                count=part.parameters,
                example=part.example,
            ),
        )
        for part in parts
    }


def experts_notice(parts: list[Part], model: Any) -> Text:
    """What target_modules cannot reach; empty if it reaches everything that it could."""
    experts = next((part for part in parts if part.id is PartId.EXPERTS), None)
    if experts is None:
        return EMPTY
    weights = fused_experts(model)
    names = listed(dict.fromkeys(".".join(name.split(".")[-3:]) for name in weights))
    shape = next(iter(weights.values())).shape
    return sentences(
        tr(
            "Adapters do not reach {share:.0%} of the parameters: the fused experts, which are 3-D parameters "
            "([{shape}] for all {count} experts of a layer) and no linear layers, so target_modules cannot name them.",
            share=experts.share,
            shape=", ".join(map(str, shape)),
            count=shape[0],
        ),
        tr(
            "They stay frozen, and QLoRA does not store them in 4 bits. LoRA adapts them with "
            "target_parameters = {names}.",
            names=names,
        ),
    )


def unquantized_notice(parts: list[Part], model: Any) -> tuple[float, Text]:
    """The share of the parameters that QLoRA does not store in 4 bits (only linear layers inside the blocks are), and
    a sentence that names them."""
    total, quantized = parameter_count(model), 0
    for name in linear_names(model):
        quantized += model.get_submodule(name).weight.numel()
    rest = listed(
        tr_in("unquantized", "{label} {share:.0%}", label=part.id.label, share=part.share)
        for part in parts
        if part.id not in (PartId.ADAPTED, PartId.LINEAR)
    )
    share = 1 - quantized / total
    text = tr(
        "QLoRA stores {quantized:.0%} of the parameters in 4 bits. {share:.0%} stay as they are: {rest}.",
        quantized=1 - share,
        share=share,
        rest=rest,
    )
    return share, text
