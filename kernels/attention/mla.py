"""Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): a reference, expanded and absorbed.

The cache holds one vector per token: the latent that keys and values of all heads are made from, and one rotated key
that all heads share. *Expanded* builds the keys and values of every head from it. *Absorbed* moves W^UK into the query
and W^UV behind the attention, which then is MQA over the cache itself: one KV head, whose keys are the whole cache
vector and whose values are its latent columns. Every step keeps the dtype of its inputs, float64 included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch

from kernels.attention.mla_inputs import check_cache, check_hidden, check_weights
from kernels.attention.reference import visible

Attend = Callable[[torch.Tensor, torch.Tensor, int, float], torch.Tensor]
"""`attend(queries, cache, latent, softmax_scale)`: see `attend_to_latents`."""

_NORM_EPSILON = 1e-6
ROTARY_BASE = 10000.0


@dataclass(frozen=True)
class MlaWeights:
    """The weights of one layer, named as in the paper, each with outputs before inputs, as in torch.nn.Linear.

    - `w_dkv` [latent, hidden] and `w_kr` [rope, hidden]: the latent, and the shared key that is rotated
    - `w_uk` [heads, head_dim, latent] and `w_uv` [heads, value_dim, latent]: keys and values of each head
    - `w_dq` [query_latent, hidden], or None if queries are made from the hidden states (DeepSeek-V2-Lite)
    - `w_uq` [heads, head_dim, query_latent or hidden] and `w_qr` [heads, rope, query_latent or hidden]: the queries
    - `w_o` [hidden, heads * value_dim]: the output projection
    - `kv_norm` [latent] and `q_norm` [query_latent]: weights of the RMSNorm of each latent (section 3.1.2), or None

    Biases are not supported: the published models have none. Raises InvalidInputs if the shapes do not agree.
    """

    w_dkv: torch.Tensor
    w_kr: torch.Tensor
    w_uk: torch.Tensor
    w_uv: torch.Tensor
    w_uq: torch.Tensor
    w_qr: torch.Tensor
    w_o: torch.Tensor
    w_dq: torch.Tensor | None = None
    kv_norm: torch.Tensor | None = None
    q_norm: torch.Tensor | None = None

    def __post_init__(self) -> None:
        check_weights({item.name: getattr(self, item.name) for item in fields(self)})

    @property
    def hidden(self) -> int:
        return self.w_dkv.shape[1]

    @property
    def latent(self) -> int:
        return self.w_dkv.shape[0]

    @property
    def rope(self) -> int:
        return self.w_kr.shape[0]

    @property
    def softmax_scale(self) -> float:
        """1 / sqrt(head_dim + rope), as in equation 18: both parts of a query count."""
        return float((self.w_uk.shape[1] + self.rope) ** -0.5)


def rotary(x: torch.Tensor, positions: torch.Tensor, base: float = ROTARY_BASE) -> torch.Tensor:
    """Rotate the pairs (x0, x1), (x2, x3), ... of x [..., length, rope] by the angles position * base^(-2i / rope).

    This is RoFormer's order (Su et al. 2021, section 3.2.2) and that of DeepSeek's weights. Weights in Llama's order
    have to be permuted first. `positions` int64 [length].
    """
    rope = x.shape[-1]
    frequencies = base ** (-torch.arange(0, rope, 2, dtype=torch.float64, device=x.device) / rope)
    angles = positions.to(x.device, torch.float64)[:, None] * frequencies
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cosine - odd * sine, odd * cosine + even * sine), dim=-1).flatten(-2)


def latent_cache(
    weights: MlaWeights, hidden_states: torch.Tensor, start: int = 0, base: float = ROTARY_BASE
) -> torch.Tensor:
    """What the cache keeps of hidden states [batch, length, hidden] at the positions start, start + 1, ...

    [batch, length, latent + rope], contiguous: c^KV (equation 9, after its norm if there is one), then k^R (equation
    15).
    """
    check_hidden(hidden_states, weights.hidden)
    latents = _normed(hidden_states @ weights.w_dkv.mT, weights.kv_norm)
    rotated = rotary(hidden_states @ weights.w_kr.mT, _positions(hidden_states, start), base)
    return torch.cat((latents, rotated), dim=-1)


def queries(
    weights: MlaWeights, hidden_states: torch.Tensor, start: int = 0, base: float = ROTARY_BASE
) -> tuple[torch.Tensor, torch.Tensor]:
    """q^C [batch, heads, tokens, head_dim] and q^R [batch, heads, tokens, rope] (equations 12 to 14)."""
    check_hidden(hidden_states, weights.hidden)
    compressed = hidden_states
    if weights.w_dq is not None:
        compressed = _normed(hidden_states @ weights.w_dq.mT, weights.q_norm)
    content, rotated = (compressed[:, None] @ up.mT for up in (weights.w_uq, weights.w_qr))
    return content, rotary(rotated, _positions(hidden_states, start), base)


def absorbed_queries(
    weights: MlaWeights, hidden_states: torch.Tensor, start: int = 0, base: float = ROTARY_BASE
) -> torch.Tensor:
    """Queries [batch, heads, tokens, latent + rope] that read the cache directly, contiguous.

    q^C . (W^UK c) = (W^UK^T q^C) . c, so the scores are those of the expanded queries and keys.
    """
    content, rotated = queries(weights, hidden_states, start, base)
    return torch.cat((content @ weights.w_uk, rotated), dim=-1)


def expanded_keys_values(weights: MlaWeights, cache: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The keys [batch, heads, length, head_dim + rope] and values [batch, heads, length, value_dim] of every head.

    Equations 10, 11 and 17. The rotated columns are the same in all heads.
    """
    check_cache(cache, weights.latent + weights.rope)
    latents, rotated = cache[:, None, :, : weights.latent], cache[:, None, :, weights.latent :]
    content = latents @ weights.w_uk.mT
    keys = torch.cat((content, rotated.expand(-1, content.shape[1], -1, -1)), dim=-1)
    return keys, latents @ weights.w_uv.mT


def attend_to_latents(queries: torch.Tensor, cache: torch.Tensor, latent: int, softmax_scale: float) -> torch.Tensor:
    """MQA over the cache: softmax(softmax_scale Q cache^T) cache[..., :latent], causal, aligned bottom-right.

    queries [batch, heads, tokens, latent + rope], cache [batch, length, latent + rope]. Returns [batch, heads, tokens,
    latent]. A decode kernel with these arguments can take its place in `absorbed`.
    """
    return _attention(queries, cache[:, None], cache[:, None, :, :latent], softmax_scale)


def project_latents(weights: MlaWeights, attended: torch.Tensor) -> torch.Tensor:
    """The layer's output [batch, tokens, hidden] from attended latents [batch, heads, tokens, latent].

    W^UV and W^O are applied one after the other, per token. Their product, which the paper suggests, is a larger
    matrix: [hidden, heads * latent] instead of [hidden, heads * value_dim].
    """
    return _project(weights, attended @ weights.w_uv.mT)


def expanded(
    weights: MlaWeights,
    hidden_states: torch.Tensor,
    cache: torch.Tensor,
    *,
    softmax_scale: float | None = None,
    base: float = ROTARY_BASE,
) -> torch.Tensor:
    """The layer's output [batch, tokens, hidden] for the last tokens of `cache`, with keys and values of every head.

    hidden_states [batch, tokens, hidden] are those of the last tokens; cache [batch, length, latent + rope] includes
    them. tokens = length is a prefill, tokens = 1 a decode step. Raises InvalidInputs for other shapes.
    """
    start = _start(hidden_states, cache)
    query = torch.cat(queries(weights, hidden_states, start, base), dim=-1)
    keys, values = expanded_keys_values(weights, cache)
    scale = weights.softmax_scale if softmax_scale is None else softmax_scale
    return _project(weights, _attention(query, keys, values, scale))


def absorbed(
    weights: MlaWeights,
    hidden_states: torch.Tensor,
    cache: torch.Tensor,
    *,
    softmax_scale: float | None = None,
    base: float = ROTARY_BASE,
    attend: Attend = attend_to_latents,
) -> torch.Tensor:
    """The same as `expanded`, computed on the cache as it is. `attend` may be a kernel."""
    start = _start(hidden_states, cache)
    check_cache(cache, weights.latent + weights.rope)
    scale = weights.softmax_scale if softmax_scale is None else softmax_scale
    query = absorbed_queries(weights, hidden_states, start, base)
    return project_latents(weights, attend(query, cache, weights.latent, scale))


def random_weights(
    *,
    hidden: int,
    heads: int,
    head_dim: int,
    rope: int,
    value_dim: int,
    latent: int,
    query_latent: int | None = None,
    norms: bool = True,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> MlaWeights:
    """Normal weights with a variance of 1 / inputs, so that activations keep their size; norm weights around 1."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        values = torch.randn(shape, generator=generator, dtype=torch.float64)
        return (values / math.sqrt(shape[-1])).to(dtype)

    def scales(size: int) -> torch.Tensor:
        return (1 + 0.1 * torch.randn(size, generator=generator, dtype=torch.float64)).to(dtype)

    inputs = query_latent or hidden
    return MlaWeights(
        w_dkv=normal(latent, hidden),
        w_kr=normal(rope, hidden),
        w_uk=normal(heads, head_dim, latent),
        w_uv=normal(heads, value_dim, latent),
        w_uq=normal(heads, head_dim, inputs),
        w_qr=normal(heads, rope, inputs),
        w_o=normal(hidden, heads * value_dim),
        w_dq=normal(query_latent, hidden) if query_latent else None,
        kv_norm=scales(latent) if norms else None,
        q_norm=scales(query_latent) if norms and query_latent else None,
    )


def _attention(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, softmax_scale: float) -> torch.Tensor:
    """Causal attention in the inputs' own dtype; the widths of keys and values may differ."""
    mask = visible(query.shape[2], keys.shape[2], causal=True, device=query.device)
    scores = (softmax_scale * (query @ keys.mT)).masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1) @ values


def _project(weights: MlaWeights, heads_out: torch.Tensor) -> torch.Tensor:
    """Equation 19, of outputs [batch, heads, tokens, value_dim]."""
    return heads_out.transpose(1, 2).flatten(2) @ weights.w_o.mT


def _normed(x: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """RMSNorm, or x itself if there is no norm."""
    if weight is None:
        return x
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + _NORM_EPSILON) * weight


def _positions(hidden_states: torch.Tensor, start: int) -> torch.Tensor:
    return torch.arange(start, start + hidden_states.shape[1], device=hidden_states.device)


def _start(hidden_states: torch.Tensor, cache: torch.Tensor) -> int:
    """The position of the first of the last tokens."""
    check_cache(cache, cache.shape[-1], hidden_states)
    return cache.shape[1] - hidden_states.shape[1]
