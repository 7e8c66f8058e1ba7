"""Generated model folders: fused experts, sliding windows, grouped heads, head sizes of their own, tied heads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from core.language_model.libraries import import_transformers, silent_transformers
from core.language_model.model_config import STANDARD
from core.language_model.shipped import shipped_folder
from core.language_model.torch_state import seeded

KINDS: dict[str, dict[str, Any]] = {
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "gpt_oss": {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "sliding_window": 6,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "gemma3_text": {"sliding_window": 6, "layer_types": ["sliding_attention", "full_attention"]},
    "qwen3": {
        "sliding_window": 6,
        "use_sliding_window": True,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "mistral": {"sliding_window": 6},
    "llama": {"head_dim": 6, "num_key_value_heads": 1},
    "gpt2": {"n_embd": 36, "n_head": 4, "n_layer": 2, "n_positions": 128},
}
"""Settings of a small model of each type. The last but one has one key head for four queries and heads of 6 x 4 in a
width of 32; the last has heads of 9."""


def model_folder(folder: Path, kind: str, **settings: Any) -> Path:
    """An untrained model of two layers of the type `kind` in `folder`, with the tokenizer of the small model."""
    import_transformers()
    from transformers import AutoConfig, AutoModelForCausalLM

    shipped = shipped_folder(STANDARD)
    assert shipped is not None
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (shipped / name).exists():
            shutil.copy(shipped / name, folder)
    common = {
        "vocab_size": STANDARD.vocabulary,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
    }
    own = {"vocab_size": STANDARD.vocabulary} if kind == "gpt2" else common
    with silent_transformers(), seeded(0):
        config = AutoConfig.for_model(kind, **{**own, **KINDS[kind], **settings})
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder
