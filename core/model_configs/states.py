"""The state of fixed size that a layer without attention keeps per sequence, and the parameters of its mixer.

Sources: Mamba (arXiv 2312.00752), Mamba-2 (arXiv 2405.21060), Gated DeltaNet (arXiv 2412.06464), Griffin (arXiv
2402.19427), and the layers of transformers. A causal convolution of width w keeps the
last w - 1 inputs: what the next step reads and what vLLM allocates; transformers keeps w.
"""

from __future__ import annotations

import math

from core.contracts.text import tr
from core.model_configs.facts import DTYPE_BYTES, StateFacts
from core.model_configs.fields import Fields


def state_facts(fields: Fields, architecture: str, hidden: int, heads: int | None) -> StateFacts:
    """The state of each layer that has one. Raises InvalidParams where the fields for its size are missing."""
    recurrent_bytes = DTYPE_BYTES.get(fields.word("mamba_ssm_cache_dtype", "mamba_ssm_dtype"))
    if fields.has("linear_num_value_heads"):
        return _gated_delta(fields, hidden, recurrent_bytes)
    if fields.has("linear_attn_config"):
        return _kimi_delta(fields)
    if fields.has("lru_width") or architecture == "recurrent_gemma":
        return _rg_lru(fields, hidden, heads)
    if fields.has("conv_L_cache"):
        width = fields.needed("conv_L_cache", largest=64)
        bias = fields.flag("conv_bias")
        parameters = hidden * (4 * hidden + width) + (5 * hidden if bias else 0)
        return StateFacts("short-convolution", 0, hidden * (width - 1), recurrent_bytes, parameters)
    if fields.has("mamba_n_heads", "mamba_num_heads", "n_mamba_heads") or architecture == "mamba2":
        return _mamba2(fields, architecture, hidden, recurrent_bytes)
    if fields.has("mamba_d_state", "state_size", "ssm_state_size"):
        return _mamba(fields, architecture, hidden, recurrent_bytes)
    if (fields.has("attn_type_list") or architecture == "minimax") and heads:
        size = fields.whole("head_dim") or hidden // heads
        return StateFacts("lightning", heads * size * size, 0, recurrent_bytes)
    raise fields.error(
        tr(
            "The configuration has layers without attention, but no field tells the size of their state: choose a "
            "model with attention in all layers."
        )
    )


def _mamba(fields: Fields, architecture: str, hidden: int, recurrent_bytes: int | None) -> StateFacts:
    size = fields.needed("mamba_d_state", "state_size", "ssm_state_size", largest=4096)
    width = fields.whole("mamba_d_conv", "conv_kernel", largest=64) or 4
    inner = (fields.whole("mamba_expand", "expand", largest=64) or 2) * hidden
    rank_names = ("mamba_dt_rank", "time_step_rank")  # or the word "auto"
    rank = fields.needed(*rank_names) if isinstance(fields.raw(*rank_names), int) else math.ceil(hidden / 16)
    parameters = 3 * hidden * inner + inner * (width + 1) + inner * (rank + 2 * size) + inner * (rank + 1)
    parameters += inner * size + inner
    if architecture == "jamba":
        parameters += rank + 2 * size  # norms of the time step, B and C
    return StateFacts("mamba", inner * size, inner * (width - 1), recurrent_bytes, parameters)


def _mamba2(fields: Fields, architecture: str, hidden: int, recurrent_bytes: int | None) -> StateFacts:
    heads = fields.needed("mamba_n_heads", "mamba_num_heads", "n_mamba_heads", "num_heads")
    size = fields.needed("mamba_d_state", "ssm_state_size", "state_size", largest=4096)
    groups = fields.whole("mamba_n_groups", "n_groups", "mamba_ngroups") or 1
    width = fields.whole("mamba_d_conv", "conv_kernel", largest=64) or 4
    head = fields.raw("mamba_d_head", "mamba_head_dim", "mamba_headdim")
    if isinstance(head, int):
        inner = heads * fields.needed("mamba_d_head", "mamba_head_dim", "mamba_headdim")
    else:
        inner = fields.whole("mamba_d_ssm") or (fields.whole("mamba_expand", "expand", largest=64) or 2) * hidden
    convolved = inner + 2 * groups * size
    gated_norm = inner if architecture != "falcon_h1" or fields.flag("mamba_rms_norm") else 0
    parameters = (
        hidden * (inner + convolved + heads) + convolved * (width + 1) + 3 * heads + gated_norm + inner * hidden
    )
    return StateFacts("mamba2", inner * size, convolved * (width - 1), recurrent_bytes, parameters)


def _gated_delta(fields: Fields, hidden: int, recurrent_bytes: int | None) -> StateFacts:
    keys = fields.needed("linear_num_key_heads") * fields.needed("linear_key_head_dim")
    heads, head = fields.needed("linear_num_value_heads"), fields.needed("linear_value_head_dim")
    width = fields.whole("linear_conv_kernel_dim", largest=64) or 4
    values, convolved = heads * head, 2 * keys + heads * head
    parameters = hidden * (convolved + values + 2 * heads) + convolved * width + 2 * heads + head + values * hidden
    recurrent = heads * fields.needed("linear_key_head_dim") * head
    return StateFacts("gated-delta", recurrent, convolved * (width - 1), recurrent_bytes, parameters)


def _kimi_delta(fields: Fields) -> StateFacts:
    linear = fields.part("linear_attn_config")
    heads, head = linear.needed("num_heads"), linear.needed("head_dim")
    width = linear.whole("short_conv_kernel_size", largest=64) or 4
    return StateFacts("kimi-delta", heads * head * head, 3 * heads * head * (width - 1))


def _rg_lru(fields: Fields, hidden: int, heads: int | None) -> StateFacts:
    width = fields.whole("lru_width") or hidden
    kernel = fields.whole("conv1d_width", largest=64) or 4
    blocks = heads or 1
    gates = 2 * (width * (width // blocks) + width) + width
    parameters = 3 * hidden * width + 2 * width + hidden + width * (kernel + 1) + gates
    return StateFacts("rg-lru", width, width * (kernel - 1), 4, parameters)
