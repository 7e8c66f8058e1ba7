"""Attention under a mask: tiles that the mask hides are never read."""

from __future__ import annotations

from collections.abc import Iterator

from core.contracts.text import tr, verbatim
from core.families import attention, shared_axes
from core.families.axes import Axis, Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset

WINDOW = Axis("window", tr("Window"), tr("Keys that a query sees under the window mask."), 128, 1, 1 << 20)
DOCUMENT = Axis(
    "document",
    tr("Longest document"),
    tr("Tokens of the longest packed document; every next one is a seventh shorter, down to a quarter."),
    200,
    8,
    1 << 20,
)
MASK = Axis(
    "mask",
    tr("Mask"),
    tr("Which keys a query sees, besides being causal."),
    "documents",
    choices=("causal", "window", "documents"),
    choice_labels={
        "causal": tr("causal"),
        "window": tr("causal in a window"),
        "documents": tr("causal in packed documents"),
    },
)


def document_lengths(case: Case) -> Iterator[int]:
    """Lengths of packed documents that fill the sequence, so that no edge meets that of a tile."""
    left, longest = int(case["seq_len"]), float(int(case["document"]))
    length = longest
    while left > 0:
        taken = max(1, min(left, round(length)))
        yield taken
        left -= taken
        length = length * 6 / 7 if length > longest / 4 else longest


def visible_cells(case: Case) -> int:
    """Pairs of a query and a key that it sees, of one head of one sequence."""
    length, window = int(case["seq_len"]), min(int(case["window"]), int(case["seq_len"]))
    if case["mask"] == "causal":
        return length * (length + 1) // 2
    if case["mask"] == "window":
        return window * (window + 1) // 2 + (length - window) * window
    return sum(part * (part + 1) // 2 for part in document_lengths(case))


def cost(case: Case) -> Cost:
    """FLOPs of the two products on the visible cells; Q, K, V and O once each."""
    cells = int(case["batch"]) * int(case["heads"])
    scores = 1.0 * cells * int(case["seq_len"]) ** 2
    held = 8 * attention.tensor_bytes(case) + 6 * scores * ELEMENT_BYTES[str(case["dtype"])]
    flops = 4.0 * cells * visible_cells(case) * int(case["head_dim"])
    return Cost(flops, attention.tensor_bytes(case), str(case["dtype"]), held)


FAMILY = Family(
    id="block-sparse",
    label=tr("Attention under a mask"),
    summary=tr("A mask hides whole tiles of scores: a block-sparse kernel skips them, a dense one computes them."),
    axes=(
        shared_axes.seq_len(), attention.BATCH, attention.HEADS, attention.KV_HEADS, shared_axes.head_dim(), MASK,
        WINDOW, DOCUMENT, shared_axes.dtype(),
    ),
    contenders=(
        Contender("block-sparse", tr("Triton, block-sparse"), "triton"),
        Contender("flex", verbatim("FlexAttention")),
        Contender("sdpa-bool-mask", tr("PyTorch SDPA, dense mask")),
        Contender("torch-naive", tr("PyTorch, three operations")),
    ),
    baseline="flex",
    quick=Preset({"dtype": "fp32"}, ("seq_len", (256, 512, 1024))),
    full=Preset(
        {"batch": 0, "heads": 0, "head_dim": 128, "window": 1024, "document": 1000}, ("seq_len", (4096, 8192))
    ),
    cost=cost,
    problem="core.families.running.block_sparse:problem",
    check=attention.check,
    resolve=attention.resolve,
)  # fmt: skip
