"""Where Triton kernels can run, and one sentence that says why a launch is not possible."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from kernels.errors import InvalidInputs, Unavailable, Value
from kernels.targets import DEFAULT_SM_COUNT


def has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


_chosen_target: ContextVar[str | None] = ContextVar("chosen_target", default=None)


@contextmanager
def choosing_for(target: str | None) -> Iterator[None]:
    """Inside the block, launchers choose tile sizes as they do on this GPU ('sm_90'), to trace or compile its kernels
    where there is none; None changes nothing."""
    token = _chosen_target.set(target)
    try:
        yield
    finally:
        _chosen_target.reset(token)


def device_target(device: torch.device) -> str | None:
    """Triton's name for the GPU: 'sm_90', 'gfx942'; None for a CPU. Inside `choosing_for`, the one that is named."""
    chosen = _chosen_target.get()
    if chosen is not None:
        return chosen
    if device.type != "cuda":
        return None
    if torch.version.hip is not None:
        return str(torch.cuda.get_device_properties(device).gcnArchName).split(":")[0]
    major, minor = torch.cuda.get_device_capability(device)
    return f"sm_{major}{minor}"


def sm_count(device: torch.device) -> int:
    """SMs of the GPU; those of an H100 for a CPU."""
    if device.type != "cuda":
        return DEFAULT_SM_COUNT
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


def triton_unavailable(device: torch.device) -> Unavailable | None:
    """None if Triton kernels can run on `device`, otherwise the error that says why not."""
    if not has_triton():
        return Unavailable(
            "This implementation is a Triton kernel, and Triton is not installed (it supports Linux only)."
        )
    if device.type != "cuda":
        return Unavailable(
            "Triton compiles for GPUs, but the tensors are on the {device}, where kernels can only be traced.",
            device=device.type,
        )
    return None


@contextmanager
def launching(device: torch.device, *, tiles: Mapping[str, Value] | None = None) -> Iterator[None]:
    """Raises Unavailable without Triton or a GPU, and InvalidInputs where the tiles need more resources than the GPU
    has. `tiles` are block_q, block_kv, head_dim and dtype, for the error."""
    if not has_triton() and (unavailable := triton_unavailable(device)):
        raise unavailable
    # Imported late: Triton does not exist for every platform, and the other implementations do not need it.
    from triton import OutOfResources

    try:
        yield
    except OutOfResources as error:
        if not tiles:
            raise
        raise InvalidInputs(
            "Tiles of {block_q} x {block_kv} at head_dim {head_dim} in {dtype} need more on-chip resources than the "
            "GPU has ({name}: {required} of {limit}): use smaller tiles.",
            **tiles,
            name=str(error.name),
            required=error.required,
            limit=error.limit,
        ) from error
    except (RuntimeError, ValueError) as error:
        unavailable = triton_unavailable(device)
        if device.type == "cpu" and unavailable is not None and _is_missing_gpu(error):
            raise unavailable from error
        raise


def _is_missing_gpu(error: Exception) -> bool:
    """Whether Triton raised it for lack of a GPU driver or, where there is a driver, for CPU tensors."""
    return "active drivers" in str(error) or "cannot be accessed from Triton (cpu tensor?)" in str(error)
