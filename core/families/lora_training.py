"""LoRA's product, forward and backward: the gradients of x, A and B, and none of the frozen W."""

from __future__ import annotations

from core.contracts.text import tr, verbatim
from core.families import lora, shared_axes
from core.families.axes import Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset


def cost(case: Case) -> Cost:
    """Two large products and six narrow ones; W is read twice, x and the output's gradient in both directions."""
    tokens, width, rank = int(case["tokens"]), int(case["width"]), int(case["rank"])
    size = ELEMENT_BYTES[str(case["dtype"])]
    flops = 4.0 * tokens * width * width + 12.0 * tokens * width * rank
    moved_bytes = 2 * lora.weight_bytes(case) + size * (5.0 * tokens * width + 6.0 * width * rank)
    return Cost(flops, moved_bytes, str(case["dtype"]), 24.0 * width * width + 140.0 * tokens * width)


FAMILY = Family(
    id="lora-training",
    label=tr("LoRA, forward and backward"),
    summary=tr("One training step of the product: the output, and the gradients of x, A and B."),
    axes=(lora.TOKENS, lora.WIDTH, lora.RANK, shared_axes.dtype()),
    contenders=(
        Contender("triton", tr("Triton, fused"), "triton"),
        Contender("torch", verbatim("torch.addmm")),
        Contender("torch-compile", verbatim("torch.compile")),
        Contender("peft", verbatim("PEFT"), "library"),
    ),
    baseline="peft",
    quick=Preset({"dtype": "fp32"}, ("tokens", (64, 128, 256))),
    full=Preset({"width": 4096}, ("tokens", (2048, 8192))),
    cost=lambda case: cost({**case, "weight": "dense"}),
    problem="core.families.running.lora_training:problem",
    packages=("peft",),
)
