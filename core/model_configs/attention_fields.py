"""The attention of each layer: heads, KV heads, head dimension, latent vectors, and what is shared between layers."""

from __future__ import annotations

from dataclasses import replace

from core.contracts.text import tr
from core.language_model.folder_config import MAX_HEADS, MAX_LAYERS
from core.model_configs.facts import AttentionFacts, LatentFacts
from core.model_configs.families import FAMILIES, Family
from core.model_configs.fields import Fields
from core.model_configs.layer_plan import Plan

HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads", "num_query_heads")
_KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "num_key_value_heads_per_layer", "num_query_groups")
_HEAD_DIM = ("head_dim", "kv_channels", "attention_head_dim", "attention_head_size", "d_head")
_MULTI_QUERY = ("falcon", "gpt_bigcode")
"""Model types with one KV head unless the file says otherwise."""


def attention_of_layers(
    fields: Fields, family: Family, architecture: str, hidden: int, plans: list[Plan]
) -> list[AttentionFacts | None]:
    """One record per layer; None where the layer does not attend. Raises InvalidParams for impossible heads."""
    layers = len(plans)
    if not any(plan.attends for plan in plans):
        return [None] * layers
    blocks = _attention_of_blocks(fields, layers)
    heads = fields.per_layer(layers, *HEADS, largest=MAX_HEADS)
    if heads is None:
        raise fields.absent(HEADS[0])
    kv_heads = _kv_heads(fields, architecture, heads, blocks)
    latent = _latent(fields)
    size = fields.whole(*_HEAD_DIM) if latent is None else None
    if size is None and latent is None and architecture in ("zamba", "zamba2"):
        size = 2 * hidden // heads[0]
    if latent is None and architecture not in FAMILIES:
        _tell_assumed_heads(fields, hidden, heads, kv_heads)
    kv_from = _shared_caches(fields, plans)
    found: list[AttentionFacts | None] = []
    for index, plan in enumerate(plans):
        if not plan.attends or kv_heads[index] == 0:
            found.append(None)
            continue
        _check_heads(fields, hidden, heads[index], kv_heads[index], derived=size is None and latent is None)
        facts = (
            _latent_attention(fields, latent, heads[index])
            if latent is not None
            else _attention(fields, family, hidden, heads[index], kv_heads[index], size or hidden // heads[index])
        )
        facts = replace(facts, window=plan.window, chunk=plan.chunk, cache_of=kv_from[index])
        found.append(facts)
    return found


def _tell_assumed_heads(fields: Fields, hidden: int, heads: list[int], kv_heads: list[int]) -> None:
    """Of a model type that is not known, what its attention is taken to be."""
    if kv_heads == heads and not fields.has(*_KV_HEADS):
        fields.assume(
            _KV_HEADS[0],
            tr("{name} is missing: each query head is assumed to have a KV head of its own.", name=_KV_HEADS[0]),
        )
    if not fields.has(*_HEAD_DIM):
        fields.assume(
            _HEAD_DIM[0],
            tr(
                "{name} is missing: hidden size / heads = {size} is assumed.",
                name=_HEAD_DIM[0],
                size=hidden // heads[0],
            ),
        )


def _attention(fields: Fields, family: Family, hidden: int, heads: int, kv_heads: int, size: int) -> AttentionFacts:
    value = fields.whole("v_head_dim") or size
    qkv, out = biased(fields, family, family.qkv_bias), biased(fields, family, family.out_bias)
    qk_norm = family.qk_norm if fields.flag("use_qk_norm", default=True) else ""
    norms = {"": 0, "head": 2 * size, "all": (heads + kv_heads) * size}[qk_norm]
    return AttentionFacts(
        heads,
        kv_heads,
        size,
        value,
        gated=family.gated_attention,
        q_bias=heads * size * (2 if family.gated_attention else 1) if qkv else 0,
        k_bias=kv_heads * size if qkv else 0,
        v_bias=kv_heads * value if qkv else 0,
        o_bias=hidden if out else 0,
        norm_parameters=norms,
        sinks=heads if family.sinks else 0,
    )


def _latent(fields: Fields) -> LatentFacts | None:
    rank = fields.whole("kv_lora_rank", least=0)
    if not rank:
        return None
    indexer = fields.whole("index_head_dim", least=0) or 0
    if indexer:
        fields.assume(
            "index_head_dim",
            tr("The keys of the sparse indexer are counted in the dtype of the cache; engines may store them smaller."),
        )
    return LatentFacts(
        rank,
        fields.needed("qk_rope_head_dim", least=0),
        fields.needed("qk_nope_head_dim"),
        fields.whole("q_lora_rank", least=0) or 0,
        indexer,
    )


def _latent_attention(fields: Fields, latent: LatentFacts, heads: int) -> AttentionFacts:
    bias = fields.flag("attention_bias")
    if bias:
        fields.assume("attention_bias", tr("The biases of the latent projections are not counted as parameters."))
    return AttentionFacts(
        heads,
        heads,
        latent.content + latent.rotary,
        fields.whole("v_head_dim") or latent.content,
        latent=latent,
        norm_parameters=latent.rank + latent.query_rank,
    )


def _kv_heads(fields: Fields, architecture: str, heads: list[int], blocks: list[int] | None) -> list[int]:
    """KV heads per layer; 0 where the layer does not attend."""
    layers = len(heads)
    if blocks is not None:
        return [count // group if group else 0 for count, group in zip(heads, blocks, strict=True)]
    if fields.has("multi_query_attention") or fields.has("multi_query_group_num"):  # ChatGLM
        if fields.flag("multi_query_attention", default=True):
            return [fields.needed("multi_query_group_num", largest=MAX_HEADS)] * layers
        return heads
    if architecture in _MULTI_QUERY or (fields.has("multi_query") and not fields.has("num_key_value_heads")):
        if fields.flag("new_decoder_architecture"):
            return fields.per_layer(layers, *_KV_HEADS, largest=MAX_HEADS) or heads
        if fields.flag("multi_query", default=architecture in _MULTI_QUERY):
            return [1] * layers  # Falcon 7B: num_kv_heads holds the number of query heads, and is not used
        return heads
    if fields.has("attn_config"):  # MPT, DBRX
        nested = fields.part("attn_config")
        if nested.word("attn_type") == "multiquery_attention":
            return [1] * layers
        count = nested.whole("kv_n_heads", largest=MAX_HEADS)
        return heads if count is None else [count] * layers
    return fields.per_layer(layers, *_KV_HEADS, least=0, largest=MAX_HEADS) or heads


def _attention_of_blocks(fields: Fields, layers: int) -> list[int] | None:
    """DeciLM's block_configs: query heads per KV head for each layer, 0 where a block has no attention."""
    blocks = fields.raw("block_configs")
    if blocks is None:
        return None
    if not isinstance(blocks, list) or len(blocks) != layers:
        raise fields.error(
            tr(
                "block_configs must have one entry for each of the {layers} layers: correct it in the file.",
                layers=layers,
            )
        )
    groups = []
    for block in blocks:
        part = fields.child(block).part("attention")
        groups.append(part.whole("n_heads_in_group", largest=MAX_HEADS) or 0)
    return groups


def _shared_caches(fields: Fields, plans: list[Plan]) -> list[int | None]:
    """The layer whose K and V each layer reads, None where it has its own.

    Gemma 3n: the last layers read those of the last layer of their kind before them. Hunyuan: each group of
    `cla_share_factor` layers reads those of its first.
    """
    layers = len(plans)
    last = fields.whole("num_kv_shared_layers", least=0, largest=MAX_LAYERS) or 0
    if 0 < last < layers:
        own = layers - last
        sources: dict[bool, int] = {plans[index].window is None: index for index in range(own)}
        return [None if index < own else sources.get(plans[index].window is None) for index in range(layers)]
    if fields.flag("use_cla"):
        factor = fields.needed("cla_share_factor", largest=MAX_LAYERS)
        return [None if index % factor == 0 else index - index % factor for index in range(layers)]
    return [None] * layers


def _check_heads(fields: Fields, hidden: int, heads: int, kv_heads: int, derived: bool) -> None:
    if heads % kv_heads:
        raise fields.error(
            tr(
                "{heads} attention heads cannot be shared among {kv_heads} KV heads: the number of heads must be a "
                "multiple of it.",
                heads=heads,
                kv_heads=kv_heads,
            )
        )
    if derived and hidden % heads:
        raise fields.error(
            tr(
                "The configuration has no head_dim, and a hidden size of {hidden} cannot be divided among {heads} "
                "heads: add head_dim to the file.",
                hidden=hidden,
                heads=heads,
            )
        )


def biased(fields: Fields, family: Family, bias: bool | str) -> bool:
    """Whether a projection has a bias: always, never, or as the field of that name says."""
    return fields.flag(bias, family.bias_where_unset) if isinstance(bias, str) else bias
