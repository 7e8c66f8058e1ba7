"""What training holds in memory: weights, gradients, optimizer state, activations. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from weakref import WeakSet

import torch
from torch import nn


@dataclass(frozen=True)
class MemoryUse:
    """Bytes at one training step. A storage that several tensors share is counted once.

    `activations_bytes` is what the forward pass leaves for the backward pass: on a CPU the sizes of the tensors that
    autograd saved, on CUDA the growth of what torch has allocated. `peak_bytes` is CUDA's own peak over the step,
    None on a CPU. `how` says which in words. `loss` is the step's.
    """

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    peak_bytes: int | None
    how: str
    loss: float

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.gradients_bytes + self.optimizer_bytes + self.activations_bytes


def weight_bytes(model: nn.Module) -> int:
    """Parameters and buffers, tied ones once, and the scales of weights that bitsandbytes keeps in 4 bits."""
    return tensor_bytes(_held(model))


def gradient_bytes(model: nn.Module) -> int:
    """Gradients that are there now."""
    return tensor_bytes(weight.grad for weight in model.parameters() if weight.grad is not None)


def optimizer_bytes(optimizer: torch.optim.Optimizer) -> int:
    """State that is there now: nothing before the first step; two float32 a trainable number for Adam."""
    values = (value for state in optimizer.state.values() for value in state.values())
    return tensor_bytes(value for value in values if isinstance(value, torch.Tensor))


def tensor_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of the storages behind the tensors, each once."""
    return sum(_storages(tensors).values())


def measure_step(model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable[[], torch.Tensor]) -> MemoryUse:
    """One whole training step (forward, backward, optimizer, gradients set to None), with what it held in memory.

    `loss_of` runs the model forward and returns the loss.
    """
    device = next(model.parameters()).device
    if device.type == "cuda":
        return _measured_on_cuda(model, optimizer, loss_of, device)
    with SavedActivations(model) as saved:
        loss = loss_of()
        activations = saved.bytes_now()
        loss.backward()  # type: ignore[no-untyped-call]
    gradients = gradient_bytes(model)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return MemoryUse(
        weight_bytes(model),
        gradients,
        optimizer_bytes(optimizer),
        activations,
        None,
        "sizes of the tensors that torch holds on the CPU",
        float(loss.detach()),
    )


class SavedActivations:
    """Inside, counts what autograd saves for the backward pass, weights and buffers of the model not included."""

    def __init__(self, model: nn.Module) -> None:
        self._not_counted = set(_storages(_held(model)))
        self._alive: WeakSet[_Saved] = WeakSet()
        self._hooks: Any = torch.autograd.graph.saved_tensors_hooks(self._pack, _unpack)

    def __enter__(self) -> SavedActivations:
        self._hooks.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hooks.__exit__(kind, error, trace)

    def bytes_now(self) -> int:
        """Bytes that are held for a backward pass at this moment."""
        storages = _storages(saved.tensor for saved in self._alive)
        return sum(size for storage, size in storages.items() if storage not in self._not_counted)

    def _pack(self, tensor: torch.Tensor) -> _Saved:
        saved = _Saved(tensor)
        self._alive.add(saved)
        return saved


class _Saved:
    """A tensor for as long as the graph keeps it: what is freed before the end is not counted."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def _unpack(saved: _Saved) -> torch.Tensor:
    return saved.tensor


def _held(model: nn.Module) -> Iterator[torch.Tensor]:
    """What the model is made of. bitsandbytes keeps scales and levels beside a weight, nested ones too."""
    yield from model.buffers()
    for weight in model.parameters():
        yield weight
        state = getattr(weight, "quant_state", None)
        while state is not None:
            parts = (getattr(state, name, None) for name in ("absmax", "code", "offset"))
            yield from (value for value in parts if isinstance(value, torch.Tensor))
            state = getattr(state, "state2", None)


def _storages(tensors: Iterable[torch.Tensor]) -> dict[int, int]:
    """Address of each storage, and its size in bytes."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in storages if storage.nbytes()}


def _measured_on_cuda(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable[[], torch.Tensor], device: torch.device
) -> MemoryUse:
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    loss = loss_of()
    activations = torch.cuda.memory_allocated(device) - before
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = gradient_bytes(model)
    optimizer.step()
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device)
    optimizer.zero_grad(set_to_none=True)
    return MemoryUse(
        weight_bytes(model),
        gradients,
        optimizer_bytes(optimizer),
        activations,
        peak,
        "torch's own accounting of CUDA memory; weights, gradients and optimizer by the sizes of their tensors",
        float(loss.detach()),
    )
