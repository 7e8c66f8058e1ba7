"""The parameters of the flash-attention page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, switch
from core.contracts.text import tr, verbatim
from core.hardware.gpus import GPU_IDS, gpus

_ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}


class FlashAttentionParams(Params):
    """Shapes are [batch, heads, length, head_dim]; `kv_len` 0 means as many keys as queries."""

    seq_len: int = number(
        1024,
        minimum=1,
        maximum=65536,
        scale="log2",
        label=tr("Sequence length N"),
        unit="tokens",
        help=tr("Number of query tokens."),
        group=tr("Shape"),
    )
    kv_len: int = number(
        0,
        minimum=0,
        maximum=65536,
        scale="log2",
        label=tr("Key length (0: same)"),
        unit="tokens",
        help=tr("Number of key and value tokens. 0: the sequence length."),
        group=tr("Shape"),
    )
    batch: int = number(
        1,
        minimum=1,
        maximum=256,
        label=tr("Batch"),
        unit="sequences",
        help=tr("Number of sequences computed together."),
        group=tr("Shape"),
    )
    heads: int = number(
        4,
        minimum=1,
        maximum=128,
        label=tr("Query heads"),
        unit="heads",
        help=tr("Number of query heads."),
        group=tr("Shape"),
    )
    kv_heads: int = number(
        4,
        minimum=1,
        maximum=128,
        label=tr("KV heads"),
        unit="heads",
        help=tr("Number of key and value heads. Fewer than query heads: GQA. One: MQA."),
        group=tr("Shape"),
    )
    head_dim: int = choice(
        64,
        *(16, 32, 64, 80, 96, 128, 192, 256),
        label=tr("Head dimension d"),
        unit="elements",
        help=tr("Width of one head. Tiles pad it to a power of two: 80 and 96 to 128, 192 to 256."),
        group=tr("Shape"),
    )
    dtype: str = choice(
        "fp16",
        "fp32",
        "fp16",
        "bf16",
        label=tr("Precision"),
        help=tr("Element type of Q, K, V and O."),
        group=tr("Shape"),
    )
    causal: bool = switch(
        True,
        label=tr("Causal mask"),
        help=tr("Each query sees only the keys up to its own position."),
        group=tr("Shape"),
    )
    block_q: int = choice(
        64,
        16,
        32,
        64,
        128,
        label=tr("Q tile"),
        unit="rows",
        help=tr("Query rows that one program keeps in SRAM."),
        group=tr("Tiling"),
    )
    block_kv: int = choice(
        64,
        16,
        32,
        64,
        128,
        label=tr("KV tile"),
        unit="rows",
        help=tr("Key rows that a program loads per step."),
        group=tr("Tiling"),
    )
    gpu: str = choice(
        "a100-40gb",
        *GPU_IDS,
        labels={gpu_id: verbatim(known.name) for gpu_id, known in gpus().items()},
        label=tr("GPU"),
        help=tr("The GPU whose memory sizes and bandwidths the model uses."),
        group=tr("Hardware"),
    )
    seed: int = number(
        0, minimum=0, maximum=2**31 - 1, label=tr("Seed"), help=tr("Seed of the random inputs."), group=tr("Inputs")
    )

    @model_validator(mode="after")
    def _combination_is_possible(self) -> Self:
        if self.heads % self.kv_heads:
            raise InvalidParams(
                tr(
                    "heads = {heads} cannot be divided among kv_heads = {kv_heads}: every KV head serves the same "
                    "number of query heads, so choose a kv_heads that divides {heads}.",
                    heads=self.heads,
                    kv_heads=self.kv_heads,
                ),
                "kv_heads",
            )
        return self

    @property
    def tile_dim(self) -> int:
        """The width of a tile: head_dim padded to a power of two, as Triton's tiles need."""
        return 1 << (self.head_dim - 1).bit_length()

    @property
    def element_bytes(self) -> int:
        """Bytes per element of Q, K, V and O."""
        return _ELEMENT_BYTES[self.dtype]

    @property
    def key_len(self) -> int:
        """The number of key tokens."""
        return self.kv_len or self.seq_len
