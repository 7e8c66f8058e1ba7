"""What multi-head latent attention costs, expanded and absorbed: closed formulas for one layer. No torch.

The formulas count what `kernels.attention.mla` computes: DeepSeek-V2 (arXiv 2405.04434), section 2.1 and appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MlaForm(StrEnum):
    """How a layer runs. EXPANDED_CACHE caches the keys and values of every head. REBUILT caches the latents and builds
    keys and values from all of them at each step, as transformers does. ABSORBED attends to the cached latents."""

    EXPANDED_CACHE = "expanded cache"
    REBUILT = "rebuilt"
    ABSORBED = "absorbed"


@dataclass(frozen=True)
class MlaShape:
    """The sizes of one layer. `head_dim` and `rope` are the two parts of a query and a key; `value_dim` is the width of
    a value. `query_latent` is None if queries are made from the hidden states directly."""

    hidden: int
    heads: int
    head_dim: int
    rope: int
    value_dim: int
    latent: int
    query_latent: int | None = None

    @property
    def query_weights(self) -> int:
        """Elements of W^DQ, W^UQ and W^QR, or of W^UQ and W^QR alone."""
        width = self.heads * (self.head_dim + self.rope)
        if self.query_latent is None:
            return self.hidden * width
        return self.query_latent * (self.hidden + width)

    @property
    def down_weights(self) -> int:
        """Elements of W^DKV and W^KR: what a token's cache entry is made with."""
        return self.hidden * (self.latent + self.rope)

    @property
    def up_weights(self) -> int:
        """Elements of W^UK and W^UV."""
        return self.heads * (self.head_dim + self.value_dim) * self.latent

    @property
    def output_weights(self) -> int:
        return self.hidden * self.heads * self.value_dim

    @property
    def weights(self) -> int:
        """Elements of all weights except the norms'."""
        return self.query_weights + self.down_weights + self.up_weights + self.output_weights

    def cached_elements(self, form: MlaForm) -> int:
        """Elements in the cache per token. An expanded key repeats the shared rotated columns in every head."""
        if form is MlaForm.EXPANDED_CACHE:
            return self.heads * (self.head_dim + self.rope + self.value_dim)
        return self.latent + self.rope


@dataclass(frozen=True)
class MlaCost:
    """FLOPs (2 per multiply-add) and bytes of one step of one layer, for the whole batch.

    `projection_flops` make queries, cache entries and outputs, including what absorption adds; `rebuild_flops` make
    keys and values of cached tokens; `attention_flops` are the two products of the attention over visible pairs; the
    softmax, norms and rotations are not counted. `weight_bytes` and `cache_read_bytes` are read once,
    `cache_written_bytes` are the new entries; activations, and keys and values that are built on the way, are not
    counted.
    """

    projection_flops: int
    rebuild_flops: int
    attention_flops: int
    weight_bytes: float
    cache_read_bytes: float
    cache_written_bytes: float

    @property
    def flops(self) -> int:
        return self.projection_flops + self.rebuild_flops + self.attention_flops

    @property
    def bytes(self) -> float:
        return self.weight_bytes + self.cache_read_bytes + self.cache_written_bytes

    @property
    def intensity(self) -> float:
        """FLOPs per byte."""
        return self.flops / self.bytes


def visible_pairs(tokens: int, context: int) -> int:
    """How many (query, key) pairs a causal mask leaves for the last `tokens` of `context` tokens."""
    return tokens * context - tokens * (tokens - 1) // 2


def mla_cost(
    shape: MlaShape, form: MlaForm, *, tokens: int, context: int, batch: int = 1, element_bytes: float = 2.0
) -> MlaCost:
    """One step of one layer that adds the last `tokens` of `context` tokens: tokens = 1 decodes, tokens = context is a
    prefill.

    Divide by `batch * tokens` for the cost per token. Every cached token is read once per step, also those just
    written.
    """
    pairs = shape.heads * visible_pairs(tokens, context)
    projected = shape.query_weights + shape.down_weights + shape.output_weights
    rebuilt = 0
    if form is MlaForm.ABSORBED:
        # W^UK turns a query into the latent space and W^UV brings the result back: for new tokens only.
        projected += shape.up_weights
        per_pair = 2 * shape.latent + shape.rope
    else:
        per_pair = shape.head_dim + shape.rope + shape.value_dim
        rebuilt = shape.up_weights * (tokens if form is MlaForm.EXPANDED_CACHE else context)
    entry_bytes = batch * element_bytes * shape.cached_elements(form)
    return MlaCost(
        projection_flops=2 * batch * tokens * projected,
        rebuild_flops=2 * batch * rebuilt,
        attention_flops=2 * batch * pairs * per_pair,
        weight_bytes=element_bytes * shape.weights,
        cache_read_bytes=entry_bytes * context,
        cache_written_bytes=entry_bytes * tokens,
    )
