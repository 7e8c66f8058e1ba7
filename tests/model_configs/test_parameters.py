"""Parameter counts equal those of the models that transformers builds from the same configurations."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from core.model_configs import parameters, parse_config, preset, preset_ids
from core.model_configs.presets import FOLDER
from core.model_presets import PRESETS
from tests.model_configs.tiny import TINY, falcon_variants

WITHOUT_CLASS = {"chatglm2-6b", "glm-4-9b"}
"""transformers does not have ChatGLM's class."""

PUBLISHED_BILLIONS = {
    "llama-2-7b": 6.74,
    "llama-2-70b": 68.98,
    "llama-3.1-8b": 8.03,
    "llama-3.1-70b": 70.55,
    "llama-3.1-405b": 405.85,
    "mistral-7b-v0.1": 7.24,
    "mistral-7b-v0.3": 7.25,
    "mixtral-8x7b": 46.7,
    "qwen2.5-7b": 7.61,
    "qwen2.5-72b": 72.7,
    "qwen3-8b": 8.2,
    "qwen3-30b-a3b": 30.5,
    "qwen3-235b-a22b": 235,
    "gemma-2-9b": 9.24,
    "falcon-7b": 7,
    "falcon-40b": 41,
    "chatglm2-6b": 6.24,
    "glm-4-9b": 9.4,
    "deepseek-v2-lite": 15.7,
    "deepseek-v3": 671,
    "gpt-oss-20b": 20.9,
    "gpt-oss-120b": 116.8,
    "phi-3-mini-4k": 3.82,
    "phi-4": 14.7,
    "gpt2": 0.124,
    "starcoder": 15.5,
    "jamba-1.5-mini": 51.6,
    "nemotron-h-8b": 8.1,
    "qwen3-next-80b-a3b": 80,
    "llama-4-scout": 109,
}
"""From the model cards."""

PUBLISHED_ACTIVE_BILLIONS = {
    "mixtral-8x7b": 12.9,
    "qwen3-30b-a3b": 3.3,
    "qwen3-235b-a22b": 22,
    "deepseek-v3": 37,
    "jamba-1.5-mini": 12,
    "llama-4-scout": 17,
}


def small(config: dict[str, Any], layers: int = 9) -> dict[str, Any]:
    """The same model with fewer layers: enough for one of each kind. Patterns of kinds keep their length."""
    text = dict(config.get("text_config", config))
    if "hybrid_override_pattern" in text:
        return text
    for name in ("num_hidden_layers", "n_layer"):
        if name in text:
            text[name] = min(text[name], layers)
    if "layer_types" in text:
        text["layer_types"] = text["layer_types"][:layers]
    return text


def built_parameters(config: dict[str, Any]) -> int:
    """The parameters of transformers' own model, on the meta device: shapes without values."""
    kept = {name: value for name, value in config.items() if name not in ("model_type", "torch_dtype")}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[config["model_type"]](**kept))
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("preset_id", sorted(set(preset_ids()) - WITHOUT_CLASS))
def test_that_a_preset_has_as_many_parameters_as_the_model_of_transformers(preset_id: str) -> None:
    contents = json.loads((FOLDER / f"{preset_id}.json").read_text())
    config = small({name: value for name, value in contents.items() if not name.startswith("_")})
    assert parameters(parse_config(config)).total == built_parameters(config)


FAMILIES = {name: (name, config) for name, config in TINY.items()}
FAMILIES |= {name: ("falcon", config) for name, config in falcon_variants().items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_that_a_tiny_model_of_each_family_has_as_many_parameters(family: str) -> None:
    model_type, config = FAMILIES[family]
    config = {**config, "model_type": model_type}
    assert parameters(parse_config(config)).total == built_parameters(config)


@pytest.mark.parametrize(("preset_id", "billions"), PUBLISHED_BILLIONS.items())
def test_that_totals_are_the_published_ones(preset_id: str, billions: float) -> None:
    assert parameters(preset(preset_id)).total / 1e9 == pytest.approx(billions, rel=0.012)


@pytest.mark.parametrize(("preset_id", "billions"), PUBLISHED_ACTIVE_BILLIONS.items())
def test_that_active_parameters_are_the_published_ones(preset_id: str, billions: float) -> None:
    assert parameters(preset(preset_id)).active / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize(
    ("preset_id", "exact"),
    [
        ("chatglm2-6b", 6_243_584_000),
        ("glm-4-9b", 9_399_951_360),
        ("llama-3.1-70b", 70_553_706_496),
        ("mixtral-8x7b", 46_702_792_704),
        ("qwen3-next-80b-a3b", 79_674_391_296),
    ],
)
def test_that_a_total_equals_the_published_weights_exactly(preset_id: str, exact: int) -> None:
    assert parameters(preset(preset_id)).total == exact


def test_that_the_parts_add_up() -> None:
    for preset_id in preset_ids():
        counts = parameters(preset(preset_id))
        parts = (counts.embeddings, counts.attention, counts.mlp, counts.state, counts.norms, counts.head)
        assert sum(parts) == counts.total
        assert counts.active <= counts.total
        states = [layer.state for layer in preset(preset_id).layers if layer.state is not None]
        assert all(state.parameters is not None for state in states)


@pytest.mark.parametrize(
    ("architecture", "preset_id"),
    [(name, name) for name in ("llama-2-70b", "llama-3.1-8b", "llama-3.1-405b", "mixtral-8x7b", "qwen2.5-7b")]
    + [("mistral-7b", "mistral-7b-v0.1")],
)
def test_that_the_pages_on_quantization_and_lora_count_the_same(architecture: str, preset_id: str) -> None:
    counts, shapes = parameters(preset(preset_id)), PRESETS[architecture]
    assert shapes.parameters == counts.total
    matrices = shapes.linear_shapes
    assert shapes.copies("q_proj") * matrices["q_proj"][0] * matrices["q_proj"][1] <= counts.query
    attention, mlp = shapes.block
    beside = attention.q_bias + attention.k_bias + attention.v_bias + mlp.router
    assert shapes.linear_parameters == counts.attention + counts.mlp - len(preset(preset_id).layers) * beside
