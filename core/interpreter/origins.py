"""Which line of the user's code made the memory of a tensor, and which tensors share their memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

from core.interpreter.call_site import outside_frame
from core.interpreter.fresh_memory import FreshMemory
from core.interpreter.virtual_gpu.graphs import is_capturing


class Origins:
    """Numbers allocations, in the order in which they are seen. Memory that is freed may be given out again: its
    storage is another one then."""

    def __init__(self, fresh: FreshMemory | None = None) -> None:
        self.fresh = fresh
        """Follows memory that was made without values, if that is wanted."""
        self._known: dict[int, tuple[StorageWeakRef, int, str]] = {}
        self._count = 0

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Inside the block, PyTorch's functions are watched for what they allocate."""
        observer = self.observer()
        with observer, _backward_passes(observer):
            yield

    def observer(self) -> _Observer:
        """What watches the functions of one thread."""
        return _Observer(self)

    def of(self, tensor: torch.Tensor) -> tuple[int, str]:
        """The number of a tensor's allocation, and the line ('FILE:LINE') that made it, '' if none was seen."""
        with unobserved():
            _, number, made_at = self._entry(tensor) or self._add(tensor, "")
        return number, made_at

    def made(self, tensor: torch.Tensor, given: Any) -> None:
        """A function returned a tensor. Its memory is new unless it was known, or belongs to what the function got."""
        if self._entry(tensor) is None:
            storage = tensor.untyped_storage()._cdata
            shared = any(_has_storage(each) and each.untyped_storage()._cdata == storage for each in given)
            frame = None if shared else outside_frame(sys._getframe(1))
            self._add(tensor, "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}")

    def _entry(self, tensor: torch.Tensor) -> tuple[StorageWeakRef, int, str] | None:
        known = self._known.get(tensor.untyped_storage()._cdata)
        return None if known is None or known[0].expired() else known  # type: ignore[no-untyped-call]

    def _add(self, tensor: torch.Tensor, made_at: str) -> tuple[StorageWeakRef, int, str]:
        storage = tensor.untyped_storage()
        entry = StorageWeakRef(storage), self._count, made_at  # type: ignore[no-untyped-call]
        self._known[storage._cdata] = entry
        self._count += 1
        return entry


class _Observer(TorchFunctionMode):
    def __init__(self, origins: Origins) -> None:
        super().__init__()
        self._origins = origins

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        results = result if type(result) in (tuple, list) else (result,)
        given = [*args, *(kwargs or {}).values()]
        for tensor in results:
            if _has_storage(tensor):
                self._origins.made(tensor, given)
        if self._origins.fresh is not None and not is_capturing():  # what a graph allocates is written at each replay
            self._origins.fresh.saw(func, given, results)
        return result


@contextmanager
def _backward_passes(observer: _Observer) -> Iterator[None]:
    """Inside the block, the functions that a backward pass calls are watched too. It runs inside a function of
    PyTorch's, where others are not."""
    run = getattr(torch.autograd, _RUN_BACKWARD, None)
    if run is None:  # another version: what a backward pass makes has no line
        yield
        return

    def watched(*args: Any, **kwargs: Any) -> Any:
        with observer:
            return run(*args, **kwargs)

    setattr(torch.autograd, _RUN_BACKWARD, watched)
    try:
        yield
    finally:
        setattr(torch.autograd, _RUN_BACKWARD, run)


_RUN_BACKWARD = "_engine_run_backward"


def _has_storage(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta


@contextmanager
def unobserved() -> Iterator[None]:
    """Inside the block, nothing is watched: a launch is executed by thousands of functions."""
    with torch._C.DisableTorchFunction():
        yield
