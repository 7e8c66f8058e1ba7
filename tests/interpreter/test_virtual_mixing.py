"""Tensors of the host and of the virtual GPU in one operation: what a GPU refuses, and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from core.hardware.gpus import gpu
from core.interpreter import intercept
from tests.interpreter import traced_kernels as kernels

pytest.importorskip("triton")
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")


@pytest.fixture(autouse=True)
def _trace() -> Iterator[None]:
    with intercept(gpu=gpu("h100-sxm"), faults="record"):
        yield


def _on_gpu(*shape: int) -> torch.Tensor:
    return torch.ones(shape, device="cuda")


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "sum": (lambda: _on_gpu(3) + torch.ones(3), "found at least two devices, cuda:0 and cpu!"),
    "sum with a number of the GPU": (lambda: torch.ones(3) + _on_gpu(), "found at least two devices, cuda:0 and cpu!"),
    "array": (lambda: _on_gpu(3) * torch.from_numpy(np.ones(3)), "found at least two devices, cuda:0 and cpu!"),
    "of a view": (lambda: _on_gpu(2) * torch.ones(3)[1:].view(2), "found at least two devices, cuda:0 and cpu!"),
    "of what was moved back": (lambda: _on_gpu(3) * (_on_gpu(3).cpu() + 1), "found at least two devices"),
    "in place": (lambda: torch.zeros(()).add_(_on_gpu()), "found at least two devices, cuda:0 and cpu!"),
    "product": (lambda: _on_gpu(3, 3) @ torch.ones(3, 3), "got mat2 is on cpu, different from other tensors on cuda:0"),
    "module": (lambda: nn.Linear(3, 2)(_on_gpu(1, 3)), "got mat1 is on cuda:0, different from other tensors on cpu"),
    "embedding": (lambda: nn.Embedding(3, 2).cuda()(torch.tensor(1)), "got indices is on cpu"),
    "list": (lambda: torch.cat([_on_gpu(3), torch.ones(3)]), "got tensors is on cpu"),
    "indices": (lambda: torch.ones(3)[torch.tensor([1], device="cuda")], "indices should be either on cpu or on the"),
    "values": (lambda: _on_gpu(3).index_put_((torch.tensor([1, 2]),), torch.ones(2)), "got values is on cpu"),
    "loss": (lambda: functional.cross_entropy(_on_gpu(2, 3), torch.zeros(2).long()), "Expected all tensors to be on"),
    "random": (
        lambda: torch.rand(2, device="cuda", generator=torch.Generator()),
        "a .cuda. device type for generator",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_that_what_a_gpu_refuses_is_refused_in_words_of_torch(case: str) -> None:
    operation, words = REFUSED[case]
    with pytest.raises(RuntimeError, match=words):
        operation()


def test_that_what_a_gpu_takes_is_taken() -> None:
    x = _on_gpu(3)
    results = [
        x + torch.tensor(1.0),
        torch.tensor(1.0) + _on_gpu(),
        x[torch.tensor([0, 1])],
        x[torch.tensor([True, False, True])],
        x.index_put((torch.tensor([0]),), torch.tensor(2.0)),
        x.masked_fill(x > 0, torch.tensor(2.0)),
        torch.where(x > 0, x, torch.tensor(2.0)),
        x.copy_(torch.ones(3)),
        functional.one_hot(torch.tensor([0, 2], device="cuda")),
        torch.ones(3).to(x),
    ]
    assert all(result.is_cuda for result in results)
    assert torch.ones(3).copy_(x).device.type == "cpu"
    packed = nn.utils.rnn.pack_padded_sequence(_on_gpu(4, 2, 3), torch.tensor([4, 2]))
    output, _ = nn.LSTM(3, 5).cuda()(packed)
    assert output.data.is_cuda


def test_that_training_takes_what_optimizers_keep_on_the_host() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 2)).cuda()
    for make in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adagrad):
        optimizer = make(model.parameters(), lr=1e-3)
        for _ in range(2):
            functional.mse_loss(model(_on_gpu(5, 3)), _on_gpu(5, 2)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    assert all(parameter.is_cuda for parameter in model.parameters())


def _add(x: torch.Tensor, y: torch.Tensor) -> None:
    kernels.add_kernel[(1,)](x, y, torch.empty_like(x), 64, BLOCK=64)


def test_that_a_launch_takes_tensors_of_one_side_and_pinned_memory() -> None:
    host, device = torch.ones(64), _on_gpu(64)
    _add(host, host)
    _add(device, device)
    _add(device, host.pin_memory()[:])
    with pytest.raises(ValueError, match=r"^Pointer argument cannot be accessed from Triton \(cpu tensor\?\)$"):
        _add(device, host)
