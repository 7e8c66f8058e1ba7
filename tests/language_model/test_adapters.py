"""Adapters on a copy of a model, and training that stops at a NaN or infinite loss."""

from __future__ import annotations

import pickle

import pytest
import torch

from core.contracts.errors import InvalidParams
from core.language_model.adapters import (
    NonFiniteLoss,
    adapted_layers,
    target_modules,
    train_steps,
    trainable,
    trainable_copy,
    with_adapter,
)
from core.language_model.data import task_batches
from core.language_model.model import linear_names
from core.language_model.small_model import SmallModel
from core.language_model.table_task import table_task
from core.language_model.torch_state import torch_threads

KINDS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def test_that_all_target_modules_are_the_kinds_of_the_blocks(trained: SmallModel) -> None:
    assert target_modules(trained.model, "all") == KINDS
    assert adapted_layers(trained.model, KINDS) == linear_names(trained.model)


@pytest.mark.parametrize(
    ("modules", "layers"),
    [("q_proj, v_proj ,q_proj", 4), ("mlp.down_proj", 2), ("layers.1.self_attn.k_proj", 1)],
)
def test_that_named_target_modules_are_the_layers_that_peft_adapts(
    modules: str, layers: int, trained: SmallModel
) -> None:
    targets = target_modules(trained.model, modules)
    names = adapted_layers(trained.model, targets)
    from peft import LoraConfig

    model = with_adapter(trained.model, LoraConfig(r=2, target_modules=targets, task_type="CAUSAL_LM"), 0)
    theirs = [name for name, layer in model.base_model.model.named_modules() if hasattr(layer, "lora_A")]
    assert names == theirs
    assert len(names) == layers


@pytest.mark.parametrize("modules", ["c_attn", "q_proj, proj", "", " , ", "embed_tokens"])
def test_that_a_target_module_that_does_not_exist_is_refused_with_those_that_do(
    modules: str, trained: SmallModel
) -> None:
    with pytest.raises(InvalidParams, match=", ".join(KINDS)) as refused:
        target_modules(trained.model, modules, "modules")
    assert refused.value.field == "modules"


def test_that_an_adapter_follows_from_its_seed_and_leaves_the_model_as_it_was(trained: SmallModel) -> None:
    from peft import LoraConfig

    config = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    names, state = list(dict(trained.model.named_parameters())), torch.get_rng_state()
    one, same, other = (with_adapter(trained.model, config, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert list(dict(trained.model.named_parameters())) == names
    firsts = [next(weight for weight in trainable(model) if weight.any()) for model in (one, same, other)]
    assert torch.equal(firsts[0], firsts[1])
    assert not torch.equal(firsts[0], firsts[2])


def test_that_training_a_copy_does_not_train_the_model(trained: SmallModel) -> None:
    assert trained.world is not None
    before = [weight.clone() for weight in trained.model.parameters()]
    twin = trainable_copy(trained.model).train()
    batches = task_batches(table_task(trained.world).train, trained.tokenizer, 4, 0)
    optimizer = torch.optim.SGD(trainable(twin), lr=0.1)
    seen: list[tuple[str, int]] = []
    with torch_threads(1):
        taken = list(
            train_steps(
                twin,
                batches,
                optimizer,
                3,
                after_backward=lambda step: seen.append(("backward", step)),
                after_step=lambda step: seen.append(("step", step)),
            )
        )
    assert [step.step for step in taken] == [1, 2, 3]
    assert seen == [(what, step) for step in (1, 2, 3) for what in ("backward", "step")]
    assert all(torch.equal(*pair) for pair in zip(before, trained.model.parameters(), strict=True))
    assert not all(torch.equal(*pair) for pair in zip(before, twin.parameters(), strict=True))


@pytest.mark.parametrize(("loss", "word"), [(float("nan"), "NaN"), (float("-inf"), "infinite")])
def test_that_a_loss_that_is_no_number_crosses_processes_with_its_step(loss: float, word: str) -> None:
    again = pickle.loads(pickle.dumps(NonFiniteLoss(41, loss)))
    assert f"step 41 is {word}" in again.sentence
    assert again.step == 41
