"""What is modelled from shapes is what transformers and peft build."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.engine.environment import environment_of
from core.language_model.folder_files import read_config
from core.language_model.libraries import silent_transformers
from core.language_model.memory import gradient_bytes, optimizer_bytes, weight_bytes
from core.language_model.model import build_model, linear_names, parameter_count
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel, small_model
from core.model_presets import PRESETS, Architecture
from core.topics.fine_tuning import TOPIC
from core.topics.fine_tuning.experiment.building import build
from core.topics.fine_tuning.experiment.module_places import parameter_parts, places_of_model
from core.topics.fine_tuning.methods import ADAPTERS, METHODS, PROMPTS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import prefix_mask
from core.topics.fine_tuning.shapes import MATRICES, Shape, shape_of_config, shape_of_small_model
from core.topics.fine_tuning.trained_modules import (
    NF4_BITS,
    NF4_BLOCK,
    NF4_NESTED_BLOCK,
    Sizes,
    base_parameters,
    counts_of,
    places_of,
    trained_at,
)
from kernels.quantization.formats import FORMATS, FormatId
from tests.topics.fine_tuning_runs import quick

SHAPE = shape_of_small_model(TINY)
SIZES = Sizes(virtual_tokens=4, prefix_hidden=8, rank=2, initial_rank=3, targets=("q_proj", "down_proj"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SmallModel:
    from core.language_model.cache import Cache

    return small_model(TINY, cache=Cache(tmp_path_factory.mktemp("models")))


def test_that_the_places_of_the_shape_are_those_of_the_model() -> None:
    model = build_model(TINY)
    assert places_of_model(model) == places_of(SHAPE)
    assert base_parameters(SHAPE) == parameter_count(model)


def test_that_every_parameter_of_other_families_has_a_place() -> None:
    with silent_transformers():
        from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM

        gpt2 = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=64, n_positions=16, n_embd=8, n_layer=2, n_head=2, bos_token_id=None, eos_token_id=None
            )
        )
        sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        neox = GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=64, **sizes, bos_token_id=None, eos_token_id=None))
    for model, kind in ((gpt2, "qkv_proj"), (neox, "qkv_proj"), (build_model(TINY), "k_proj")):
        places = places_of_model(model)
        assert sum(place.parameters for place in places) == parameter_count(model)
        assert not any("other" in place.id for place in places)
        counts = {place.id: place.parameters for place in places}
        assert all(counts[f"layer.{layer}.{part}"] > 0 for layer in range(2) for part in (kind, "o_proj", "down_proj"))


@pytest.mark.parametrize("method", METHODS)
def test_that_counts_by_place_are_those_that_peft_builds(method: MethodId, trained: SmallModel) -> None:
    targets = list(SIZES.targets)
    built = build(method, trained.model, trained.tokenizer, _examples(trained), targets, quick())
    named = [(name, weight) for name, weight in built.model.named_parameters() if weight.requires_grad]
    built_at: dict[str, int] = {}
    for part in parameter_parts(built.model, method, named):
        built_at[part.place] = built_at.get(part.place, 0) + part.of(part.parameter.detach()).numel()
    shape = replace(SHAPE, vocabulary=len(trained.tokenizer))
    counts = counts_of(shape, method, SIZES)
    assert built_at == dict(trained_at(shape, method, SIZES)) == dict(counts.trained_at)
    if method is not MethodId.FULL:
        trainable, total = built.model.get_nb_trainable_parameters()
        assert trainable == counts.trainable_parameters
        # Rows of this model are not whole blocks, so bytes with two weights each are this project's, which peft counts.
        assert total == counts.total_parameters or method is MethodId.QLORA


def test_that_4_bits_are_counted_as_the_quantization_page_counts_them() -> None:
    assert FORMATS[FormatId.NF4].bits_per_parameter(NF4_BLOCK, NF4_NESTED_BLOCK) == NF4_BITS


@given(
    tokens=st.integers(1, 200), hidden=st.integers(1, 64), rank=st.integers(1, 32), more=st.integers(0, 16),
    targets=st.sets(st.sampled_from(MATRICES), min_size=1),
)  # fmt: skip
def test_that_totals_are_the_sums_of_places_whatever_the_sizes(
    tokens: int, hidden: int, rank: int, more: int, targets: set[str]
) -> None:
    sizes = Sizes(tokens, hidden, rank, rank + more, tuple(sorted(targets)))
    counts = {method: counts_of(SHAPE, method, sizes) for method in METHODS}
    for of_method in counts.values():
        assert of_method.trainable_parameters == sum(of_method.trained_at.values()) > 0
        assert 0 < of_method.share <= 1
    assert counts[MethodId.P_TUNING_V2].trainable_parameters == (
        2 * SHAPE.layers * counts[MethodId.PROMPT_TUNING].trainable_parameters
    )
    assert counts[MethodId.QLORA].memory.weights_bytes < counts[MethodId.LORA].memory.weights_bytes
    assert counts[MethodId.ADALORA].trainable_parameters > counts[MethodId.LORA].trainable_parameters


def test_that_prefix_columns_are_seen_by_every_query() -> None:
    for method in PROMPTS:
        mask = prefix_mask(method, 3, 5)
        assert mask[-5:, :3].all()
        np.testing.assert_array_equal(mask[-5:, 3:], np.tri(5, dtype=bool))
    assert prefix_mask(MethodId.P_TUNING_V2, 3, 5).shape == (5, 8)
    assert prefix_mask(MethodId.PROMPT_TUNING, 3, 5).shape == (8, 8)
    assert prefix_mask(MethodId.LORA, 3, 5).shape == (5, 5)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"methods": "lora, magic"}, "methods", "'magic', which does not exist"),
        ({"methods": " , "}, "methods", "methods is empty"),
        ({"virtual_tokens": 512}, "virtual_tokens", "context of 512"),
        ({"rank": 256}, "rank", "Rank 256 is above the 128"),
        ({"rank": 128}, "rank", "AdaLoRA would start with rank 192"),
        ({"target_modules": "q_proj, magic"}, "target_modules", "down_proj"),
        ({"model": "/nowhere/at/all"}, "model", "does not exist"),
    ],
)
def test_that_what_cannot_be_is_refused_in_one_sentence(changes: dict[str, object], field: str, words: str) -> None:
    with pytest.raises(InvalidParams, match=words) as raised:
        TOPIC.check(FineTuningParams.parse(changes))
    assert raised.value.field == field
    assert raised.value.sentence.count(". ") == 0


def test_that_a_run_is_stamped_with_the_libraries_that_did_the_work() -> None:
    stamped = environment_of(TOPIC, FineTuningParams(), "cpu")
    assert stamped.backend == "torch, transformers, peft"
    assert {"tilescope", "torch", "transformers", "peft"} <= set(stamped.versions)
    assert stamped.versions["peft"] == version("peft")
    assert TOPIC.packages == ("transformers", "peft", "bitsandbytes")


def test_that_what_no_chosen_method_has_is_not_checked() -> None:
    TOPIC.check(FineTuningParams.parse({"methods": "full", "virtual_tokens": 1024, "rank": 1024}))
    TOPIC.check(FineTuningParams.parse({"methods": "lora", "rank": 128}))


def test_that_the_plan_says_what_is_wrong_and_still_has_counts() -> None:
    plan = TOPIC.plan(FineTuningParams.parse({"model": "/nowhere/at/all"}))
    assert "/nowhere/at/all" in str(plan.problem)
    assert plan.blames == "model"
    assert set(plan.counts) == set(METHODS)


def test_that_a_folders_shape_is_read_from_its_configuration(trained: SmallModel, tmp_path: Path) -> None:
    assert trained.folder is not None
    shape = shape_of_config(trained.folder.name, read_config(trained.folder))
    assert shape is not None
    assert replace(shape, name=SHAPE.name) == replace(SHAPE, vocabulary=len(trained.tokenizer))
    without_config = TOPIC.plan(FineTuningParams.parse({"model": str(tmp_path)}))
    assert (without_config.shape, without_config.blames) == (shape_of_small_model(), "model")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_embd": 8}))
    assert shape_of_config(tmp_path.name, read_config(tmp_path)) is None
    assert TOPIC.plan(FineTuningParams.parse({"model": str(tmp_path)})).shape == shape_of_small_model()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_that_the_notes_have_the_counted_shares_of_p_tuning_v2(language: str) -> None:
    notes = (Path(__file__).parents[2] / "resources/notes" / language / "fine-tuning.md").read_text(encoding="utf-8")
    small = TOPIC.plan(FineTuningParams()).counts[MethodId.P_TUNING_V2]
    base = small.total_parameters - small.extra_parameters
    for number in (f"{small.trainable_parameters:,}", f"{base:,}", f"{100 * small.share:.2f}%"):
        assert number in notes
    assert f"{100 * small.trainable_parameters / base:.2f}%" in notes
    sizes = replace(SIZES, virtual_tokens=16)
    for name in ("llama-7b", "llama-3.1-8b"):
        counts = counts_of(_shape_of_preset(PRESETS[name]), MethodId.P_TUNING_V2, sizes)
        base = counts.total_parameters - counts.extra_parameters
        assert f"{100 * counts.trainable_parameters / base:.3f}%" in notes


@pytest.mark.parametrize("method", [MethodId.FULL, MethodId.LORA, MethodId.QLORA, MethodId.P_TUNING_V2])
def test_that_modelled_memory_is_what_tensors_take(method: MethodId, trained: SmallModel) -> None:
    import torch

    from core.language_model.adapters import trainable

    built = build(method, trained.model, trained.tokenizer, _examples(trained), list(MATRICES), quick())
    optimizer = torch.optim.AdamW(trainable(built.model))
    for weight in trainable(built.model):
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    counts = counts_of(replace(SHAPE, vocabulary=len(trained.tokenizer)), method, replace(SIZES, targets=MATRICES))
    states = 4 * len(trainable(built.model))  # the step that AdamW counts for each tensor
    assert gradient_bytes(built.model) == counts.memory.gradients_bytes
    assert optimizer_bytes(optimizer) == counts.memory.optimizer_bytes + states
    levels = 4 * (16 + 256 + 2) * len(linear_names(trained.model)) if method is MethodId.QLORA else 0
    assert counts.memory.weights_bytes <= weight_bytes(built.model) <= 1.05 * counts.memory.weights_bytes + levels
    assert method not in ADAPTERS or counts.extra_parameters == counts.trainable_parameters


def _examples(trained: SmallModel) -> tuple:  # type: ignore[type-arg]
    from core.language_model.table_task import table_task

    assert trained.world is not None
    return table_task(trained.world).train


def _shape_of_preset(preset: Architecture) -> Shape:
    facts, (attention, mlp) = preset.facts, preset.block
    return Shape(
        name=preset.name,
        hidden=facts.hidden,
        layers=preset.layers,
        heads=attention.heads,
        kv_heads=attention.kv_heads,
        head_dim=attention.head_dim,
        intermediate=mlp.width,
        vocabulary=facts.vocabulary,
        context=0,
        tied=facts.tied,
        query_bias=attention.q_bias > 0,
    )


def test_that_a_run_of_more_methods_is_also_one_of_fewer() -> None:
    every, some = FineTuningParams(), FineTuningParams(methods="qlora, lora")
    assert some.needs_same_run_as(every)
    assert some.needs_same_run_as(FineTuningParams(methods="lora, qlora"))
    assert not every.needs_same_run_as(some)
    assert every.needs_same_run_as(every.changed(method="lora"))
    assert not some.needs_same_run_as(every.changed(steps=7))
