"""What a configuration says of a model: one record per layer. Sizes are in elements and heads, never in bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from core.contracts.text import Text

DTYPE_BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
"""The dtypes of weights and states that configurations name, with the bytes of one element."""

LayerKind = Literal["full", "sliding", "chunked", "latent", "state", "hybrid", "shared", "none"]
"""What a layer keeps of the tokens before: K and V of all of them (full), of the last `window` (sliding) or of their
own chunk (chunked); one latent vector per token (latent); a state of fixed size (state), or that and K and V (hybrid);
what another layer keeps (shared); or nothing (none)."""

StateKind = Literal["mamba", "mamba2", "gated-delta", "kimi-delta", "rg-lru", "short-convolution", "lightning"]


@dataclass(frozen=True)
class LatentFacts:
    """Multi-head latent attention (MLA; DeepSeek-V2, arXiv 2405.04434, section 2.1). Per token, the cache holds one
    vector of `rank` and one rotary key of `rotary` elements, whatever the number of heads.

    `query_rank` is 0 where queries are not compressed. `content` is the part of each head's key without rotation.
    `indexer` is the width of the extra key of a sparse indexer (DeepSeek-V3.2), 0 without one.
    """

    rank: int
    rotary: int
    content: int
    query_rank: int = 0
    indexer: int = 0


@dataclass(frozen=True)
class AttentionFacts:
    """The attention of one layer. `head_dim` is that of Q and K, `v_head_dim` that of V.

    `window` is the number of tokens that a query sees, its own included; `chunk` the length of the chunks outside which
    it sees nothing; both None where it sees everything before. `cache_of` is the index of the layer whose K and V this
    one reads instead of its own. The biases, norms of Q and K, and sinks are numbers of parameters; `gated` attention
    has a second Q projection for the gate of its output.
    """

    heads: int
    kv_heads: int
    head_dim: int
    v_head_dim: int
    window: int | None = None
    chunk: int | None = None
    latent: LatentFacts | None = None
    cache_of: int | None = None
    gated: bool = False
    q_bias: int = 0
    k_bias: int = 0
    v_bias: int = 0
    o_bias: int = 0
    norm_parameters: int = 0
    sinks: int = 0

    @property
    def reach(self) -> int | None:
        """The most tokens that the cache of this layer has to hold; None without a limit."""
        return self.window if self.window is not None else self.chunk

    @property
    def kind(self) -> LayerKind:
        if self.cache_of is not None:
            return "shared"
        if self.latent is not None:
            return "latent"
        return "sliding" if self.window is not None else "chunked" if self.chunk is not None else "full"

    @property
    def cached_vectors(self) -> tuple[int, ...]:
        """The widths of the vectors that the cache holds per token: K and V, for each KV head; or MLA's latent vector,
        its rotary key and the key of its indexer, once."""
        if self.cache_of is not None:
            return ()
        if self.latent is not None:
            return self.latent.rank, self.latent.rotary, self.latent.indexer
        return self.head_dim, self.v_head_dim

    @property
    def elements_per_token(self) -> int:
        """Cached elements per token: the vectors of all KV heads."""
        return sum(self.cached_vectors) * (1 if self.latent is not None else self.kv_heads)


@dataclass(frozen=True)
class StateFacts:
    """A layer that keeps a state of fixed size per sequence: state space, linear attention, convolution.

    `recurrent` and `convolution` are elements per sequence; `recurrent_bytes` is the size of one recurrent element
    where the configuration tells it, else None: that of the model. `parameters` counts the whole mixer; None: unknown.
    """

    kind: StateKind
    recurrent: int
    convolution: int
    recurrent_bytes: int | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class MlpFacts:
    """The MLP of one layer, or its experts. `width` is that of the MLP, or of one expert where `experts` > 0.

    `shared_width` is the width of the experts that every token visits, added up. `router` counts the parameters that
    choose the experts, `bias` whether each matrix has one.
    """

    width: int
    gated: bool
    bias: bool = False
    experts: int = 0
    active_experts: int = 0
    shared_width: int = 0
    router: int = 0


@dataclass(frozen=True)
class LayerFacts:
    """One layer. `norm_parameters` are those of its norms over the hidden width."""

    attention: AttentionFacts | None
    state: StateFacts | None
    mlp: MlpFacts | None
    norm_parameters: int = 0

    @property
    def kind(self) -> LayerKind:
        if self.state is not None:
            return "hybrid" if self.attention is not None else "state"
        return self.attention.kind if self.attention is not None else "none"


@dataclass(frozen=True)
class ModelFacts:
    """A decoder. `positions` is the number of learned positions; `embedding_width` differs from `hidden` in a few OPT
    models. `end_parameters` are those before and after the layers beside embeddings, positions and head: final norms.

    `max_context` is the longest context that the configuration announces, None where it does not. `dtype` is that of
    the weights. `assumed` tells, in sentences, which fields are missing and what was assumed; `source` where the
    configuration comes from, '' for the user's own.
    """

    name: str
    architecture: str
    hidden: int
    vocabulary: int
    layers: tuple[LayerFacts, ...]
    tied: bool
    embedding_width: int
    positions: int = 0
    end_parameters: int = 0
    head_bias: bool = False
    max_context: int | None = None
    dtype: str = "bfloat16"
    assumed: tuple[Text, ...] = ()
    source: str = ""

    def __hash__(self) -> int:
        """Cheap: what is derived from a model is remembered, and looked up at every move of a slider. Not kept, since
        the hash of a name differs between processes."""
        return hash((self.name, self.hidden, self.vocabulary, len(self.layers)))

    @cached_property
    def groups(self) -> tuple[tuple[LayerFacts, int], ...]:
        """Each different layer, with the number of layers that equal it, in the order of first appearance."""
        return tuple(Counter(self.layers).items())

    @cached_property
    def kinds(self) -> dict[LayerKind, int]:
        """The number of layers of each kind that occurs."""
        return dict(Counter(layer.kind for layer in self.layers))

    @cached_property
    def attention(self) -> AttentionFacts | None:
        """The attention that most of the attending layers have: for a picture or a title. None without attention."""
        found = Counter(layer.attention for layer in self.layers if layer.attention is not None)
        return found.most_common(1)[0][0] if found else None
