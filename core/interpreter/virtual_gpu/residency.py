"""Which tensors count as on the virtual GPU, and which as the file's own in host memory: a mark on their storage, so
that views and `.data` share it. What PyTorch makes on its own account, inside an operation, has neither.

The memory is the host's, and so is PyTorch's own idea of the device: every operation runs on the CPU. Only what a file
can see of a tensor says "cuda". Inside a launch the interpreter sees the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch

from core.contracts.errors import MissingRequirement
from core.contracts.text import tr

DEVICE = torch.device("cuda", 0)
HOST = torch.device("cpu")

_device_of: Callable[[torch.Tensor], torch.device] = torch.Tensor.device.__get__

_MARK, _PINNED = "_tilescope_gpu", "_tilescope_pinned"
_HOST_MARK = "host"
_truth = ContextVar("truth", default=False)


class Memory:
    """Bytes of the tensors on the virtual GPU: now, and at most since the last reset."""

    def __init__(self) -> None:
        self.allocated = self.peak = 0

    def add(self, size: int) -> None:
        self.allocated += size
        self.peak = max(self.peak, self.allocated)


memory = Memory()


class _Resident:
    """The mark of one storage. It lives as long as the storage and counts its bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        memory.add(size)

    def __del__(self) -> None:
        memory.add(-self._size)


@contextmanager
def truth() -> Iterator[None]:
    """Inside the block, this thread sees where tensors really are, and no mode of the file applies."""
    token = _truth.set(True)
    try:
        with torch._C.DisableTorchFunction():
            yield
    finally:
        _truth.reset(token)


def real_device(tensor: torch.Tensor) -> torch.device:
    """What PyTorch itself says, whatever is patched. A mode for functions would call what is patched."""
    with torch._C.DisableTorchFunction():
        return _device_of(tensor)


def on_gpu(tensor: torch.Tensor) -> bool:
    """Whether a tensor counts as on the virtual GPU."""
    return isinstance(_mark_of(tensor), _Resident)


def in_host_memory(tensor: torch.Tensor) -> bool:
    """Whether it is a tensor that the file has in host memory."""
    return _mark_of(tensor) is _HOST_MARK


def places_of(tensors: Iterable[torch.Tensor]) -> tuple[bool, bool]:
    """Whether some are on the virtual GPU, and whether some are the file's own in host memory."""
    marks = [_mark_of(tensor) for tensor in tensors]
    return any(isinstance(mark, _Resident) for mark in marks), _HOST_MARK in marks


def _mark_of(tensor: torch.Tensor) -> Any:
    if _truth.get():
        return None
    with torch._C.DisableTorchFunction():
        return getattr(_holder(tensor), _MARK, None) if _device_of(tensor).type == "cpu" else None


def mark(tensor: torch.Tensor) -> torch.Tensor:
    """Count a tensor, and all that share its storage, as on the virtual GPU."""
    with torch._C.DisableTorchFunction():
        holder = _holder(tensor)
        if _device_of(tensor).type == "cpu" and not isinstance(getattr(holder, _MARK, None), _Resident):
            setattr(holder, _MARK, _Resident(0 if holder is tensor else holder.nbytes()))
    return tensor


def mark_host(tensor: torch.Tensor) -> torch.Tensor:
    """Count a tensor, and all that share its storage, as the file's own in host memory."""
    with torch._C.DisableTorchFunction():
        if _device_of(tensor).type == "cpu":
            setattr(_holder(tensor), _MARK, _HOST_MARK)
    return tensor


def mark_like(tensor: torch.Tensor, marking: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Mark a tensor that has no mark yet."""
    with torch._C.DisableTorchFunction():
        return tensor if getattr(_holder(tensor), _MARK, None) is not None else marking(tensor)


def pin(tensor: torch.Tensor) -> torch.Tensor:
    """Count the memory of a tensor as pinned: a GPU reaches it."""
    with torch._C.DisableTorchFunction():
        setattr(_holder(tensor), _PINNED, True)
    return tensor


def is_pinned(tensor: torch.Tensor) -> bool:
    with torch._C.DisableTorchFunction():
        return hasattr(_holder(tensor), _PINNED)


def mark_storage_like(copy: Any, storage: Any) -> Any:
    """Give the copy of a storage the same place."""
    known = getattr(storage, _MARK, None)
    if known is not None:
        setattr(copy, _MARK, _Resident(copy.nbytes()) if isinstance(known, _Resident) else known)
    return copy


def is_marked(storage: Any) -> bool:
    """Whether a storage is on the virtual GPU."""
    return isinstance(getattr(storage, _MARK, None), _Resident)


def mark_storage(storage: Any) -> Any:
    """Count a storage as on the virtual GPU."""
    if not is_marked(storage):
        setattr(storage, _MARK, _Resident(storage.nbytes()))
    return storage


def _holder(tensor: torch.Tensor) -> Any:
    """What carries the mark of a tensor: its storage, or the tensor itself where it has none (sparse tensors)."""
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        if torch._C._functorch.is_functorch_wrapped_tensor(tensor):  # inside vmap or grad of torch.func
            return _holder(torch._C._functorch.get_unwrapped(tensor))
        return tensor


def as_device(value: Any) -> torch.device | None:
    """The device that a file names: a text, a number, a torch.device; None for none. "cuda" is "cuda:0".

    Raises MissingRequirement for a GPU other than the first.
    """
    if value is None:
        return None
    device = torch.device("cuda", value) if isinstance(value, int) else torch.device(value)
    if device.type != "cuda":
        return device
    require_index(device.index)
    return DEVICE


def require_index(index: int | None) -> None:
    """Raises MissingRequirement for the index of a GPU that is not there. None is the current one."""
    if index not in (None, 0, -1):
        raise MissingRequirement(
            tr(
                "cuda:{index} does not exist: Tilescope stands in for one GPU, so use cuda:0.",
                index=index if index is not None else 0,
            )
        )
