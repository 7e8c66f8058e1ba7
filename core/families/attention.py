"""Attention, forward: softmax(Q Kᵀ / √d) V."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.families import shared_axes
from core.families.axes import Axis, Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset

TOKENS = 16384
WIDTH = 2048
"""Tokens and width (heads x head_dim) stay the same for every length and head dimension, as in the FlashAttention
papers."""

HEADS = Axis(
    "heads",
    tr("Query heads"),
    tr("Number of query heads. 0: as many as make a width of 2,048."),
    4,
    0,
    256,
)
KV_HEADS = Axis("kv_heads", tr("KV heads"), tr("Number of key and value heads. 0: as many as query heads."), 0, 0, 256)
BATCH = Axis(
    "batch",
    tr("Batch"),
    tr("Number of sequences computed together. 0: as many as make 16,384 tokens."),
    1,
    0,
    4096,
)
AXES = (
    shared_axes.seq_len(), BATCH, HEADS, KV_HEADS, shared_axes.head_dim(), shared_axes.mask(), shared_axes.dtype(),
)  # fmt: skip

BY_TORCH = (
    Contender("torch-naive", tr("PyTorch, three operations")),
    Contender("sdpa-math", tr("PyTorch SDPA, math")),
    Contender("sdpa-flash", tr("PyTorch SDPA, flash")),
    Contender("sdpa-efficient", tr("PyTorch SDPA, memory-efficient")),
    Contender("sdpa-cudnn", tr("PyTorch SDPA, cuDNN")),
)
QUICK = {"dtype": "fp32"}
FULL = {"batch": 0, "heads": 0, "head_dim": 128}


def resolve(case: Case) -> Case:
    """The case with numbers for what follows from others."""
    heads = int(case["heads"]) or max(1, WIDTH // int(case["head_dim"]))
    batch = int(case["batch"]) or max(1, TOKENS // int(case["seq_len"]))
    return {**case, "heads": heads, "kv_heads": int(case["kv_heads"]) or heads, "batch": batch}


def check(case: Case) -> None:
    """Raises InvalidParams where KV heads cannot be shared evenly."""
    heads, kv_heads = int(case["heads"]), int(case["kv_heads"])
    if heads % kv_heads:
        raise InvalidParams(
            tr(
                "heads = {heads} cannot be divided among kv_heads = {kv_heads}: every KV head serves the same number "
                "of query heads, so choose a kv_heads that divides {heads}.",
                heads=heads,
                kv_heads=kv_heads,
            ),
            "case",
        )


def visible_cells(case: Case) -> int:
    """Pairs of a query and a key that it sees, of one head of one sequence."""
    length = int(case["seq_len"])
    return length * (length + 1) // 2 if case["mask"] == "causal" else length * length


def tensor_bytes(case: Case) -> float:
    """Q, K, V and O once each."""
    batch, length, head_dim = int(case["batch"]), int(case["seq_len"]), int(case["head_dim"])
    heads, kv_heads = int(case["heads"]), int(case["kv_heads"])
    return 2.0 * batch * length * head_dim * (heads + kv_heads) * ELEMENT_BYTES[str(case["dtype"])]


def cost(case: Case) -> Cost:
    """FLOPs of the two products on the visible cells."""
    cells = int(case["batch"]) * int(case["heads"])
    flops = 4.0 * cells * visible_cells(case) * int(case["head_dim"])
    scores = 1.0 * cells * int(case["seq_len"]) ** 2
    held = 8 * tensor_bytes(case) + 3 * scores * ELEMENT_BYTES[str(case["dtype"])] + 4 * 8 * scores / int(case["heads"])
    return Cost(flops, tensor_bytes(case), str(case["dtype"]), held)


FAMILY = Family(
    id="attention",
    label=tr("Attention, forward"),
    summary=tr("One head looks at all keys that its mask shows: softmax(Q Kᵀ / √d) V."),
    axes=AXES,
    contenders=(
        Contender("triton-flash", tr("Triton flash"), "triton"),
        Contender("triton-standard", tr("Triton standard, three kernels"), "triton"),
        *BY_TORCH,
    ),
    baseline="sdpa-flash",
    unfused="triton-standard",
    quick=Preset(QUICK, ("seq_len", (128, 256, 512, 1024))),
    full=Preset(FULL, ("seq_len", (1024, 2048, 4096, 8192, 16384))),
    cost=cost,
    problem="core.families.running.attention:problem",
    check=check,
    resolve=resolve,
)
