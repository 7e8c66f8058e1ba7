"""The memory that training needs: weights, gradients, optimizer state, activations. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from weakref import WeakSet

import torch
from torch import nn

from core.contracts.text import Text, tr


@dataclass(frozen=True)
class MemoryUse:
    """Bytes during one training step. Storage that several tensors share is counted once.

    `activations_bytes` is what the forward pass keeps for the backward pass: on a CPU the sizes of the tensors saved by
    autograd, on CUDA the growth of the memory that torch has allocated. `peak_bytes` is CUDA's peak over the step, None
    on a CPU. `how` describes the method in words. `loss` is the loss of the step.
    """

    weights_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    peak_bytes: int | None
    how: Text
    loss: float

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.gradients_bytes + self.optimizer_bytes + self.activations_bytes


def weight_bytes(model: nn.Module) -> int:
    """Bytes of parameters (tied ones once), buffers, and the scales of weights that bitsandbytes stores in 4 bits."""
    return tensor_bytes(_model_tensors(model))


def gradient_bytes(model: nn.Module) -> int:
    """Bytes of the gradients that exist now."""
    return tensor_bytes(weight.grad for weight in model.parameters() if weight.grad is not None)


def optimizer_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of the optimizer state that exists now: none before the first step, then two float32 values per trainable
    parameter for Adam."""
    values = (value for state in optimizer.state.values() for value in state.values())
    return tensor_bytes(value for value in values if isinstance(value, torch.Tensor))


def tensor_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of the storages behind the tensors. Each storage counts once."""
    return sum(_storages(tensors).values())


def measure_step(model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable[[], torch.Tensor]) -> MemoryUse:
    """Run one full training step (forward, backward, optimizer, gradients set to None) and measure its memory.

    `loss_of` runs the forward pass and returns the loss.
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
        tr("sizes of the tensors that torch holds on the CPU"),
        float(loss.detach()),
    )


class SavedActivations:
    """Inside this context, counts the tensors that autograd saves, except weights and buffers of the model."""

    def __init__(self, model: nn.Module) -> None:
        self._not_counted = set(_storages(_model_tensors(model)))
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
        """Bytes saved for a backward pass at this moment."""
        storages = _storages(saved.tensor for saved in self._alive)
        return sum(size for storage, size in storages.items() if storage not in self._not_counted)

    def _pack(self, tensor: torch.Tensor) -> _Saved:
        saved = _Saved(tensor)
        self._alive.add(saved)
        return saved


class _Saved:
    """A tensor for as long as the autograd graph keeps it. A tensor freed early is no longer counted."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def _unpack(saved: _Saved) -> torch.Tensor:
    return saved.tensor


def _model_tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    """All tensors of the model. bitsandbytes keeps scales and codebooks, also nested ones, beside a weight."""
    yield from model.buffers()
    for weight in model.parameters():
        yield weight
        state = getattr(weight, "quant_state", None)
        while state is not None:
            parts = (getattr(state, name, None) for name in ("absmax", "code", "offset"))
            yield from (value for value in parts if isinstance(value, torch.Tensor))
            state = getattr(state, "state2", None)


def _storages(tensors: Iterable[torch.Tensor]) -> dict[int, int]:
    """The size in bytes of each storage, by address."""
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
        tr("activations and peak from torch's CUDA statistics; weights, gradients and optimizer from tensor sizes"),
        float(loss.detach()),
    )
