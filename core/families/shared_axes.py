"""Axes that several families have, so that they read alike."""

from __future__ import annotations

from core.contracts.text import tr
from core.families.axes import Axis, Value

HEAD_DIMS = (32, 64, 128)


def dtype(default: str = "bf16", *choices: str) -> Axis:
    return Axis(
        "dtype",
        tr("Precision"),
        tr("Element type of the inputs and outputs."),
        default=default,
        choices=choices or ("fp32", "fp16", "bf16"),
    )


def seq_len(default: int = 1024, maximum: int = 131072) -> Axis:
    return Axis("seq_len", tr("Sequence length N"), tr("Number of tokens."), default, 1, maximum)


def batch(maximum: int = 4096) -> Axis:
    return Axis("batch", tr("Batch"), tr("Number of sequences computed together."), 1, 1, maximum)


def head_dim(default: int = 64, choices: tuple[Value, ...] = HEAD_DIMS) -> Axis:
    return Axis("head_dim", tr("Head dimension d"), tr("Width of one head."), default, choices=choices)


def mask() -> Axis:
    return Axis(
        "mask",
        tr("Mask"),
        tr("Which keys a query sees."),
        "causal",
        choices=("causal", "none"),
        choice_labels={"causal": tr("causal"), "none": tr("no mask")},
    )
