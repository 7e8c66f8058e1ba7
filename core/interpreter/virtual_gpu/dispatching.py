"""Runs what is asked of the virtual GPU on the CPU, and keeps track of which results are on it.

Below autograd, so it also sees what backward passes, modules and PyTorch's own Python code do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from core.interpreter.virtual_gpu.custom_operators import body_of
from core.interpreter.virtual_gpu.graphs import captured, is_capturing
from core.interpreter.virtual_gpu.residency import (
    DEVICE,
    HOST,
    as_device,
    mark,
    mark_host,
    mark_like,
    places_of,
)
from core.interpreter.virtual_gpu.same_device import require_same_device
from core.interpreter.virtual_gpu.widening import in_float32, is_wider_on_gpu

_STAYS = {"aten::copy_", "aten::_copy_from", "aten::set_"}
"""Operations whose result stays where it is, whatever is copied into it."""

_FIRST_ALONE = {"aten::_pack_padded_sequence"}
"""Operations whose other results are on the host, as on a GPU."""


class OnTheHost(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """An operation that names a CUDA device, or has an input on the virtual GPU, gives results on it.

    `on_operation` is called before each one, and may raise.
    """

    def __init__(self, on_operation: Callable[[], None] = lambda: None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._on_operation = on_operation

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not wrapped: the wrapper would import TorchDynamo and SymPy, which takes longer than a small trace."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._on_operation()
        kwargs = dict(kwargs or {})
        body = body_of(func)
        if body is not None:
            with self:
                return body(*args, **kwargs)
        # PyTorch's own code may name the device that it sees, the host's. So an input on the GPU decides.
        name = func.name().partition(".")[0]
        stays = name in _STAYS
        here, hosted = places_of(_tensors(args, kwargs.values()))
        if here and hosted:
            require_same_device(func, args, kwargs)
        here, hosted = here and not stays, hosted and not stays
        if kwargs.get("device") is not None:
            device = as_device(kwargs["device"])
            here = (here and device == HOST) or device == DEVICE
            kwargs["device"] = HOST if device == DEVICE else device
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        if any(isinstance(value, torch.device) for value in args):  # aten::to in inference mode
            here = here or DEVICE in map(_or_default, args)
            args = tuple(HOST if _or_default(value) == DEVICE else value for value in args)
        if here and is_wider_on_gpu(func, args):
            func = partial(in_float32, func)
        results = captured(func, args, kwargs) if is_capturing() else func(*args, **kwargs)
        if here or hosted:
            for tensor in _tensors((results[:1] if name in _FIRST_ALONE else results,)):
                mark_like(tensor, mark if here else mark_host)
        return results


def _or_default(value: Any) -> Any:
    return as_device(value) if isinstance(value, torch.device) else value


def _tensors(*groups: Any) -> Iterator[torch.Tensor]:
    """The tensors among values and in lists of them."""
    for values in groups:
        for value in values:
            if isinstance(value, torch.Tensor):
                yield value
            elif isinstance(value, list | tuple):
                yield from _tensors(value)
