"""The cache that a model of transformers fills has the elements that the facts give it.

Two differences are transformers' own. After a step, a sliding layer has dropped the token that the next query no longer
sees, so it holds one less than the window. And a convolution of width w keeps w inputs, of which the next step reads
w - 1. MLA is compared as it is: this version of transformers stores the latent vector and the rotary key, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, StaticCache
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from core.model_configs import CacheSetting, LayerFacts, ModelFacts, needed_bytes, parse_config
from core.model_configs.cache import cached_tokens
from tests.model_configs.tiny import CACHE_ONLY, TINY, falcon_variants

BATCH, TOKENS = 2, 20
OWN_STATE = {"recurrent_gemma", "minimax"}
"""Keep their states outside the layers of the cache."""

CASES = {name: (name, config) for name, config in {**TINY, **CACHE_ONLY}.items() if name not in OWN_STATE}
CASES |= {name: ("falcon", config) for name, config in falcon_variants().items() if name != "falcon 40b"}

WHOLE_IN_STATIC = {"gpt_neo"}
"""Attends locally, but its class keeps every token."""


def built(model_type: str, config: dict[str, Any]) -> tuple[ModelFacts, Any]:
    """The facts and a random model of one tiny configuration."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[model_type](**config)).eval()
    return parse_config({**config, "model_type": model_type, "torch_dtype": "float16"}), model


def filled(model: Any, **cache: Any) -> Any:
    """The cache after a batch of random tokens."""
    tokens = torch.randint(3, 90, (BATCH, TOKENS))
    with torch.no_grad():
        output = model(tokens, use_cache=True, **cache)
    found = getattr(output, "past_key_values", None)
    return found if found is not None else output.cache_params


def tensors(layer: Any, name: str) -> Iterator[torch.Tensor]:
    held = getattr(layer, name, None)
    for tensor in held.values() if isinstance(held, dict) else [held]:
        if tensor is not None:
            yield tensor


def elements_held(layer: Any) -> int:
    """Elements that the next step reads, in one layer of transformers' cache."""
    kept = sum(tensor.numel() for name in ("keys", "values", "recurrent_states") for tensor in tensors(layer, name))
    inputs = sum(tensor.numel() - tensor[..., 0].numel() for tensor in tensors(layer, "conv_states"))
    return kept + inputs


def elements_expected(layer: LayerFacts, tokens_in_window: int) -> int:
    found = layer.state.recurrent + layer.state.convolution if layer.state is not None else 0
    if layer.attention is not None:
        found += layer.attention.elements_per_token * tokens_in_window
    return BATCH * found


def tokens_after_a_step(layer: LayerFacts, model_type: str) -> int:
    attention = layer.attention
    if attention is None or attention.reach is None or model_type in WHOLE_IN_STATIC:
        return TOKENS
    return min(TOKENS, attention.reach - 1)


@pytest.mark.parametrize("case", CASES)
def test_that_a_filled_cache_holds_what_the_facts_say(case: str) -> None:
    model_type, config = CASES[case]
    facts, model = built(model_type, config)
    layers = filled(model).layers
    assert len(layers) == len(facts.layers)
    for held, layer in zip(layers, facts.layers, strict=True):
        assert elements_held(held) == elements_expected(layer, tokens_after_a_step(layer, model_type))


STATIC = ("llama", "mistral", "qwen2", "gemma3_text", "gemma2", "gpt_oss", "llama4_text", "deepseek_v3", "starcoder2")


@pytest.mark.parametrize("model_type", STATIC)
def test_that_a_static_cache_has_the_needed_bytes(model_type: str) -> None:
    facts, model = built(model_type, TINY[model_type])
    model = model.to(torch.bfloat16)
    cache = filled(model, past_key_values=StaticCache(config=model.config, max_cache_len=TOKENS))
    held = sum(
        tensor.nbytes for layer in cache.layers for name in ("keys", "values") for tensor in tensors(layer, name)
    )
    assert held == needed_bytes(facts, CacheSetting(TOKENS, BATCH))


def test_that_every_sliding_layer_of_the_tiny_models_is_full() -> None:
    """Otherwise the windows above would not matter."""
    for model_type, config in TINY.items():
        for layer in parse_config({**config, "model_type": model_type}).layers:
            if layer.attention is not None and layer.attention.reach is not None:
                assert cached_tokens(layer.attention, TOKENS) < TOKENS


def test_that_the_state_of_lightning_attention_is_what_minimax_keeps() -> None:
    facts, model = built("minimax", CACHE_ONLY["minimax"])
    states = [layer.state for layer in facts.layers if layer.state is not None]
    held = [state for state in filled(model).linear_cache if len(state)]
    assert [state.numel() for state in held] == [BATCH * state.recurrent for state in states]


def test_that_falcon_40b_has_fewer_kv_heads_than_transformers_stores() -> None:
    """transformers copies each KV head to all of its query heads before it stores them. The weights have two."""
    facts, model = built("falcon", falcon_variants()["falcon 40b"])
    attention = facts.attention
    assert attention is not None
    assert (attention.kv_heads, attention.heads) == (2, 4)
    assert filled(model).layers[0].keys.shape[1] == attention.heads
    width = (attention.heads + 2 * attention.kv_heads) * attention.head_dim
    assert model.transformer.h[0].self_attention.query_key_value.out_features == width
