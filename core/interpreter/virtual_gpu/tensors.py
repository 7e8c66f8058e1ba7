"""What a file sees of tensors: their device, moves between host and GPU, and functions that make them on a device."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from core.interpreter.virtual_gpu.residency import (
    DEVICE,
    HOST,
    as_device,
    is_pinned,
    mark,
    mark_host,
    mark_like,
    mark_storage,
    mark_storage_like,
    on_gpu,
    pin,
    real_device,
)
from core.interpreter.virtual_gpu.same_device import require_generator

_MAKERS = (
    *("empty", "empty_permuted", "empty_strided", "zeros", "ones", "full", "arange", "range", "linspace", "logspace"),
    *("eye", "rand", "randn", "randint", "randperm", "tril_indices", "triu_indices", "scalar_tensor"),
    *("tensor", "as_tensor", "asarray", "sparse_coo_tensor", "sparse_csr_tensor"),
    *("empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "randint_like"),
    *("bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"),
)
_OF_HOST_MEMORY = ("from_numpy", "frombuffer")
_METHODS_THAT_MAKE = ("new_empty", "new_empty_strided", "new_zeros", "new_ones", "new_full", "new_tensor")
_KEEP = torch.preserve_format


def module_functions() -> dict[str, Any]:
    """In place of functions of `torch` that take a device."""
    return {name: _making(getattr(torch, name)) for name in (*_MAKERS, *_OF_HOST_MEMORY)}


def tensor_attributes() -> dict[str, Any]:
    """In place of attributes and methods of `torch.Tensor`."""
    return {
        **{name: _making(_beside(getattr(torch.Tensor, name))) for name in _METHODS_THAT_MAKE},
        "device": property(_device),
        "is_cuda": property(lambda tensor: _device(tensor).type == "cuda"),
        "is_cpu": property(lambda tensor: _device(tensor).type == "cpu"),
        "get_device": lambda tensor: 0 if on_gpu(tensor) else _get_device(tensor),
        "to": _to,
        "cuda": _cuda,
        "cpu": _cpu,
        "type": _type,
        "numpy": _numpy,
        "pin_memory": _pin_memory,
        "is_pinned": lambda tensor, device=None: is_pinned(tensor),
        "record_stream": lambda tensor, stream: None,
    }


def storage_attributes() -> dict[str, Any]:
    """In place of attributes and methods of `torch.UntypedStorage`."""
    clone: Any = torch.UntypedStorage.clone

    def cloned(storage: Any) -> Any:
        return mark_storage_like(clone(storage), storage)

    return {"clone": cloned, "cuda": lambda storage, *args, **kwargs: mark_storage(clone(storage))}


def parsing_numbers(parse: Callable[..., Any]) -> Callable[..., Any]:
    """In place of what parses the arguments of `Module.to`: a number is the GPU of that index."""

    def parsed(*args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], int):
            args = (as_device(args[0]), *args[1:])
        if isinstance(kwargs.get("device"), int):
            kwargs["device"] = as_device(kwargs["device"])
        return parse(*args, **kwargs)

    return parsed


_move_dtype = torch.Tensor.to
_get_device = torch.Tensor.get_device
_as_type = torch.Tensor.type
_as_numpy = torch.Tensor.numpy


def _device(tensor: torch.Tensor) -> torch.device:
    return DEVICE if on_gpu(tensor) else real_device(tensor)


def _making(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A function that makes tensors, with its `device` normalized. A device that is named is where the result is; what
    is not on the GPU then is the file's own in host memory."""

    @functools.wraps(function)
    def make(*args: Any, **kwargs: Any) -> torch.Tensor:
        device = kwargs.get("device")
        if device is not None:
            kwargs["device"] = as_device(device)
        result = function(*args, **kwargs)
        if device is not None and kwargs["device"] == HOST and on_gpu(result):
            result = moved(result, HOST)
        require_generator(kwargs.get("generator"), _device(result))
        if kwargs.get("pin_memory"):
            pin(result)
        return mark_like(result, mark_host)

    return make


def _beside(method: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A method that makes a tensor where its own is, unless a device is named. PyTorch does not tell so of every one:
    what `new_tensor` makes of numbers has been in no operation with that tensor."""

    @functools.wraps(method)
    def make(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        result = method(tensor, *args, **kwargs)
        return mark(result) if kwargs.get("device") is None and on_gpu(tensor) else result

    return make


class _Move(torch.autograd.Function):
    """A copy on the other side. Its gradient moves back."""

    generate_vmap_rule = True

    @staticmethod
    def forward(tensor: torch.Tensor, to_gpu: bool, layout: torch.memory_format) -> torch.Tensor:
        copy = torch.clone(tensor, memory_format=layout)
        return mark(copy) if to_gpu else mark_host(copy)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.to_gpu = inputs[1]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        return _Move.apply(gradients[0], not ctx.to_gpu, _KEEP), None, None  # type: ignore[no-untyped-call]


def moved(tensor: torch.Tensor, device: torch.device, layout: torch.memory_format = _KEEP) -> torch.Tensor:
    """A copy of a tensor on the virtual GPU or in host memory."""
    copy: torch.Tensor = _Move.apply(tensor, device == DEVICE, layout)  # type: ignore[no-untyped-call]
    return copy


def _to(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    """`Tensor.to` in its three forms: dtype, device, other tensor."""
    if args and isinstance(args[0], torch.dtype):
        return _move_dtype(tensor, *args, **kwargs)
    likes = isinstance(args[0] if args else kwargs.get("other"), torch.Tensor)
    names = ("other" if likes else "device", *(() if likes else ("dtype",)), "non_blocking", "copy")
    options = {**dict(zip(names, args, strict=False)), **kwargs}
    if likes:
        other = options.pop("other")
        options.update(device=_device(other), dtype=other.dtype)
    device = as_device(options.pop("device", None))
    if device is not None and device not in (DEVICE, HOST):
        return _move_dtype(tensor, device, **options)
    if options.get("dtype") is None:
        options.pop("dtype", None)
    if device is not None and device != _device(tensor):
        converted = _move_dtype(tensor, **options) if "dtype" in options else tensor
        return moved(converted, device, options.get("memory_format") or _KEEP)
    if "dtype" not in options:
        options["dtype"] = tensor.dtype
    return _move_dtype(tensor, **options)


def _cuda(
    tensor: torch.Tensor,
    device: Any = None,
    non_blocking: bool = False,
    memory_format: torch.memory_format = _KEEP,
) -> torch.Tensor:
    return _to(tensor, as_device("cuda" if device is None else device), memory_format=memory_format)


def _cpu(tensor: torch.Tensor, memory_format: torch.memory_format = _KEEP) -> torch.Tensor:
    return _to(tensor, HOST, memory_format=memory_format)


def _type(tensor: torch.Tensor, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """`Tensor.type()` names the type, with the device in it; `Tensor.type(dtype)` converts."""
    if dtype is None:
        name = str(_as_type(tensor))
        return name.replace("torch.", "torch.cuda.", 1) if on_gpu(tensor) else name
    if isinstance(dtype, str) and dtype.startswith("torch.cuda."):
        return _to(_as_type(tensor, dtype.replace("torch.cuda.", "torch.", 1)), DEVICE)
    return _as_type(tensor, dtype, non_blocking, **kwargs)


def _numpy(tensor: torch.Tensor, *, force: bool = False) -> Any:
    """As on a GPU, the memory of a tensor there is not that of an array."""
    if on_gpu(tensor):
        if not force:
            raise TypeError(
                f"can't convert {DEVICE} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host "
                "memory first."
            )
        tensor = moved(tensor.detach(), HOST)
    return _as_numpy(tensor, force=force)


def _pin_memory(tensor: torch.Tensor, device: Any = None) -> torch.Tensor:
    """A copy in host memory, as all of it is reached by the virtual GPU."""
    return tensor if is_pinned(tensor) else pin(torch.clone(tensor))
