"""`torch.device(0)` is the first GPU. Without an accelerator, PyTorch refuses the number."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from core.interpreter.virtual_gpu.patching import replaced

_Original = torch.device


class _AnyDevice(type):
    """Stands for the original: devices are instances, and tables that know it by its type find it."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, _Original)

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is _Original

    def __hash__(cls) -> int:
        return hash(_Original)


class device(metaclass=_AnyDevice):  # noqa: N801 (torch's name)
    """In place of `torch.device`. It makes devices of the original type."""

    __module__ = "torch"

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and isinstance(args[0], int):
            return _Original("cuda", args[0])
        return _Original(*args, **kwargs)


@contextmanager
def numbered_devices() -> Iterator[None]:
    """Inside the block, a number names a GPU."""
    copyreg.pickle(_Original, lambda value: (torch.device, value.__reduce__()[1]))
    try:
        with replaced(torch, {"device": device}):
            yield
    finally:
        copyreg.dispatch_table.pop(_Original, None)
