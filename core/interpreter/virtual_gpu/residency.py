"""Which tensors count as on the virtual GPU: a mark on their storage, so that views and `.data` share it.

The memory is the host's, and so is PyTorch's own idea of the device: every operation runs on the CPU. Only what a file
can see of a tensor says "cuda". Inside a launch the interpreter sees the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import torch

from core.contracts.errors import MissingRequirement
from core.contracts.text import tr

DEVICE = torch.device("cuda", 0)
HOST = torch.device("cpu")

_device_of: Callable[[torch.Tensor], torch.device] = torch.Tensor.device.__get__

_MARK = "_tilescope_gpu"
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
    if _truth.get():
        return False
    with torch._C.DisableTorchFunction():
        return _device_of(tensor).type == "cpu" and getattr(_holder(tensor), _MARK, None) is not None


def mark(tensor: torch.Tensor) -> torch.Tensor:
    """Count a tensor, and all that share its storage, as on the virtual GPU."""
    with torch._C.DisableTorchFunction():
        holder = _holder(tensor)
        if _device_of(tensor).type == "cpu" and getattr(holder, _MARK, None) is None:
            setattr(holder, _MARK, _Resident(0 if holder is tensor else holder.nbytes()))
    return tensor


def unmark(tensor: torch.Tensor) -> torch.Tensor:
    """Count a tensor, and all that share its storage, as in host memory."""
    with torch._C.DisableTorchFunction(), suppress(AttributeError):
        delattr(_holder(tensor), _MARK)
    return tensor


def mark_storage_like(copy: Any, storage: Any) -> Any:
    """Give the copy of a storage the same place."""
    if getattr(storage, _MARK, None) is not None:
        setattr(copy, _MARK, _Resident(copy.nbytes()))
    return copy


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
