"""What a model type implies without saying it in config.json: defaults of missing fields, biases, norms.

Source: the configuration and model classes of transformers. Tests compare the defaults with the classes, and the
counts that follow with models that they build.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Biased = bool | str
"""Whether there is a bias: always, never, or as the field of that name says."""


@dataclass(frozen=True)
class Family:
    """`norms` counts the norms over the hidden width per layer; with `norm_bias` they have a bias. `qk_norm` is that of
    Q and K: over each head with one weight per element, or over all heads at once. `pattern` is the period of
    sliding layers if the file does not tell: every pattern-th layer is full. `bias_where_unset` is the value of a
    bias field that the file does not have."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    gated: bool = True
    norms: int = 2
    end_norms: int = 1
    norm_bias: bool = False
    qkv_bias: Biased = False
    out_bias: Biased = False
    mlp_bias: Biased = False
    bias_where_unset: bool = False
    qk_norm: Literal["", "head", "all"] = ""
    tied: bool = False
    position_offset: int | None = None
    pattern: int = 0
    every_layer_slides: bool = False
    sinks: bool = False
    gated_attention: bool = False
    head_bias: bool = False
    expert_bias: bool = False


_LLAMA: Mapping[str, Any] = {"qkv_bias": "attention_bias", "out_bias": "attention_bias", "mlp_bias": "mlp_bias"}
_ATTENTION_BIAS: Mapping[str, Any] = {"qkv_bias": "attention_bias", "out_bias": "attention_bias"}
_GPT: Mapping[str, Any] = {"gated": False, "norm_bias": True, "qkv_bias": True, "out_bias": True, "mlp_bias": True}
_GEMMA: Mapping[str, Any] = {"tied": True, **_ATTENTION_BIAS}
_GEMMA3 = Family(
    {
        "head_dim": 256,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "vocab_size": 262_208,
        "sliding_window": 4096,
        "max_position_embeddings": 131_072,
    },
    norms=4,
    qk_norm="head",
    pattern=6,
    **_GEMMA,
)
_MAMBA = Family(norms=1, tied=True)

FAMILIES: Mapping[str, Family] = {
    "llama": Family(**_LLAMA),
    "mistral": Family(every_layer_slides=True),
    "mixtral": Family(every_layer_slides=True),
    "phi3": Family(every_layer_slides=True),
    "phi": Family(norms=1, head_bias=True, **_GPT),
    "qwen2": Family(qkv_bias=True),
    "qwen2_moe": Family({"decoder_sparse_step": 1}, qkv_bias=True),
    "qwen3": Family({"head_dim": 128}, qk_norm="head", **_ATTENTION_BIAS),
    "qwen3_moe": Family({"decoder_sparse_step": 1}, qk_norm="head", **_ATTENTION_BIAS),
    "qwen3_next": Family(
        {"head_dim": 256, "decoder_sparse_step": 1}, qk_norm="head", gated_attention=True, **_ATTENTION_BIAS
    ),
    "gemma": Family({"head_dim": 256}, **_GEMMA),
    "gemma2": Family({"head_dim": 256, "sliding_window": 4096}, norms=4, pattern=2, **_GEMMA),
    "gemma3": _GEMMA3,
    "gemma3_text": _GEMMA3,
    "falcon": Family(
        {"max_position_embeddings": 2048},
        gated=False,
        norm_bias=True,
        qkv_bias="bias",
        out_bias="bias",
        mlp_bias="bias",
        tied=True,
    ),
    "gpt2": Family(tied=True, position_offset=0, **_GPT),
    "gpt_bigcode": Family(tied=True, position_offset=0, **_GPT),
    "gpt_neo": Family(
        tied=True, position_offset=0, gated=False, norm_bias=True, out_bias=True, mlp_bias=True, qkv_bias=False
    ),
    "gpt_neox": Family(gated=False, norm_bias=True, mlp_bias=True, bias_where_unset=True, **_ATTENTION_BIAS),
    "gptj": Family(gated=False, norms=1, norm_bias=True, mlp_bias=True, head_bias=True),
    "bloom": Family(tied=True, end_norms=2, **_GPT),
    "opt": Family(tied=True, position_offset=2, **_GPT),
    "mpt": Family(gated=False, tied=True),
    "starcoder2": Family(
        {"num_key_value_heads": 2},
        gated=False,
        norm_bias=True,
        qkv_bias="use_bias",
        out_bias="use_bias",
        mlp_bias="use_bias",
        bias_where_unset=True,
        tied=True,
        every_layer_slides=True,
    ),
    "chatglm": Family(qkv_bias="add_qkv_bias", out_bias="add_bias_linear", mlp_bias="add_bias_linear"),
    "glm": Family({"head_dim": 128}, qkv_bias="attention_bias"),
    "glm4": Family({"head_dim": 128}, norms=4, qkv_bias="attention_bias"),
    "cohere": Family(norms=1, tied=True, **_ATTENTION_BIAS),
    "cohere2": Family({"sliding_window": 4096}, norms=1, tied=True, pattern=4, **_ATTENTION_BIAS),
    "olmo2": Family(qk_norm="all", **_ATTENTION_BIAS),
    "olmo3": Family({"sliding_window": 4096}, qk_norm="all", pattern=4, **_ATTENTION_BIAS),
    "stablelm": Family(norm_bias=True, qkv_bias="use_qkv_bias"),
    "dbrx": Family(),
    "granite": Family(**_LLAMA),
    "smollm3": Family(tied=True, **_LLAMA),
    "deepseek_v2": Family(**_ATTENTION_BIAS),
    "deepseek_v3": Family(**_ATTENTION_BIAS),
    "kimi_k2": Family(**_ATTENTION_BIAS),
    "minicpm3": Family(tied=True, **_ATTENTION_BIAS),
    "gpt_oss": Family(
        {"head_dim": 64, "sliding_window": 128},
        pattern=2,
        sinks=True,
        expert_bias=True,
        bias_where_unset=True,
        **_ATTENTION_BIAS,
    ),
    "llama4_text": Family(
        {"head_dim": 128, "attention_chunk_size": 8192, "interleave_moe_layer_step": 1}, **_ATTENTION_BIAS
    ),
    "jamba": Family({"attn_layer_period": 8, "attn_layer_offset": 4}),
    "nemotron_h": Family({"head_dim": 128}, gated=False, norms=1, mlp_bias="mlp_bias"),
    "granitemoehybrid": Family(**_ATTENTION_BIAS),
    "bamba": Family(**_ATTENTION_BIAS),
    "falcon_h1": Family(**_LLAMA),
    "recurrent_gemma": Family(tied=True, qkv_bias="attention_bias", out_bias=True, mlp_bias=True),
    "lfm2": Family(qk_norm="head", tied=True),
    "mamba": _MAMBA,
    "mamba2": Family(norms=1),
    "falcon_mamba": _MAMBA,
}
"""By model_type."""

GENERIC = Family(**_LLAMA)
"""Of an unknown model type: the Llama layout."""

ENCODERS = frozenset(
    (
        *("bert", "roberta", "distilbert", "albert", "electra", "deberta", "deberta-v2", "xlm-roberta", "mpnet"),
        *("modernbert", "camembert", "nomic_bert", "esm", "eurobert", "clip", "siglip", "siglip_vision_model"),
        *("vit", "convnext", "resnet", "swin", "dinov2", "wav2vec2", "hubert"),
    )
)
"""Model types without a cache: every token sees every other, or there are no tokens."""
