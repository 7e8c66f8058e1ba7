"""The seven methods: what each trains, and a suitable learning rate for the small model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.contracts.text import Text, tr


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
    label: str
    where: Text
    learning_rate: float


METHODS: dict[MethodId, Method] = {
    method.id: method
    for method in (
        Method(MethodId.FULL, "Full", tr("every weight"), 1e-3),
        Method(
            MethodId.PREFIX_TUNING,
            "Prefix-tuning",
            tr("keys and values before those of every layer, written by an MLP"),
            1e-2,
        ),
        Method(
            MethodId.PROMPT_TUNING,
            "Prompt tuning",
            tr("vectors before the embedded input"),
            2e-1,
        ),
        Method(
            MethodId.P_TUNING_V2,
            "P-tuning v2",
            tr("keys and values before those of every layer"),
            3e-1,
        ),
        Method(MethodId.LORA, "LoRA", tr("A and B beside the chosen matrices"), 5e-3),
        Method(
            MethodId.QLORA,
            "QLoRA",
            tr("A and B beside the chosen matrices, which are in 4 bits"),
            5e-3,
        ),
        Method(
            MethodId.ADALORA,
            "AdaLoRA",
            tr("P, Λ and Q beside the chosen matrices"),
            1e-2,
        ),
    )
}
"""In display and training order."""

KEY_VALUE_PREFIX = (MethodId.PREFIX_TUNING, MethodId.P_TUNING_V2)
"""Methods that add keys and values to every layer."""

PROMPTS = (*KEY_VALUE_PREFIX, MethodId.PROMPT_TUNING)
"""Methods that prepend columns to the input and do not change the model's weights."""

ADAPTERS = (MethodId.LORA, MethodId.QLORA, MethodId.ADALORA)
"""Methods that add low-rank factors to matrices."""
