"""What the parameters accept, and when a run still fits them."""

from __future__ import annotations

import pytest

from core.contracts.errors import InvalidParams
from core.topics.attention_heads.params import AttentionHeadsParams

DEFAULTS = AttentionHeadsParams()


@pytest.mark.parametrize(
    "change",
    [
        {"batch": 8},
        {"context": 1000},
        {"gpu": "h200"},
        {"weight_dtype": "int4"},
        {"tensor_parallel": 8},
        {"page_size": 256},
        {"keep_sliding_whole": True},
        {"cache_dtype": "int4"},  # traced in bf16, as the default
    ],
)
def test_that_how_a_model_is_served_leaves_a_run_valid(change: dict[str, object]) -> None:
    assert DEFAULTS.needs_same_run_as(DEFAULTS.changed(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gpt2"},
        {"config": "x/config.json"},
        {"attention": "mla"},
        {"kv_heads": 4},
        {"traced_context": 64},
        {"cache_dtype": "fp8"},
        {"cache_dtype": "fp16"},
        {"convert": False},
        {"model_folder": "x"},
        {"text_file": "x.txt"},
        {"tuning_steps": 5},
        {"seed": 1},
    ],
)
def test_that_what_is_traced_needs_a_new_run(change: dict[str, object]) -> None:
    assert not DEFAULTS.needs_same_run_as(DEFAULTS.changed(**change))


def test_that_a_run_that_converts_is_also_one_that_does_not() -> None:
    plain = DEFAULTS.changed(convert=False)
    assert plain.needs_same_run_as(DEFAULTS)
    assert plain.needs_same_run_as(DEFAULTS.changed(tuning_steps=5))
    assert not plain.needs_same_run_as(DEFAULTS.changed(seed=1))


def test_that_a_configuration_alone_converts_nothing_and_a_folder_does() -> None:
    assert DEFAULTS.converts
    assert not DEFAULTS.changed(config="x/config.json").converts
    assert DEFAULTS.changed(config="x/config.json", model_folder="x").converts
    assert not DEFAULTS.changed(convert=False, model_folder="x").converts


@pytest.mark.parametrize(
    ("change", "field"),
    [({"context": "0"}, "context"), ({"model": "llama-9"}, "model"), ({"kv_heads": "many"}, "kv_heads"),
     ({"page_size": "17"}, "page_size"), ({"cache_dtype": "fp4"}, "cache_dtype")],
)  # fmt: skip
def test_that_a_value_out_of_range_is_blamed_on_its_field(change: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        AttentionHeadsParams.parse(change)
    assert refused.value.field == field


def test_that_a_context_out_of_range_is_told_without_an_exponent() -> None:
    with pytest.raises(InvalidParams, match="between 1 and 16,777,216 tokens"):
        AttentionHeadsParams.parse({"context": 10**11})
