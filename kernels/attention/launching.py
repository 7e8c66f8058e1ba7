"""What every launch of an attention kernel shares: why it cannot run here, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kernels.attention.impl import has_triton, triton_reason
from kernels.attention.tiling import Tiling
from kernels.errors import InvalidInputs, Unavailable


@contextmanager
def launching(q: torch.Tensor, tiling: Tiling) -> Iterator[None]:
    """Raises Unavailable without Triton or a GPU, InvalidInputs where the tiles need more than the GPU has."""
    if not has_triton():
        raise Unavailable(triton_reason(q.device) or "")
    # Imported late: Triton is not made for every platform, and the other implementations do without it.
    from triton import OutOfResources

    try:
        yield
    except OutOfResources as error:
        raise InvalidInputs(
            f"Tiles of {tiling.block_q} x {tiling.block_kv} at head_dim {q.shape[3]} in {q.dtype} need more on-chip "
            f"resources than the GPU has ({error.name}: {error.required} of {error.limit}): use smaller tiles."
        ) from error
    except (RuntimeError, ValueError) as error:
        if q.device.type == "cpu" and _is_refused_for_want_of_a_gpu(error):
            raise Unavailable(triton_reason(q.device) or "") from error
        raise


def _is_refused_for_want_of_a_gpu(error: Exception) -> bool:
    """Triton without a driver raises the first; with one, given CPU tensors, the second."""
    return "active drivers" in str(error) or "cannot be accessed from Triton (cpu tensor?)" in str(error)
