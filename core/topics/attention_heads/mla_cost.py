"""What multi-head latent attention costs, expanded and absorbed: closed formulas for one layer. No torch.

The formulas count what `kernels.attention.mla` computes: DeepSeek-V2 (arXiv 2405.04434), section 2.1 and appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.model_configs import AttentionFacts
from core.model_configs.projections import projections
from core.topics.attention_heads.decode_step import attention_flops_per_key


class MlaForm(StrEnum):
    """How a layer runs. EXPANDED_CACHE caches the keys and values of every head. REBUILT caches the latents and builds
    keys and values from all of them at each step, as transformers does. ABSORBED attends to the cached latents."""

    EXPANDED_CACHE = "expanded cache"
    REBUILT = "rebuilt"
    ABSORBED = "absorbed"


@dataclass(frozen=True)
class MlaCost:
    """FLOPs (2 per multiply-add) and bytes of one step of one layer, for the whole batch.

    `projection_flops` make queries, cache entries and outputs, including what absorption adds; `rebuild_flops` make
    keys and values of cached tokens; `attention_flops` are the two products of the attention over visible pairs; the
    softmax, norms and rotations are not counted. `cache_read_bytes` are read once; weights, new cache entries,
    activations, and keys and values that are built on the way, are not counted.
    """

    projection_flops: int
    rebuild_flops: int
    attention_flops: int
    cache_read_bytes: float

    @property
    def flops(self) -> int:
        return self.projection_flops + self.rebuild_flops + self.attention_flops


def cached_elements(attention: AttentionFacts, form: MlaForm) -> int:
    """Elements in the cache per token. An expanded key repeats the shared rotated columns in every head."""
    assert attention.latent is not None
    if form is MlaForm.EXPANDED_CACHE:
        return attention.heads * (attention.head_dim + attention.v_head_dim)
    return attention.latent.rank + attention.latent.rotary


def visible_pairs(tokens: int, context: int) -> int:
    """How many (query, key) pairs a causal mask leaves for the last `tokens` of `context` tokens."""
    return tokens * context - tokens * (tokens - 1) // 2


def mla_cost(
    attention: AttentionFacts,
    hidden: int,
    form: MlaForm,
    *,
    tokens: int,
    context: int,
    batch: int = 1,
    element_bytes: float = 2.0,
) -> MlaCost:
    """One step of one layer that adds the last `tokens` of `context` tokens: tokens = 1 decodes, tokens = context is a
    prefill.

    Divide by `batch * tokens` for the cost per token. Every cached token is read once per step, also those just
    written.
    """
    absorbed = form is MlaForm.ABSORBED
    weights = {matrix.name: matrix.parameters for matrix in projections(attention, hidden)}
    up = weights["kv_b_proj"]
    # Absorbed, W^UK turns a query into the latent space and W^UV brings the result back: for new tokens only.
    projected = sum(weights.values()) - (0 if absorbed else up)
    rebuilt = 0 if absorbed else tokens if form is MlaForm.EXPANDED_CACHE else context
    per_pair = attention_flops_per_key(attention, absorbed=absorbed)
    return MlaCost(
        projection_flops=2 * batch * tokens * projected,
        rebuild_flops=2 * batch * rebuilt * up,
        attention_flops=batch * visible_pairs(tokens, context) * per_pair,
        cache_read_bytes=batch * element_bytes * cached_elements(attention, form) * context,
    )
