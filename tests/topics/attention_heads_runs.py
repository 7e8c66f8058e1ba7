"""Runs of the attention-heads experiment on tiny configurations, for its tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.contracts.events import Partial, Progress
from core.topics.attention_heads import TOPIC
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.result import AttentionHeadsResult

Events = list[Progress | Partial]

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "torch_dtype": "bfloat16",
}
"""4 heads of 32, 2 KV heads."""
SLIDING = LLAMA | {"model_type": "mistral", "sliding_window": 48}
LATENT = LLAMA | {
    "model_type": "deepseek_v3",
    "num_key_value_heads": 4,
    "kv_lora_rank": 64,
    "q_lora_rank": 48,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "n_routed_experts": None,
    "first_k_dense_replace": 2,
}


def finished(
    folder: Path, described: dict[str, Any] | None = None, **changes: Any
) -> tuple[AttentionHeadsResult, Events]:
    """The result of a whole run of a configuration, 100 tokens unless changed, and what it yielded."""
    file = folder / "config.json"
    file.write_text(json.dumps(described or LLAMA))
    params = AttentionHeadsParams.parse({"config": str(file), "traced_context": 100, "context": 1000} | changes)
    TOPIC.check(params)
    steps, events = TOPIC.load_experiment()(params, "cpu"), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return end.value, events


def messages(result: AttentionHeadsResult) -> list[str]:
    return [str(message.text) for message in result.messages]
