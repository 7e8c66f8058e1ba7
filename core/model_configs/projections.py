"""The matrices of one attention layer, with their true shapes."""

from __future__ import annotations

from dataclasses import dataclass

from core.model_configs.facts import AttentionFacts


@dataclass(frozen=True)
class Projection:
    """One matrix of an attention layer, [out, in]."""

    name: str
    shape: tuple[int, int]

    @property
    def parameters(self) -> int:
        return self.shape[0] * self.shape[1]


def projections(attention: AttentionFacts, hidden: int) -> tuple[Projection, ...]:
    """The matrices of one layer by their usual names, in the order in which they are applied."""
    heads, facts = attention.heads, attention.latent
    output = Projection("o_proj", (hidden, heads * attention.v_head_dim))
    if facts is None:
        gate = 2 if attention.gated else 1
        return (
            Projection("q_proj", (gate * heads * attention.head_dim, hidden)),
            Projection("k_proj", (attention.kv_heads * attention.head_dim, hidden)),
            Projection("v_proj", (attention.kv_heads * attention.v_head_dim, hidden)),
            output,
        )
    queries: tuple[Projection, ...] = (Projection("q_proj", (heads * attention.head_dim, hidden)),)
    if facts.query_rank:
        queries = (
            Projection("q_a_proj", (facts.query_rank, hidden)),
            Projection("q_b_proj", (heads * attention.head_dim, facts.query_rank)),
        )
    return (
        *queries,
        Projection("kv_a_proj", (facts.rank + facts.rotary, hidden)),
        Projection("kv_b_proj", (heads * (facts.content + attention.v_head_dim), facts.rank)),
        output,
    )
