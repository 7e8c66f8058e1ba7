"""The properties of a GPU of resources/gpus.toml, under torch's names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from core.contracts.text import Text, tr
from core.hardware.gpus import Gpu
from core.interpreter.virtual_gpu.refusals import refused

REGISTERS = 65536
"""Of one SM, and the most of one block: NVIDIA since 2012, and AMD's CDNA."""

_THREADS_PER_SM = {(8, 6): 1536, (8, 9): 1536, (12, 0): 1536}
"""CUDA C++ Programming Guide, technical specifications per compute capability; 2048 for all others."""

_RESERVED_BYTES = 1024
"""Shared memory that CUDA keeps for itself in each block, from compute capability 8.0."""


@dataclass(frozen=True)
class Properties:
    """As `torch.cuda.get_device_properties` gives them. Others raise an AttributeError that is a sentence."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int
    warp_size: int
    max_threads_per_multi_processor: int
    regs_per_multiprocessor: int
    shared_memory_per_block: int
    shared_memory_per_block_optin: int
    shared_memory_per_multiprocessor: int
    L2_cache_size: int
    clock_rate: int
    gcnArchName: str  # noqa: N815 (torch's name)
    max_threads_per_block: int = 1024
    is_integrated: bool = False
    is_multi_gpu_board: bool = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise refused(f"torch.cuda.get_device_properties().{name}")


def stands_in(gpu: Gpu) -> Text:
    """Says that the properties are those of a GPU that is not there."""
    return tr(
        "There is no GPU here: the file ran on a virtual {gpu} in host memory, which has its properties but no times.",
        gpu=gpu.name,
    )


def is_amd(gpu: Gpu) -> bool:
    return gpu.vendor == "amd"


def capability(gpu: Gpu) -> tuple[int, int]:
    """Major and minor: (9, 0) of sm_90, and as PyTorch on ROCm says, (9, 4) of gfx942."""
    digits = re.sub(r"\D", "", gpu.target)
    return (int(digits[0]), int(digits[1])) if is_amd(gpu) else (int(digits[:-1]), int(digits[-1]))


def warp_size(gpu: Gpu) -> int:
    return 64 if is_amd(gpu) else 32


def properties(gpu: Gpu) -> Properties:
    """What torch would say of the GPU."""
    major, minor = capability(gpu)
    per_block = gpu.shared_memory_per_block_bytes
    return Properties(
        name=gpu.name,
        major=major,
        minor=minor,
        total_memory=int(gpu.memory_bytes),
        multi_processor_count=gpu.sms,
        warp_size=warp_size(gpu),
        max_threads_per_multi_processor=_THREADS_PER_SM.get((major, minor), 2048),
        regs_per_multiprocessor=REGISTERS,
        shared_memory_per_block=per_block if is_amd(gpu) else 48 * 1024,
        shared_memory_per_block_optin=per_block,
        shared_memory_per_multiprocessor=per_block if is_amd(gpu) else per_block + _RESERVED_BYTES,
        L2_cache_size=int(gpu.l2_mb * 2**20),
        clock_rate=int(gpu.clock_mhz * 1000),
        gcnArchName=gpu.target if is_amd(gpu) else "",
    )


def target(gpu: Gpu) -> tuple[str, int | str, int]:
    """Triton's name of the GPU: backend, architecture and warp size."""
    if is_amd(gpu):
        return "hip", gpu.target, 64
    major, minor = capability(gpu)
    return "cuda", major * 10 + minor, 32
