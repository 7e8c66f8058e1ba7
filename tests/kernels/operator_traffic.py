"""The operators that PyTorch dispatches, with the bytes of the tensors that go in and come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Operator:
    name: str
    read_bytes: tuple[int, ...]
    written_bytes: tuple[int, ...]


class OperatorTraffic(TorchDispatchMode):
    """Records what runs inside it, forward and backward. Operators that give views are left out: they move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[Operator] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs, outputs = _tensors((args, kwargs)), _tensors(result)
        storages = {tensor.untyped_storage().data_ptr() for tensor in inputs}
        if not all(tensor.untyped_storage().data_ptr() in storages for tensor in outputs):
            name = func.name().split(".")[0]
            self.operators.append(Operator(name, _bytes(inputs), _bytes(outputs)))
        return result


def _tensors(tree: object) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _bytes(tensors: list[torch.Tensor]) -> tuple[int, ...]:
    return tuple(tensor.numel() * tensor.element_size() for tensor in tensors)
