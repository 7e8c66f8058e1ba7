from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from core.language_model.data import batch_loss, ordered_batches
from core.language_model.memory import (
    SavedActivations,
    gradient_bytes,
    measure_step,
    optimizer_bytes,
    tensor_bytes,
    weight_bytes,
)
from core.language_model.small_model import SmallModel
from core.language_model.table_task import table_task

FLOAT = 4


def test_that_shared_storages_are_counted_once() -> None:
    tensor = torch.zeros(63, 1000)
    assert tensor_bytes([tensor, tensor.T, tensor[3:], torch.zeros(0)]) == 63 * 1000 * FLOAT


def test_that_a_step_of_two_layers_holds_what_their_sizes_say() -> None:
    batch, wide, narrow = 63, 1000, 17
    model = nn.Sequential(nn.Linear(wide, narrow), nn.ReLU(), nn.Linear(narrow, 1))
    optimizer = torch.optim.Adam(model.parameters())
    inputs = torch.randn(batch, wide)
    numbers = wide * narrow + narrow + narrow + 1

    use = measure_step(model, optimizer, lambda: model(inputs).sum())

    assert use.weights_bytes == use.gradients_bytes == numbers * FLOAT
    assert use.optimizer_bytes == 2 * numbers * FLOAT + 4 * FLOAT  # and a step counter for each of four parameters
    # Saved: the input of each linear layer; relu keeps its output, which is the second layer's input.
    assert use.activations_bytes == (batch * wide + batch * narrow) * FLOAT
    assert use.peak_bytes is None
    assert use.total_bytes == use.weights_bytes * 4 + 4 * FLOAT + use.activations_bytes
    assert gradient_bytes(model) == 0


def test_that_measuring_a_step_is_that_step() -> None:
    def stepped(measured: bool) -> torch.Tensor:
        torch.manual_seed(0)
        model = nn.Linear(63, 3)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        inputs = torch.randn(5, 63)
        for _ in range(3):
            if measured:
                measure_step(model, optimizer, lambda: model(inputs).square().mean())
            else:
                model(inputs).square().mean().backward()
                optimizer.step()
                optimizer.zero_grad()
        return model.weight.detach()

    with torch.random.fork_rng():
        assert torch.equal(stepped(True), stepped(False))


def test_that_frozen_weights_have_no_gradients_and_no_state(tiny: SmallModel) -> None:
    model = tiny.model
    for name, weight in model.named_parameters():
        weight.requires_grad_("layers.1.mlp.up_proj" in name)
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trainable)
    assert tiny.world is not None
    batch = next(ordered_batches(table_task(tiny.world).train[:4], tiny.tokenizer, 4))

    use = measure_step(model, optimizer, lambda: batch_loss(model, batch))

    assert use.gradients_bytes == tensor_bytes(trainable) < use.weights_bytes / 10
    assert use.optimizer_bytes == pytest.approx(2 * use.gradients_bytes, abs=8)
    assert use.activations_bytes > 0


def test_that_the_tied_head_of_the_small_model_is_counted_once(trained: SmallModel) -> None:
    buffers = sum(buffer.numel() for buffer in trained.model.buffers())
    assert weight_bytes(trained.model) == (trained.parameters + buffers) * FLOAT


def test_that_an_optimizer_before_its_first_step_holds_nothing() -> None:
    assert optimizer_bytes(torch.optim.Adam(nn.Linear(3, 3).parameters())) == 0


def test_that_what_the_graph_lets_go_is_no_longer_counted() -> None:
    model = nn.Linear(1000, 1)
    with SavedActivations(model) as saved:
        output = model(torch.randn(63, 1000))
        assert saved.bytes_now() == 63 * 1000 * FLOAT
        del output
        gc.collect()
        assert saved.bytes_now() == 0
