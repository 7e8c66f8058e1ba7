"""The converted model, its heads' errors, and models that cannot be converted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.contracts.errors import InvalidParams
from core.language_model.libraries import silent_transformers
from core.topics.attention_heads.experiment.conversion.layers import AttentionLayers, attention_layers
from core.topics.attention_heads.experiment.conversion.measuring import gram_matrices, head_errors
from core.topics.attention_heads.experiment.conversion.pooling import pooled_copy, query_head_order, reordered_copy
from tests.topics.conversion_cases import built, groups_of, logits, no_progress, tokens


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "mistral"])
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_that_reordering_the_heads_leaves_the_logits(kind: str, kv_heads: int) -> None:
    model, ids = built(kind, 4, kv_heads), tokens()
    groups = groups_of([0, 1, 1, 0], [0, 1, 0, 1]) if kv_heads == 4 else groups_of([1, 0], [0, 1])

    reordered = reordered_copy(model, attention_layers(model), groups)

    assert not torch.equal(
        reordered.model.layers[0].self_attn.q_proj.weight, model.model.layers[0].self_attn.q_proj.weight
    )
    torch.testing.assert_close(logits(reordered, ids), logits(model, ids), rtol=1e-4, atol=1e-5)


def with_shared_heads(model: Any, groups: np.ndarray) -> Any:
    """MHA in which every head has the mean K and V of its group: what the converted model must compute."""
    model = copy.deepcopy(model)
    for block, layer_groups in zip(model.model.layers, groups, strict=True):
        for projection in (block.self_attn.k_proj, block.self_attn.v_proj):
            for weight in projection.parameters():
                heads = weight.data.view(len(layer_groups), -1, *weight.shape[1:])
                means = [heads[layer_groups == group].mean(dim=0) for group in layer_groups]
                weight.data.copy_(torch.cat(means))
    return model


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("groups", [groups_of([0, 1, 1, 0], [0, 1, 0, 1]), groups_of([0] * 4, [0] * 4)])
def test_that_the_pooled_model_equals_mha_with_shared_means(kind: str, groups: np.ndarray) -> None:
    model, ids = built(kind), tokens()
    pooled = pooled_copy(model, attention_layers(model), groups)

    torch.testing.assert_close(logits(pooled, ids), logits(with_shared_heads(model, groups), ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("kv_heads", "count"), [(4, 2), (4, 1), (2, 1)])
def test_that_the_pooled_model_is_what_transformers_builds_from_its_config(
    kv_heads: int, count: int, tmp_path: Path
) -> None:
    model, ids = built("llama", 4, kv_heads), tokens()
    pooled = pooled_copy(
        model, attention_layers(model), np.zeros((2, kv_heads), np.int32) + np.arange(kv_heads) % count
    )

    assert pooled.config.num_key_value_heads == count
    assert model.config.num_key_value_heads == kv_heads
    rebuilt = type(model)(copy.deepcopy(pooled.config))
    rebuilt.load_state_dict(pooled.state_dict())
    assert torch.equal(logits(rebuilt, ids), logits(pooled, ids))
    with torch.no_grad():
        past = pooled(input_ids=ids, use_cache=True).past_key_values
    assert past.layers[0].keys.shape == (2, count, 11, 6)
    with silent_transformers():
        pooled.save_pretrained(tmp_path)
        reopened = type(model).from_pretrained(tmp_path)
    assert torch.equal(logits(reopened, ids), logits(pooled, ids))


def test_that_converting_leaves_the_model_as_it_was() -> None:
    model = built()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}

    pooled_copy(model, attention_layers(model), groups_of([0] * 4, [0] * 4))

    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


# What cannot be converted.


def gpt2() -> Any:
    with silent_transformers():
        from transformers import GPT2Config, GPT2LMHeadModel

        return GPT2LMHeadModel(GPT2Config(vocab_size=60, n_embd=24, n_head=4, n_layer=2, n_positions=32))


def opt() -> Any:
    with silent_transformers():
        from transformers import OPTConfig, OPTForCausalLM

        return OPTForCausalLM(
            OPTConfig(vocab_size=60, hidden_size=24, num_attention_heads=4, num_hidden_layers=2, ffn_dim=8)
        )


def of_different_layers() -> Any:
    model = built()
    attention = model.model.layers[1].self_attn
    attention.num_key_value_groups, rows = 2, 12
    attention.k_proj, attention.v_proj = (torch.nn.Linear(24, rows, bias=False) for _ in range(2))
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (gpt2, "gpt2 model has separate linear layers q_proj, k_proj, v_proj and o_proj in 0 of its 2 layers"),
        (opt, "in 0 of its 2 layers"),
        (lambda: built("phi3", pad_token_id=0), "use a model with them in every layer, such as a Llama"),
        (lambda: built("llama", 4, 1), r"already has one KV head \(MQA\)"),
        (lambda: built("olmo2"), "has the weight q_norm.weight, which may belong to single heads"),
        (of_different_layers, "differ in their number of heads"),
    ],
)
def test_that_a_model_that_cannot_be_converted_is_refused_in_one_sentence(
    make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(InvalidParams, match=message) as error:
        attention_layers(make(), "model")

    assert error.value.field == "model"


# Errors of heads.


def test_that_reordered_heads_have_no_error() -> None:
    model, layers = built(), attention_layers(built())
    groups = groups_of([0, 1, 1, 0], [0, 1, 0, 1])

    errors = head_errors(model, reordered_copy(model, layers, groups), layers, groups, [tokens()], no_progress)

    assert errors.together.shape == errors.alone.shape == (2, 4)
    assert float(errors.together.max()) < 1e-5
    assert float(errors.alone.max()) < 1e-5


def heads_outputs(model: Any, ids: torch.Tensor, layer: int) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    projection = model.model.layers[layer].self_attn.o_proj
    hook = projection.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0].view(-1, 4, 6)))
    logits(model, ids)
    hook.remove()
    return kept[0].double()


def test_that_the_errors_are_those_of_mha_with_shared_means() -> None:
    model, ids = built(), tokens(3)
    layers, groups = attention_layers(model), groups_of([0, 1, 1, 0], [0, 1, 0, 1])
    both, second = with_shared_heads(model, groups), with_shared_heads(model, groups)
    second.model.layers[0] = model.model.layers[0]  # only the second layer is converted

    errors = head_errors(model, pooled_copy(model, layers, groups), layers, groups, [ids[:2], ids[2:]], no_progress)

    before = heads_outputs(model, ids, 1)
    for expected, changed in ((errors.together[1], both), (errors.alone[1], second)):
        moved = heads_outputs(changed, ids, 1) - before
        by_head = (moved.square().sum((0, 2)) / before.square().sum((0, 2))).sqrt()
        np.testing.assert_allclose(expected, by_head.numpy(), rtol=1e-4)
    np.testing.assert_allclose(errors.together[0], errors.alone[0], rtol=1e-5)


def test_that_measuring_leaves_no_hooks_behind() -> None:
    model, layers = built(), attention_layers(built())
    pooled = pooled_copy(model, layers, groups_of([0] * 4, [0] * 4))

    def stop(done: float, total: float, phase: object) -> None:
        if done == 1:
            raise KeyboardInterrupt

    for work in (
        lambda: head_errors(model, pooled, layers, groups_of([0] * 4, [0] * 4), [tokens()] * 2, stop),
        lambda: gram_matrices(model, layers, [tokens()] * 2, stop),
    ):
        with pytest.raises(KeyboardInterrupt):
            work()
    for module in (*model.modules(), *pooled.modules()):
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_that_query_heads_move_with_their_kv_head() -> None:
    layers = AttentionLayers(("a",), heads=6, kv_heads=3, head_dim=2)

    assert query_head_order(layers, np.array([0, 1, 0], dtype=np.int32)).tolist() == [0, 1, 4, 5, 2, 3]
