"""Notices when the host reads a value that an addresses-only trace did not write.

A number that leaves its tensor (`item()`, `tolist()`, `numpy()`, a comparison in an `if`, the shape of what `nonzero`
returns) may decide which kernels are launched, with which grids. What other operations compute from unwritten memory
is as good as unwritten, and is followed from storage to storage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from core.interpreter.unwritten import UnwrittenStores

_launching = ContextVar("launching", default=False)
"""Whether this thread executes a launch. What other threads read meanwhile is read by the host."""

_READERS = ("tolist", "numpy", "__array__", "__dlpack__")
"""Methods of a tensor that read its memory without an operation."""

_LEAVES_ITS_TENSOR = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
_OVERWRITES = {"aten::zero_", "aten::fill_", "aten::copy_", "aten::uniform_", "aten::normal_", "aten::random_"}


class _Observer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows unwritten memory through the operations of the host."""

    def __init__(self, unwritten: UnwrittenStores) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._unwritten = unwritten

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not wrapped: the wrapper would import TorchDynamo and SymPy, which takes longer than a small trace."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = _tensors((args, kwargs))
        name = func.name().partition(".")[0]
        sources = [tensor for tensor in given if self._unwritten.line_of(tensor)]
        if name in _OVERWRITES and given and not any(tensor is not given[0] for tensor in sources):
            sources = sources if _is_part_of_its_storage(given[0]) else []
        if sources and _LEAVES_ITS_TENSOR.intersection(func.tags):
            deciding = sources
            if name == "aten::index":  # only a mask decides the shape of what it selects
                deciding = [tensor for tensor in sources if tensor.dtype in (torch.bool, torch.uint8)]
            for tensor in deciding:
                self._unwritten.host_reads(tensor)
        results = func(*args, **(kwargs or {}))
        line = self._unwritten.line_of(sources[0]) if sources else ""
        before = {tensor.untyped_storage().data_ptr() for tensor in given}
        for tensor in _tensors(results):
            if line:
                self._unwritten.add_storage(tensor, line)
            elif name in _OVERWRITES or tensor.untyped_storage().data_ptr() not in before:
                self._unwritten.forget(tensor)
        return results


def _tensors(values: Any) -> list[torch.Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor) and _has_storage(value)]


def _has_storage(tensor: torch.Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_meta


def _is_part_of_its_storage(tensor: torch.Tensor) -> bool:
    return tensor.numel() * tensor.element_size() < tensor.untyped_storage().nbytes()


@contextmanager
def unobserved() -> Iterator[None]:
    """Inside the block, nothing that is read is read by the host: a launch is executed by thousands of operations."""
    token = _launching.set(True)
    try:
        with _disable_current_modes():
            yield
    finally:
        _launching.reset(token)


def observer_of(unwritten: UnwrittenStores) -> AbstractContextManager[Any]:
    """What follows the operations of one thread."""
    return _Observer(unwritten)


@contextmanager
def observed(unwritten: UnwrittenStores) -> Iterator[None]:
    """Inside the block, a read by the host of what is in `unwritten` raises NeedsData."""
    kept = {name: getattr(torch.Tensor, name) for name in _READERS}
    own = {name for name in _READERS if name in torch.Tensor.__dict__}
    try:
        for name, method in kept.items():
            setattr(torch.Tensor, name, _reader(method, unwritten))
        with _Observer(unwritten):
            yield
    finally:
        for name, method in kept.items():
            if name in own:
                setattr(torch.Tensor, name, method)
            else:
                delattr(torch.Tensor, name)


def _reader(method: Callable[..., Any], unwritten: UnwrittenStores) -> Callable[..., Any]:
    def read(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if not _launching.get() and _has_storage(tensor) and unwritten.line_of(tensor):
            unwritten.host_reads(tensor)
        return method(tensor, *args, **kwargs)

    return read
