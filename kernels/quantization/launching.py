"""What every launch of a quantization kernel shares: why it cannot run here, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kernels.attention.impl import has_triton, triton_reason
from kernels.errors import Unavailable


@contextmanager
def launching(device: torch.device) -> Iterator[None]:
    """Raises Unavailable without Triton or a GPU."""
    if not has_triton():
        raise Unavailable(triton_reason(device) or "")
    try:
        yield
    except (RuntimeError, ValueError) as error:
        if device.type == "cpu" and _is_refused_for_want_of_a_gpu(error):
            raise Unavailable(triton_reason(device) or "") from error
        raise


def _is_refused_for_want_of_a_gpu(error: Exception) -> bool:
    """Triton without a driver raises the first; with one, given CPU tensors, the second."""
    return "active drivers" in str(error) or "cannot be accessed from Triton (cpu tensor?)" in str(error)
