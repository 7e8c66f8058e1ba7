"""MLA run in both ways on the same weights in float64: expanded to the keys and values of every head, and absorbed."""

from __future__ import annotations

import torch

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.model_configs import AttentionFacts
from core.topics.attention_heads.result import MlaForms
from kernels.attention.mla import absorbed, expanded, latent_cache, random_weights

_HIDDEN, _MOST_HEADS, _TOKENS, _NEW_TOKENS = 256, 16, 48, 3


def compare_forms(attention: AttentionFacts, seed: int, progress: ProgressCallback) -> MlaForms:
    """The last tokens of a short sequence, with the head sizes of `attention`; at most 16 heads of a narrow model: the
    two forms are equal whatever their number."""
    facts = attention.latent
    assert facts is not None
    progress(0, 1, tr("MLA, expanded and absorbed"))
    heads = min(attention.heads, _MOST_HEADS)
    weights = random_weights(
        hidden=_HIDDEN,
        heads=heads,
        head_dim=facts.content,
        rope=facts.rotary + facts.rotary % 2,  # rotated in pairs
        value_dim=attention.v_head_dim,
        latent=facts.rank,
        query_latent=min(facts.query_rank, _HIDDEN) or None,
        seed=seed,
    )
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn((1, _TOKENS, _HIDDEN), generator=generator, dtype=torch.float64)
    cache = latent_cache(weights, hidden)
    one, other = (form(weights, hidden[:, -_NEW_TOKENS:], cache) for form in (expanded, absorbed))
    return MlaForms(float((one - other).abs().max() / one.abs().max()), heads, _TOKENS)
