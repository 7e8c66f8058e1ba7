"""The parameters of the flash-attention page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch
from core.hardware.gpus import GPU_IDS

_ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}


class FlashAttentionParams(Params):
    """Shapes are [batch, heads, length, head_dim]; `kv_len` 0 means as long as the queries."""

    seq_len: int = number(
        1024,
        minimum=1,
        maximum=65536,
        scale="log2",
        label="Sequence length N",
        unit="tokens",
        help="Number of query tokens.",
        group="Shape",
    )
    kv_len: int = number(
        0,
        minimum=0,
        maximum=65536,
        scale="log2",
        label="Key length (0: same)",
        unit="tokens",
        help="Number of key and value tokens; 0 takes the sequence length.",
        group="Shape",
    )
    batch: int = number(
        1,
        minimum=1,
        maximum=256,
        label="Batch",
        unit="sequences",
        help="Sequences computed together.",
        group="Shape",
    )
    heads: int = number(
        4, minimum=1, maximum=128, label="Query heads", unit="heads", help="Query heads.", group="Shape"
    )
    kv_heads: int = number(
        4,
        minimum=1,
        maximum=128,
        label="KV heads",
        unit="heads",
        help="Key and value heads; fewer than query heads is GQA, one is MQA.",
        group="Shape",
    )
    head_dim: int = choice(
        64, 32, 64, 128, label="Head dim d", unit="elements", help="Width of one head.", group="Shape"
    )
    dtype: str = choice(
        "fp16", "fp32", "fp16", "bf16", label="Precision", help="Element type of Q, K, V and O.", group="Shape"
    )
    causal: bool = switch(
        True, label="Causal mask", help="A query sees the keys up to its own position.", group="Shape"
    )
    block_q: int = choice(
        64,
        16,
        32,
        64,
        128,
        label="Q tile",
        unit="rows",
        help="Query rows that one program keeps in SRAM.",
        group="Tiling",
    )
    block_kv: int = choice(
        64, 16, 32, 64, 128, label="KV tile", unit="rows", help="Key rows loaded in one step.", group="Tiling"
    )
    gpu: str = choice(
        "a100-40gb",
        *GPU_IDS,
        label="GPU",
        help="The GPU whose memory sizes and speeds the model uses.",
        group="Hardware",
    )
    seed: int = number(0, minimum=0, maximum=2**31 - 1, label="Seed", help="Seed of the random inputs.", group="Inputs")

    @model_validator(mode="after")
    def _combination_is_possible(self) -> Self:
        if self.heads % self.kv_heads:
            raise InvalidParams(
                f"heads = {self.heads} cannot be shared among kv_heads = {self.kv_heads}: every KV head serves the "
                f"same number of query heads, so pick a kv_heads that divides {self.heads}.",
                "kv_heads",
            )
        return self

    @property
    def element_bytes(self) -> int:
        """Of Q, K, V and O."""
        return _ELEMENT_BYTES[self.dtype]

    @property
    def key_len(self) -> int:
        """The number of key tokens in use."""
        return self.kv_len or self.seq_len
