"""LoRA's product, forward: x Wᵀ + s (x Aᵀ) Bᵀ with a frozen W, dense or in NF4."""

from __future__ import annotations

from core.contracts.text import tr, verbatim
from core.families import shared_axes
from core.families.axes import Axis, Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset
from kernels.quantization.formats import FORMATS, FormatId

TOKENS = Axis("tokens", tr("Tokens"), tr("Rows of x."), 256, 1, 1 << 20)
WIDTH = Axis("width", tr("Width"), tr("Rows and columns of the square weight."), 512, 16, 65536)
RANK = Axis("rank", tr("Rank"), tr("Rank of the update."), 16, 1, 64)
WEIGHT = Axis(
    "weight",
    tr("Frozen weight"),
    tr("How the frozen weight is stored."),
    "dense",
    choices=("dense", "nf4"),
    choice_labels={"dense": tr("in the precision of x"), "nf4": tr("NF4, nested scales")},
)
AXES = (TOKENS, WIDTH, RANK, WEIGHT, shared_axes.dtype())
NESTED_BLOCK = 256
BLOCK_SIZE = 64


def weight_bytes(case: Case) -> float:
    """Of the frozen weight as it is stored."""
    weights = int(case["width"]) ** 2
    if case["weight"] == "nf4":
        return weights * FORMATS[FormatId.NF4].bits_per_parameter(BLOCK_SIZE, NESTED_BLOCK) / 8
    return 1.0 * weights * ELEMENT_BYTES[str(case["dtype"])]


def cost(case: Case) -> Cost:
    """The large product and the two narrow ones; x, W, A, B and the output once each."""
    tokens, width, rank = int(case["tokens"]), int(case["width"]), int(case["rank"])
    size = ELEMENT_BYTES[str(case["dtype"])]
    flops = 2.0 * tokens * width * width + 4.0 * tokens * width * rank
    moved_bytes = weight_bytes(case) + size * (2.0 * tokens * width + 2.0 * width * rank)
    held = 24.0 * width * width + 60.0 * tokens * width
    return Cost(flops, moved_bytes, str(case["dtype"]), held)


FAMILY = Family(
    id="lora",
    label=tr("LoRA, forward"),
    summary=tr("A frozen weight plus a low-rank update: x Wᵀ + s (x Aᵀ) Bᵀ."),
    axes=AXES,
    contenders=(
        Contender("triton", tr("Triton, fused"), "triton"),
        Contender("triton-in-loop", tr("Triton, x Aᵀ in the loop"), "triton"),
        Contender("triton-before", tr("Triton, x Aᵀ before"), "triton"),
        Contender("triton-unfused", tr("Triton, one kernel per step"), "triton"),
        Contender("torch", verbatim("torch.addmm")),
        Contender("torch-compile", verbatim("torch.compile")),
        Contender("peft", verbatim("PEFT"), "library", note=tr("With NF4 weights it multiplies in bf16.")),
    ),
    baseline="peft",
    unfused="triton-unfused",
    quick=Preset({"dtype": "fp32"}, ("tokens", (64, 128, 256))),
    full=Preset({"width": 4096}, ("tokens", (2048, 8192))),
    cost=cost,
    problem="core.families.running.lora:problem",
    packages=("peft", "bitsandbytes"),
)
