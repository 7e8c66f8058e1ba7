"""Operations on tensors of the host and of the GPU together fail as they do on a GPU, in torch's own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from core.interpreter.virtual_gpu.residency import DEVICE, HOST, in_host_memory, is_pinned, on_gpu

_MIX = {
    *("aten::copy_", "aten::_copy_from", "aten::set_", "aten::to", "aten::type_as", "aten::result_type"),
    *("aten::view_as", "aten::expand_as", "aten::reshape_as", "aten::is_same_size", "aten::tensor_split"),
    *("aten::_pack_padded_sequence", "aten::_pack_padded_sequence_backward", "aten::_pad_packed_sequence"),
    *("aten::lstm", "aten::gru", "aten::rnn_tanh", "aten::rnn_relu", "aten::_ctc_loss"),
}
"""Operations that take both."""

_MIX_LISTS = ("aten::_foreach_", "aten::_fused_", "aten::_amp_", "aten::_nested_")
"""Optimizers keep their step counts on the host; nested tensors their sizes."""

_INDEX = {"aten::index", "aten::_unsafe_index"}
_PUT = {"aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::_unsafe_index_put"}
_NUMBERS_TOO = {"aten::embedding", "aten::index_select", "aten::gather", "aten::take", "aten::index_add"}
"""Operations whose arguments have to be on the GPU even if they are single numbers."""


def require_same_device(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """For an operation on tensors of both: raises the RuntimeError of a GPU. A single number may be on the host."""
    name = func.name().partition(".")[0]
    if func.namespace != "aten" or name in _MIX or name.startswith(_MIX_LISTS):
        return
    tensors = list(_tensors_of(func, args, kwargs))
    if name in _INDEX | _PUT:
        if in_host_memory(args[0]):
            raise RuntimeError(
                f"indices should be either on {HOST} or on the same device as the indexed tensor ({HOST})"
            )
        tensors = [each for each in tensors if each[0].name != "indices"]
    tensors = [
        (argument, tensor)
        for argument, tensor in tensors
        if on_gpu(tensor)
        or (in_host_memory(tensor) and (tensor.dim() or name in _NUMBERS_TOO or _is_written(argument)))
    ]
    if all(on_gpu(tensor) for _, tensor in tensors):
        return
    if torch.Tag.pointwise in func.tags:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {DEVICE} and {HOST}!"
        )
    places = [(argument.name, DEVICE if on_gpu(tensor) else HOST) for argument, tensor in tensors]
    first = places[0][1]
    other, place = next((name, place) for name, place in places if place != first)
    raise RuntimeError(
        f"Expected all tensors to be on the same device, but got {other} is on {place}, different from other "
        f"tensors on {first} (when checking argument in method wrapper_CUDA_{name.partition('::')[2]})"
    )


def _is_written(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


def _tensors_of(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[Any, torch.Tensor]]:
    """The tensors among the arguments and in lists of them, with what the schema says of the argument."""
    for place, argument in enumerate(func._schema.arguments):
        value = args[place] if place < len(args) else kwargs.get(argument.name)
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, torch.Tensor):
                yield argument, each


def require_reachable(arguments: Iterable[Any]) -> None:
    """Raises Triton's own ValueError for a launch with tensors of the GPU, and others of the host that it cannot reach.

    A launch with tensors of the host alone is fine: it runs on the host.
    """
    tensors = [each for each in arguments if isinstance(each, torch.Tensor)]
    if any(map(on_gpu, tensors)) and any(in_host_memory(each) and not is_pinned(each) for each in tensors):
        raise ValueError("Pointer argument cannot be accessed from Triton (cpu tensor?)")


def require_generator(generator: Any, device: torch.device) -> None:
    """Raises torch's RuntimeError for a generator of another device than that of the tensor that it fills."""
    if generator is not None and generator.device != device:
        raise RuntimeError(f"Expected a '{device.type}' device type for generator but found '{generator.device.type}'")
