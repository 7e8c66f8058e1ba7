"""The MLP or the experts of each layer."""

from __future__ import annotations

from core.language_model.folder_config import MAX_EXPERTS, MAX_LAYERS
from core.model_configs.facts import MlpFacts
from core.model_configs.families import Family
from core.model_configs.fields import Fields
from core.model_configs.layer_plan import Plan

_WIDTHS = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff", "inner_hidden_size", "block_ff_dim")


def feed_forward(
    fields: Fields, family: Family, architecture: str, hidden: int, plans: list[Plan], bias: bool
) -> list[MlpFacts | None]:
    """One record per layer; None where the layer has neither an MLP nor experts."""
    layers = len(plans)
    widths = fields.per_layer(layers, *_WIDTHS) or [_width(fields, hidden)] * layers
    if architecture == "lfm2":
        widths = [_adjusted_width(fields, width) for width in widths]
    counts = _expert_counts(fields, layers)
    routed = _routed_layers(fields, architecture, layers)
    found: list[MlpFacts | None] = []
    for index, plan in enumerate(plans):
        if plan.mlp == "none":
            found.append(None)
        elif counts[index] > 1 and (plan.mlp == "moe" or (plan.mlp == "any" and routed[index])):
            found.append(_experts(fields, family, architecture, hidden, widths[index], counts[index], bias))
        else:
            width = fields.whole("intermediate_size_mlp") if architecture == "llama4_text" else None
            if architecture == "granitemoehybrid":
                width = fields.whole("shared_intermediate_size")
            if architecture == "recurrent_gemma":  # the field holds both halves of the gated MLP
                width = widths[index] // 2
            found.append(MlpFacts(width or widths[index], family.gated, bias))
    return found


def _adjusted_width(fields: Fields, width: int) -> int:
    """LFM2: two thirds of the given width, times a factor, rounded up to a multiple, unless the file says otherwise."""
    if not fields.flag("block_auto_adjust_ff_dim", default=True):
        return width
    factor, multiple = fields.raw("block_ffn_dim_multiplier"), fields.whole("block_multiple_of") or 256
    known = factor if isinstance(factor, int | float) and 0 < factor <= 64 else 1
    adjusted = int(known * int(2 * width / 3))
    return -(-adjusted // multiple) * multiple


def _width(fields: Fields, hidden: int) -> int:
    mpt = fields.whole("expansion_ratio", largest=64)
    ffn = fields.part("ffn_config").whole("ffn_hidden_size") if fields.has("ffn_config") else None
    return ffn or (mpt or 4) * hidden


def _expert_counts(fields: Fields, layers: int) -> list[int]:
    names = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
    counts = fields.per_layer(layers, *names, least=0, largest=MAX_EXPERTS)
    if counts is None and fields.has("ffn_config"):
        count = fields.part("ffn_config").whole("moe_num_experts", least=0, largest=MAX_EXPERTS)
        counts = None if count is None else [count] * layers
    return counts or [0] * layers


def _routed_layers(fields: Fields, architecture: str, layers: int) -> list[bool]:
    """Whether each layer has experts, where the model has any."""
    if fields.has("first_k_dense_replace"):
        first = fields.needed("first_k_dense_replace", least=0, largest=MAX_LAYERS)
        every = fields.whole("moe_layer_freq", largest=MAX_LAYERS) or 1
        return [index >= first and index % every == 0 for index in range(layers)]
    period = fields.whole("expert_layer_period", largest=MAX_LAYERS)
    if period is not None:
        offset = fields.whole("expert_layer_offset", least=0, largest=MAX_LAYERS) or 0
        return [index % period == offset for index in range(layers)]
    if architecture == "llama4_text":
        named = fields.indices("moe_layers")
        step = fields.whole("interleave_moe_layer_step", largest=MAX_LAYERS) or 1
        return [index in named if named is not None else (index + 1) % step == 0 for index in range(layers)]
    dense = fields.indices("mlp_only_layers") or []
    step = fields.whole("decoder_sparse_step", largest=MAX_LAYERS) or 1
    return [index not in dense and (index + 1) % step == 0 for index in range(layers)]


def _experts(
    fields: Fields, family: Family, architecture: str, hidden: int, width: int, experts: int, bias: bool
) -> MlpFacts:
    own = fields.whole("moe_intermediate_size") or width
    names = ("num_experts_per_tok", "moe_top_k", "top_k_experts", "num_experts_per_token")
    active = fields.whole(*names, largest=MAX_EXPERTS)
    if active is None and fields.has("ffn_config"):
        active = fields.part("ffn_config").whole("moe_top_k", largest=MAX_EXPERTS)
    shared = fields.whole("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size", least=0)
    router = hidden * experts
    if fields.has("shared_expert_intermediate_size") and architecture.startswith("qwen"):
        router += hidden  # the gate of the shared expert
    if shared is None:
        shared = (fields.whole("n_shared_experts", least=0, largest=MAX_EXPERTS) or 0) * own
    elif fields.has("n_shared_experts"):
        shared *= fields.needed("n_shared_experts", least=0, largest=MAX_EXPERTS)
    if architecture == "granitemoehybrid":
        shared = fields.whole("shared_intermediate_size", least=0) or 0
    if architecture == "llama4_text":
        shared = width
    if family.expert_bias:
        router += experts
    return MlpFacts(own, family.gated, bias or family.expert_bias, experts, min(active or 1, experts), shared, router)
