"""Traps in config.json: names, nesting, patterns, missing fields, and values that no model has."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from core.contracts.errors import InvalidParams, UnknownName
from core.model_configs import (
    CacheSetting,
    bytes_per_token,
    needed_bytes,
    parameters,
    parse_config,
    preset,
    preset_ids,
    read_model,
)
from core.model_configs.families import FAMILIES
from tests.model_configs.tiny import CACHE_ONLY, TINY

LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "torch_dtype": "bfloat16",
}


def told(config: dict[str, Any]) -> str:
    """The sentence with which the configuration is refused."""
    with pytest.raises(InvalidParams) as caught:
        parse_config(config, field="config")
    assert caught.value.field == "config"
    return caught.value.sentence


def windows(config: dict[str, Any]) -> list[int | None]:
    return [layer.attention.window if layer.attention else None for layer in parse_config(config).layers]


def test_that_a_given_head_dim_is_read_and_not_derived() -> None:
    assert bytes_per_token(parse_config(LLAMA)) == 4 * 2 * 2 * 8 * 2
    assert bytes_per_token(parse_config({**LLAMA, "head_dim": 32})) == 4 * 2 * 2 * 32 * 2
    assert bytes_per_token(parse_config({**LLAMA, "hidden_size": 60, "head_dim": 32})) == 4 * 2 * 2 * 32 * 2


@pytest.mark.parametrize("name", ["text_config", "llm_config", "language_config", "decoder"])
def test_that_a_nested_language_model_is_found(name: str) -> None:
    nested = parse_config({"model_type": "outer", "vision_config": {"hidden_size": 7}, name: LLAMA})
    assert nested.layers == parse_config(LLAMA).layers
    assert nested.architecture == "llama"


def test_that_the_vision_part_is_not_taken_for_the_language_model() -> None:
    assert len(preset("gemma-3-27b").layers) == 62
    assert "hidden_size" in told({"model_type": "llava", "num_hidden_layers": 2, "vision_config": {"hidden_size": 64}})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model_type": "mistral", "sliding_window": 5}, [5, 5, 5, 5]),
        ({"model_type": "mistral", "sliding_window": None}, [None] * 4),
        ({"model_type": "qwen2", "sliding_window": 5, "use_sliding_window": False, "max_window_layers": 2}, [None] * 4),
        (
            {"model_type": "qwen2", "sliding_window": 5, "use_sliding_window": True, "max_window_layers": 2},
            [None, None, 5, 5],
        ),
        ({"model_type": "gemma2", "sliding_window": 5}, [5, None, 5, None]),
        ({"model_type": "gemma3_text", "sliding_window": 5, "sliding_window_pattern": 3}, [5, 5, None, 5]),
        ({"model_type": "cohere2", "sliding_window": 5}, [5, 5, 5, None]),
        ({"model_type": "exaone4", "sliding_window": 5, "sliding_window_pattern": "LLG"}, [5, 5, None, 5]),
        ({"model_type": "gpt_oss", "sliding_window": 5}, [5, None, 5, None]),
        (
            {"model_type": "new", "sliding_window": 5, "layer_types": ["full_attention"] * 3 + ["sliding_attention"]},
            [None, None, None, 5],
        ),
        ({"model_type": "llama", "sliding_window": None}, [None] * 4),
    ],
)
def test_that_the_sliding_layers_are_the_right_ones(fields: dict[str, Any], expected: list[int | None]) -> None:
    assert windows({**LLAMA, **fields}) == expected


@pytest.mark.parametrize("model_type", sorted(set(TINY) - {"gpt_neo"}))
def test_that_layers_are_of_the_kind_that_transformers_gives_them(model_type: str) -> None:
    """The published files leave `layer_types` out; transformers derives it."""
    theirs = getattr(CONFIG_MAPPING[model_type](**TINY[model_type]), "layer_types", None)
    if theirs is None:
        return
    kinds = {
        "full": "full_attention",
        "latent": "full_attention",
        "sliding": "sliding_attention",
        "chunked": "chunked_attention",
        "state": "linear_attention",
        "hybrid": "hybrid",
        "none": "mlp",
    }
    legacy = {"mamba": "linear_attention", "attention": "full_attention", "conv": "linear_attention"}
    ours = [kinds[layer.kind] for layer in parse_config({**TINY[model_type], "model_type": model_type}).layers]
    assert ours == [legacy.get(kind, kind) for kind in theirs]


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_that_assumed_defaults_are_those_of_the_published_class(model_type: str) -> None:
    if model_type not in CONFIG_MAPPING or model_type == "gemma3":
        return
    theirs = CONFIG_MAPPING[model_type]()
    for name, value in FAMILIES[model_type].defaults.items():
        assert getattr(theirs, name) == value, name
    tied = getattr(theirs, "tie_word_embeddings", None)
    assert tied is None or tied == FAMILIES[model_type].tied


def test_that_kv_heads_may_differ_by_layer() -> None:
    """OpenELM lists them; DeciLM gives query heads per KV head in each block, and blocks without attention."""
    openelm = {
        "model_type": "openelm",
        "model_dim": 64,
        "num_transformer_layers": 3,
        "num_query_heads": [4, 4, 8],
        "num_kv_heads": [1, 2, 2],
        "head_dim": 16,
        "vocab_size": 100,
        "ffn_multipliers": [0.5, 1.0, 2.0],
    }
    assert bytes_per_token(parse_config(openelm)) == (1 + 2 + 2) * 2 * 16 * 2
    blocks = [{"attention": {"n_heads_in_group": 4}}, {"attention": {"no_op": True, "n_heads_in_group": None}}]
    decilm = {
        **LLAMA,
        "model_type": "deci",
        "num_key_value_heads": None,
        "num_hidden_layers": 2,
        "block_configs": blocks,
    }
    assert bytes_per_token(parse_config(decilm)) == (8 // 4) * 2 * 8 * 2


def test_that_layers_that_share_a_cache_count_once() -> None:
    gemma = parse_config({**CACHE_ONLY["gemma3n_text"], "model_type": "gemma3n_text"})
    assert [layer.attention.cache_of for layer in gemma.layers if layer.attention] == [None, None, None, None, 2, 3]
    hunyuan = parse_config({**LLAMA, "model_type": "hunyuan", "use_cla": True, "cla_share_factor": 2})
    assert bytes_per_token(hunyuan) == bytes_per_token(parse_config(LLAMA)) // 2


def test_that_chatglm_without_multi_query_has_all_kv_heads() -> None:
    chatglm = {
        "model_type": "chatglm",
        "hidden_size": 64,
        "num_layers": 2,
        "num_attention_heads": 4,
        "multi_query_attention": False,
        "multi_query_group_num": 1,
        "padded_vocab_size": 100,
    }
    assert bytes_per_token(parse_config(chatglm)) == 2 * 2 * 4 * 16 * 2
    assert bytes_per_token(parse_config({**chatglm, "multi_query_attention": True})) == 2 * 2 * 1 * 16 * 2


def test_that_an_unknown_model_type_is_read_and_what_was_assumed_is_told() -> None:
    facts = parse_config({**LLAMA, "model_type": "brand_new"})
    assert [str(text) for text in facts.assumed] == [
        "The model type 'brand_new' is not known: norms, biases and MLP are counted as in Llama.",
        "head_dim is missing: hidden size / heads = 8 is assumed.",
    ]
    assert parameters(facts) == parameters(parse_config(LLAMA))
    bare = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    told_of = " ".join(str(text) for text in parse_config(bare).assumed)
    for name in ("model_type", "vocab_size", "bfloat16", "num_key_value_heads", "head_dim"):
        assert name in told_of
    assert not parse_config(LLAMA).assumed


@pytest.mark.parametrize(("family", "counted"), [("minimax", False), ("kimi_linear", False), ("zamba2", True)])
def test_that_mixers_that_are_not_counted_as_parameters_are_told(family: str, counted: bool) -> None:
    facts = parse_config(ALL[family])
    told_of = " ".join(str(text) for text in facts.assumed)
    assert ("only norms and MLP are counted" not in told_of) == counted == (parameters(facts).state > 0)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"num_hidden_layers": None}, "num_hidden_layers"),
        ({"num_attention_heads": None}, "num_attention_heads"),
        ({"hidden_size": None}, "hidden_size"),
        ({"num_key_value_heads": 3}, "8 attention heads cannot be shared among 3 KV heads"),
        ({"num_hidden_layers": "32"}, "num_hidden_layers = '32'"),
        ({"head_dim": -4}, "head_dim = -4"),
        ({"head_dim": 0}, "head_dim = 0"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers = 1000000000"),
        ({"hidden_size": float("nan")}, "hidden_size = nan"),
        ({"sliding_window": float("inf"), "model_type": "mistral"}, "sliding_window = inf"),
        ({"num_key_value_heads": True}, "num_key_value_heads = True"),
        ({"hidden_size": 60}, "no head_dim"),
        ({"layer_types": ["full_attention"]}, "layer_types lists 1 layers, but the model has 4"),
        ({"layer_types": [1, 2, 3, 4]}, "layer_types must be a list"),
        ({"layer_types": "full_attention"}, "layer_types must be a list"),
        ({"hybrid_override_pattern": "MMX*"}, "hybrid_override_pattern"),
        ({"layer_types": ["mamba"] * 4}, "no field tells the size of their state"),
        ({"model_type": "falcon", "multi_query": "false"}, "multi_query = 'false'"),
        ({"attn_config": [1]}, "attn_config must be an object"),
        ({"kv_lora_rank": 8}, "qk_rope_head_dim"),
        ({"num_key_value_heads": [2, 2, None, 2]}, "num_key_value_heads"),
        ({"model_type": "bert"}, "is an encoder"),
        ({"architectures": ["NewForMaskedLM"]}, "is an encoder"),
        ({"model_type": "t5", "is_encoder_decoder": True}, "encoder-decoder"),
    ],
)
def test_that_an_impossible_configuration_is_refused_in_one_sentence(changes: dict[str, Any], part: str) -> None:
    sentence = told({**LLAMA, **changes})
    assert part in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_that_an_empty_configuration_is_refused() -> None:
    assert "no num_hidden_layers, hidden_size, num_attention_heads" in told({})
    assert "no hidden_size:" in told({"num_hidden_layers": 2, "num_attention_heads": 2})


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 300),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.one_of(st.integers(0, 4), st.none(), st.text(max_size=3)), max_size=4),
    st.just({}),
    st.dictionaries(
        st.sampled_from(["num_heads", "head_dim", "attention", "kv_n_heads"]), st.integers(-1, 5), max_size=2
    ),
)
ALL = {name: {**config, "model_type": name} for name, config in {**TINY, **CACHE_ONLY}.items()}
NAMES = sorted({name for config in ALL.values() for name in config} | {"text_config", "block_configs", "attn_config"})


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.dictionaries(st.sampled_from(NAMES), values, max_size=3))
def test_that_any_change_gives_facts_or_one_sentence(family: str, changes: dict[str, Any]) -> None:
    facts, sentence = None, "."
    try:
        facts = parse_config({**ALL[family], **changes})
    except InvalidParams as error:
        sentence = error.sentence
    assert sentence.endswith(".")
    if facts is None:
        return
    assert needed_bytes(facts, CacheSetting(100)) >= 0
    assert parameters(facts).total > 0
    assert all(str(text).endswith(".") for text in facts.assumed)


def test_that_a_file_and_its_folder_give_the_same_facts(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    facts = read_model(folder)
    assert facts == read_model(folder / "config.json")
    assert facts.name == "my-model"


@pytest.mark.parametrize(
    ("contents", "part"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"1" * 10_000, "is not JSON"),
        (b"[1]", "holds no JSON object"),
        (b" " * ((4 << 20) + 1), "larger than any configuration"),
    ],
    ids=["empty", "undecodable", "deep", "long number", "list", "large"],
)
def test_that_a_file_that_is_no_configuration_is_refused(tmp_path: Path, contents: bytes, part: str) -> None:
    (tmp_path / "config.json").write_bytes(contents)
    with pytest.raises(InvalidParams, match=part):
        read_model(tmp_path, "config")


def test_that_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(InvalidParams, match="not a regular file"):
        read_model(tmp_path)
    with pytest.raises(InvalidParams, match="does not exist"):
        read_model(tmp_path / "other.json")


def test_that_presets_are_complete_and_sourced() -> None:
    assert len(preset_ids()) >= 18
    for preset_id in preset_ids():
        facts = preset(preset_id)
        assert facts.source.startswith("https://huggingface.co/")
        assert facts.attention is not None
        assert "is not known" not in " ".join(str(text) for text in facts.assumed)
    with pytest.raises(UnknownName, match="llama-2-7b"):
        preset("llama-9")


def test_that_a_width_beside_a_nested_model_does_not_hide_it() -> None:
    assert parse_config({"model_type": "internvl", "hidden_size": 7, "llm_config": LLAMA}).hidden == 64
    nameless = {name: value for name, value in LLAMA.items() if name != "model_type"}
    assert parse_config({"model_type": "new_vl", "text_config": nameless}).architecture == "new_vl"
