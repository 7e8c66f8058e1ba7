"""Parameter counts by part, in closed form. Tests compare them with the models that transformers builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from core.model_configs.facts import AttentionFacts, LayerFacts, MlpFacts, ModelFacts
from core.model_configs.projections import projections

_PARTS = {
    "q_proj": "query",
    "q_a_proj": "query",
    "q_b_proj": "query",
    "k_proj": "key",
    "v_proj": "value",
    "kv_a_proj": "latent",
    "kv_b_proj": "latent",
    "o_proj": "output",
}
"""The part in which each projection counts."""


@dataclass(frozen=True)
class Parameters:
    """Parameters of a model by part. Biases count with their matrix, attention sinks with `query`.

    `latent` are MLA's two matrices between the hidden state, the latent vector, and K and V. `mlp` are all experts with
    their router, of which a token visits `active_mlp`. `state` are the mixers of layers without attention, as far as
    they are known (else `ModelFacts.assumed` tells it). `head` is 0 where it is the embedding matrix.
    """

    embeddings: int
    query: int
    key: int
    value: int
    output: int
    latent: int
    mlp: int
    active_mlp: int
    state: int
    norms: int
    head: int

    @property
    def attention(self) -> int:
        return self.query + self.key + self.value + self.output + self.latent

    @property
    def total(self) -> int:
        return self.embeddings + self.attention + self.mlp + self.state + self.norms + self.head

    @property
    def active(self) -> int:
        """Those that one token passes: all but the experts that it does not visit. Embeddings count whole."""
        return self.total - self.mlp + self.active_mlp


@cache
def parameters(facts: ModelFacts) -> Parameters:
    """The parameters of a model, as trained: nothing is quantized, sharded or replicated."""
    query = key = value = output = latent = mlp = active_mlp = state = 0
    norms = facts.end_parameters
    for layer, count in facts.groups:
        norms += count * _norms(layer)
        if layer.attention is not None:
            parts = attention_parameters(layer.attention, facts.hidden)
            query += count * parts["query"]
            key += count * parts["key"]
            value += count * parts["value"]
            output += count * parts["output"]
            latent += count * parts["latent"]
        if layer.mlp is not None:
            mlp += count * mlp_parameters(layer.mlp, facts.hidden, layer.mlp.experts)
            active_mlp += count * mlp_parameters(layer.mlp, facts.hidden, layer.mlp.active_experts)
        if layer.state is not None:
            state += count * (layer.state.parameters or 0)
    head = 0 if facts.tied else facts.vocabulary * facts.embedding_width
    head += facts.vocabulary if facts.head_bias else 0
    return Parameters(
        facts.vocabulary * facts.embedding_width + facts.positions * facts.hidden,
        query,
        key,
        value,
        output,
        latent,
        mlp,
        active_mlp,
        state,
        norms,
        head,
    )


@cache
def attention_parameters(attention: AttentionFacts, hidden: int) -> Mapping[str, int]:
    """The parameters of one layer's projections with their biases, by part of `Parameters`.

    A layer that reads another layer's cache has no K and V of its own to project (as in Hunyuan; Gemma 3n stores them
    in its checkpoint without using them).
    """
    parts = {
        "query": attention.q_bias + attention.sinks,
        "key": attention.k_bias,
        "value": attention.v_bias,
        "output": attention.o_bias,
        "latent": 0,
    }
    for projection in projections(attention, hidden):
        parts[_PARTS[projection.name]] += projection.parameters
    return parts if attention.cache_of is None else {**parts, "key": 0, "value": 0}


def mlp_parameters(mlp: MlpFacts, hidden: int, experts: int) -> int:
    """The parameters of one layer's MLP, or of so many of its experts with the shared ones and the router."""
    if not mlp.experts:
        return _matrices(mlp, hidden, mlp.width)
    shared = _matrices(mlp, hidden, mlp.shared_width) if mlp.shared_width else 0
    return experts * _matrices(mlp, hidden, mlp.width) + shared + mlp.router


def _matrices(mlp: MlpFacts, hidden: int, width: int) -> int:
    inward = 2 if mlp.gated else 1
    return (inward + 1) * hidden * width + (inward * width + hidden if mlp.bias else 0)


def _norms(layer: LayerFacts) -> int:
    return layer.norm_parameters + (layer.attention.norm_parameters if layer.attention is not None else 0)
