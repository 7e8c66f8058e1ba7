"""Attention, forward and backward: the gradients of Q, K and V for the gradient of the output."""

from __future__ import annotations

from core.contracts.text import tr, verbatim
from core.families import attention, shared_axes
from core.families.axes import Axis, Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset

PASSES = Axis(
    "passes",
    tr("Passes"),
    tr("What is compared: a whole training step of attention, or the gradients alone."),
    "both",
    choices=("both", "backward"),
    choice_labels={"both": tr("forward and backward"), "backward": tr("backward")},
)
_PRODUCTS = {"both": 7, "backward": 5}
"""Matrix products on the visible cells: two forward, and five backward, S recomputed among them (Dao 2023,
FlashAttention-2, section 4.1)."""


def cost(case: Case) -> Cost:
    """FLOPs of the products on the visible cells, whatever an implementation recomputes besides. Q, K, V, dO and the
    gradients once each, and the output, which the forward pass writes or the backward pass reads."""
    cells = int(case["batch"]) * int(case["heads"])
    flops = 2.0 * _PRODUCTS[str(case["passes"])] * cells * attention.visible_cells(case) * int(case["head_dim"])
    moved_bytes = 2 * attention.tensor_bytes(case)
    scores = 1.0 * cells * int(case["seq_len"]) ** 2
    held = 8 * moved_bytes + 8 * scores * ELEMENT_BYTES[str(case["dtype"])] + 8 * 8 * scores / int(case["heads"])
    return Cost(flops, moved_bytes, str(case["dtype"]), held)


FAMILY = Family(
    id="attention-training",
    label=tr("Attention, forward and backward"),
    summary=tr("One training step of attention: the output, and the gradients of Q, K and V."),
    axes=(
        shared_axes.seq_len(), attention.BATCH, attention.HEADS, attention.KV_HEADS, shared_axes.head_dim(),
        shared_axes.mask(), PASSES, shared_axes.dtype(),
    ),
    contenders=(
        Contender("triton-flash", tr("Triton flash"), "triton"),
        Contender("triton-standard", tr("Triton standard, one kernel per step"), "triton"),
        *attention.BY_TORCH,
        Contender("flex", verbatim("FlexAttention")),
    ),
    baseline="sdpa-flash",
    unfused="triton-standard",
    quick=Preset(attention.QUICK, ("seq_len", (64, 128, 256, 512))),
    full=Preset(attention.FULL, ("seq_len", (1024, 2048, 4096, 8192, 16384))),
    cost=cost,
    problem="core.families.running.attention_training:problem",
    check=attention.check,
    resolve=attention.resolve,
)  # fmt: skip
