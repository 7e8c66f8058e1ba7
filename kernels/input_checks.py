"""Checks of inputs that several families share. Each error is one sentence."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from kernels.errors import InvalidInputs

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def check_dtype(name: str, tensor: torch.Tensor) -> None:
    """Raises InvalidInputs unless the tensor has one of DTYPES."""
    if tensor.dtype not in DTYPES:
        raise InvalidInputs(
            "{name} must be float32, float16 or bfloat16, not {dtype}.", name=name, dtype=str(tensor.dtype)
        )


def check_devices(first: torch.Tensor, others: Mapping[str, torch.Tensor]) -> None:
    """Raises InvalidInputs unless all tensors are on the device of the first; `others` are by name."""
    for name, tensor in others.items():
        if tensor.device != first.device:
            raise InvalidInputs(
                "{name} is on {device}, the other tensors are on {other_device}: move them to one device.",
                name=name,
                device=str(tensor.device),
                other_device=str(first.device),
            )
