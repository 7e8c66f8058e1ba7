"""The KV cache in bytes: what attention needs to read, and what an engine allocates for it.

Both are for `batch` sequences of `context` tokens each. *Needed* counts every cached element once: all tokens in a
layer with full attention, at most the window in a sliding layer, MLA's latent vector once, one state per sequence in a
layer without attention. *Allocated* follows vLLM: whole pages per layer and sequence, at least one KV head per GPU,
MLA's latent vector on every GPU, sliding layers whole if asked (as with --disable-hybrid-kv-cache-manager).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from core.contracts.errors import InvalidParams
from core.contracts.text import Text, tr
from core.model_configs.facts import DTYPE_BYTES, AttentionFacts, ModelFacts, StateFacts

CacheDtype = Literal["fp16", "bf16", "fp8", "int4"]
CACHE_DTYPES: tuple[CacheDtype, ...] = get_args(CacheDtype)

MAX_TENSOR_PARALLEL = 64
_GROUP_BYTES = 4
"""int4 keeps one fp16 scale and one fp16 zero point per group of a head's elements, as KIVI does (arXiv 2402.02750)
with groups of 32; transformers' quantized cache has groups of 64. fp8's scale, one per tensor, is not counted."""


@dataclass(frozen=True)
class CacheSetting:
    """What a deployment chooses. `group` matters for int4 only. `keep_sliding_whole` is about allocation only."""

    context: int
    batch: int = 1
    dtype: CacheDtype = "bf16"
    group: int = 64
    tensor_parallel: int = 1
    page_size: int = 16
    keep_sliding_whole: bool = False

    def __post_init__(self) -> None:
        """Raises InvalidParams for a setting that no engine has."""
        for name in ("context", "batch", "page_size"):
            if getattr(self, name) < 1:
                raise InvalidParams(
                    tr("{name} = {value}, and it must be at least 1.", name=name, value=getattr(self, name)), name
                )
        if not 1 <= self.tensor_parallel <= MAX_TENSOR_PARALLEL:
            raise InvalidParams(
                tr(
                    "tensor_parallel = {value}, and it must be from 1 to {largest}.",
                    value=self.tensor_parallel,
                    largest=MAX_TENSOR_PARALLEL,
                ),
                "tensor_parallel",
            )


def vector_bytes(elements: int, dtype: CacheDtype, group: int = 64) -> int:
    """One cached vector of so many elements, with its scales."""
    if dtype == "int4":
        return -(-elements // 2) + -(-elements // group) * _GROUP_BYTES
    return elements if dtype == "fp8" else 2 * elements


def layer_bytes_per_token(attention: AttentionFacts, kv_heads: int, dtype: CacheDtype, group: int = 64) -> int:
    """What one layer caches of one token, for so many of its KV heads. MLA has no KV heads: its vector counts once."""
    vectors = sum(vector_bytes(width, dtype, group) for width in attention.cached_vectors)
    return vectors * (1 if attention.latent is not None else kv_heads)


def bytes_per_token(facts: ModelFacts, dtype: CacheDtype = "bf16", group: int = 64) -> int:
    """The cache of one token while it is in every layer's window: each layer counted whole."""
    return sum(per_token for _, per_token in _attending(facts, dtype, group))


def growth_per_token(facts: ModelFacts, dtype: CacheDtype = "bf16", group: int = 64) -> int:
    """What each further token adds once every window is full: the layers without a window or chunk."""
    return sum(per_token for attention, per_token in _attending(facts, dtype, group) if attention.reach is None)


def _attending(facts: ModelFacts, dtype: CacheDtype, group: int) -> Iterator[tuple[AttentionFacts, int]]:
    """Each kind of attention, with the bytes that all its layers cache of one token."""
    for layer, count in facts.groups:
        if layer.attention is not None:
            heads = layer.attention.kv_heads
            yield layer.attention, count * layer_bytes_per_token(layer.attention, heads, dtype, group)


def state_bytes(facts: ModelFacts) -> int:
    """The states of one sequence in all layers that keep one. The convolution is in the model's dtype; so is the
    recurrent state, unless the configuration tells its own (vLLM's mamba_ssm_cache_dtype = auto)."""
    return sum(
        count * layer_state_bytes(layer.state, facts.dtype) for layer, count in facts.groups if layer.state is not None
    )


def layer_state_bytes(state: StateFacts, model_dtype: str) -> int:
    """The state of one sequence in one layer."""
    own = DTYPE_BYTES[model_dtype]
    return state.recurrent * (state.recurrent_bytes or own) + state.convolution * own


def needed_bytes(facts: ModelFacts, setting: CacheSetting) -> int:
    """What attention must be able to read, over all GPUs, without a copy of anything."""
    per_sequence = state_bytes(facts)
    for attention, per_token in _attending(facts, setting.dtype, setting.group):
        per_sequence += per_token * cached_tokens(attention, setting.context)
    return setting.batch * per_sequence


def cached_tokens(attention: AttentionFacts, context: int) -> int:
    """The tokens of a sequence that the next query of this layer can see: all, or at most the window or chunk."""
    return context if attention.reach is None else min(context, attention.reach)


@dataclass(frozen=True)
class SequenceCost:
    """What one sequence costs on one GPU: a constant for its states, and per group of layers the bytes of one page in
    all of them and the most pages that they hold (None without a limit)."""

    page_size: int
    state: int
    layers: tuple[tuple[int, int | None], ...]

    def bytes_at(self, context: int) -> int:
        """The bytes that are allocated for a sequence of so many tokens."""
        pages = -(-context // self.page_size)
        return self.state + sum(size * (pages if most is None else min(pages, most)) for size, most in self.layers)


def sequence_cost(facts: ModelFacts, setting: CacheSetting) -> SequenceCost:
    """The cost of each sequence; context and batch of the setting do not matter. States are divided among the GPUs by
    their heads or channels."""
    state, layers = 0, []
    for layer, count in facts.groups:
        if layer.state is not None:
            state += count * -(-layer_state_bytes(layer.state, facts.dtype) // setting.tensor_parallel)
        if layer.attention is not None:
            heads = kv_heads_per_gpu(layer.attention, setting.tensor_parallel)
            per_token = layer_bytes_per_token(layer.attention, heads, setting.dtype, setting.group)
            layers.append((count * per_token * setting.page_size, most_pages(layer.attention, setting)))
    return SequenceCost(setting.page_size, state, tuple(layers))


def allocated_bytes_per_gpu(facts: ModelFacts, setting: CacheSetting) -> int:
    """What an engine allocates on each GPU. `tensor_parallel_problem` tells whether it accepts that many."""
    return setting.batch * sequence_cost(facts, setting).bytes_at(setting.context)


def allocated_bytes(facts: ModelFacts, setting: CacheSetting) -> int:
    """What an engine allocates on all GPUs together."""
    return setting.tensor_parallel * allocated_bytes_per_gpu(facts, setting)


def kv_heads_per_gpu(attention: AttentionFacts, tensor_parallel: int) -> int:
    """Each GPU holds at least one KV head; where there are more GPUs than heads, several hold the same."""
    return -(-attention.kv_heads // tensor_parallel)


def most_pages(attention: AttentionFacts, setting: CacheSetting) -> int | None:
    """The most pages that one layer holds of a sequence; None without a limit. A window may begin in the middle of a
    page, so it touches one more; chunks begin with a page if the page size divides them."""
    if attention.reach is None or setting.keep_sliding_whole:
        return None
    if attention.window is None and attention.reach % setting.page_size == 0:
        return attention.reach // setting.page_size
    return -(-(attention.reach - 1) // setting.page_size) + 1


def tensor_parallel_problem(facts: ModelFacts, tensor_parallel: int) -> Text | None:
    """Why an engine would not divide this model among so many GPUs; None if it does."""
    for layer, _ in facts.groups:
        attention = layer.attention
        if attention is None:
            continue
        if attention.heads % tensor_parallel:
            return tr(
                "{heads} attention heads cannot be divided among {gpus} GPUs: choose a number that divides them.",
                heads=attention.heads,
                gpus=tensor_parallel,
            )
        kv_heads = attention.kv_heads
        if attention.latent is None and kv_heads % tensor_parallel and tensor_parallel % kv_heads:
            return tr(
                "{heads} KV heads are not evenly divided among {gpus} GPUs: some GPUs hold one more than others.",
                heads=kv_heads,
                gpus=tensor_parallel,
            )
    return None
