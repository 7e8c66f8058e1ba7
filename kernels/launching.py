"""Where Triton's kernels can run, and what every launch of one shares: why it cannot run here, in a sentence."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from kernels.errors import InvalidInputs, Unavailable


def has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


def device_target(device: torch.device) -> str | None:
    """What Triton calls the GPU: 'sm_90', 'gfx942'; None for a CPU."""
    if device.type != "cuda":
        return None
    if torch.version.hip is not None:
        return str(torch.cuda.get_device_properties(device).gcnArchName).split(":")[0]
    major, minor = torch.cuda.get_device_capability(device)
    return f"sm_{major}{minor}"


def triton_reason(device: torch.device) -> str | None:
    """None if Triton's kernels can run on `device`, otherwise the reason, in one sentence."""
    if not has_triton():
        return "Triton is not installed here (it is made for Linux), and this implementation is a Triton kernel."
    if device.type != "cuda":
        return (
            f"Triton compiles for GPUs and the tensors are on the {device.type}, where its kernels can only be traced."
        )
    return None


@contextmanager
def launching(device: torch.device, *, tiles: str = "") -> Iterator[None]:
    """Raises Unavailable without Triton or a GPU, and InvalidInputs where `tiles`, described in words that begin a
    sentence, need more than the GPU has."""
    if not has_triton():
        raise Unavailable(triton_reason(device) or "")
    # Imported late: Triton is not made for every platform, and the other implementations do without it.
    from triton import OutOfResources

    try:
        yield
    except OutOfResources as error:
        if not tiles:
            raise
        raise InvalidInputs(
            f"{tiles} need more on-chip resources than the GPU has ({error.name}: {error.required} of {error.limit}): "
            "use smaller tiles."
        ) from error
    except (RuntimeError, ValueError) as error:
        if device.type == "cpu" and _is_refused_for_want_of_a_gpu(error):
            raise Unavailable(triton_reason(device) or "") from error
        raise


def _is_refused_for_want_of_a_gpu(error: Exception) -> bool:
    """Triton without a driver raises the first; with one, given CPU tensors, the second."""
    return "active drivers" in str(error) or "cannot be accessed from Triton (cpu tensor?)" in str(error)
