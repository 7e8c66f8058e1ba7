"""The seven methods: what each trains, and a suitable learning rate for the small model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.contracts.text import Text, tr, tr_in, verbatim


class MethodId(StrEnum):
    FULL = "full"
    PREFIX_TUNING = "prefix-tuning"
    PROMPT_TUNING = "prompt-tuning"
    P_TUNING_V2 = "p-tuning-v2"
    LORA = "lora"
    QLORA = "qlora"
    ADALORA = "adalora"


@dataclass(frozen=True)
class Method:
    """`where` says where the trainable parameters are. `learning_rate` is AdamW's peak learning rate."""

    id: MethodId
    label: Text
    where: Text
    learning_rate: float


METHODS: dict[MethodId, Method] = {
    method.id: method
    for method in (
        Method(MethodId.FULL, tr_in("method", "Full"), tr("all weights"), 1e-3),
        Method(
            MethodId.PREFIX_TUNING,
            verbatim("Prefix-tuning"),
            tr("keys and values prepended in every layer, produced by an MLP"),
            1e-2,
        ),
        Method(MethodId.PROMPT_TUNING, verbatim("Prompt tuning"), tr("vectors prepended to the embedded input"), 2e-1),
        Method(
            MethodId.P_TUNING_V2,
            verbatim("P-tuning v2"),
            tr("keys and values prepended in every layer, trained directly"),
            3e-1,
        ),
        Method(MethodId.LORA, verbatim("LoRA"), tr("A and B next to the target matrices"), 5e-3),
        Method(
            MethodId.QLORA,
            verbatim("QLoRA"),
            tr("A and B next to the target matrices, which are stored in 4 bits"),
            5e-3,
        ),
        Method(MethodId.ADALORA, verbatim("AdaLoRA"), tr("P, Λ and Q next to the target matrices"), 1e-2),
    )
}
"""In display and training order."""

KEY_VALUE_PREFIX = (MethodId.PREFIX_TUNING, MethodId.P_TUNING_V2)
"""Methods that add keys and values to every layer."""

PROMPTS = (*KEY_VALUE_PREFIX, MethodId.PROMPT_TUNING)
"""Methods that prepend columns to the input and do not change the model's weights."""

ADAPTERS = (MethodId.LORA, MethodId.QLORA, MethodId.ADALORA)
"""Methods that add low-rank factors to matrices."""
