"""Decode: the newest token of each sequence attends to a KV cache, whose reading takes the time."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.contracts.text import tr, verbatim
from core.families import attention, shared_axes
from core.families.axes import Axis, Case
from core.families.family import ELEMENT_BYTES, Contender, Cost, Family, Preset

KEYS = Axis("keys", tr("Keys"), tr("Keys in the cache of each sequence."), 1024, 16, 1 << 21)
HEADS = Axis("heads", tr("Query heads"), tr("Number of query heads."), 8, 1, 256)
KV_HEADS = Axis("kv_heads", tr("KV heads"), tr("Number of key and value heads."), 2, 1, 256)
PAGE_SIZE = Axis(
    "page_size",
    tr("Page size"),
    tr("Keys of a page of the cache. 0: the cache is contiguous."),
    0,
    choices=(0, 16, 32, 64, 128, 256),
)


def check(case: Case) -> None:
    """Raises InvalidParams for KV heads that cannot be shared evenly, and for a part of a page."""
    attention.check(case)
    page, keys = int(case["page_size"]), int(case["keys"])
    if page and keys % page:
        raise InvalidParams(
            tr("{keys} keys do not fill whole pages of {page}: use a multiple.", keys=keys, page=page), "case"
        )


def cost(case: Case) -> Cost:
    """K, V, the queries and the output once each; FLOPs of both products."""
    batch, heads, kv_heads = int(case["batch"]), int(case["heads"]), int(case["kv_heads"])
    keys, width, size = int(case["keys"]), int(case["head_dim"]), ELEMENT_BYTES[str(case["dtype"])]
    moved_bytes = 1.0 * size * width * batch * (2 * kv_heads * keys + 2 * heads)
    return Cost(4.0 * batch * heads * keys * width, moved_bytes, str(case["dtype"]), 14 * moved_bytes)


FAMILY = Family(
    id="decode",
    label=tr("Attention, decode"),
    summary=tr("The newest token of each sequence reads all keys and values of its KV cache once."),
    axes=(
        KEYS, shared_axes.batch(), HEADS, KV_HEADS, shared_axes.head_dim(64, (64, 128, 256)), PAGE_SIZE,
        shared_axes.dtype(),
    ),
    contenders=(
        Contender("triton-split-kv", tr("Triton, split KV"), "triton"),
        Contender("torch-naive", tr("PyTorch, three operations")),
        Contender("sdpa-gqa", tr("PyTorch SDPA with GQA")),
        Contender("flex", verbatim("FlexAttention")),
    ),
    baseline="sdpa-gqa",
    quick=Preset({"dtype": "fp32"}, ("keys", (256, 1024, 4096))),
    full=Preset(
        {"batch": 32, "heads": 32, "kv_heads": 8, "head_dim": 128}, ("keys", (2048, 8192, 32768))
    ),
    cost=cost,
    problem="core.families.running.decode:problem",
    check=check,
)  # fmt: skip
