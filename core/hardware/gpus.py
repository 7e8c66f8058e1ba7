"""Facts about each GPU, read from resources/gpus.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.contracts.errors import UnknownName
from core.contracts.text import Text, listed, quoted, tr

_FACTS = Path(__file__).resolve().parents[2] / "resources" / "gpus.toml"
_SRAM_BYTES_PER_CLOCK = 128
"""Shared-memory bandwidth per SM (on AMD, LDS bandwidth per CU): 32 banks of 4 bytes per clock."""

_SOURCES: Mapping[str, Text] = {
    "a100-40gb": tr(
        "NVIDIA A100 Tensor Core GPU data sheet (SXM4 40 GB) and CUDA C++ Programming Guide, compute capability 8.0"
    ),
    "a100-80gb": tr(
        "NVIDIA A100 Tensor Core GPU data sheet (SXM4 80 GB) and CUDA C++ Programming Guide, compute capability 8.0"
    ),
    "h100-sxm": tr(
        "NVIDIA H100 Tensor Core GPU data sheet (SXM5; dense, half of the figures with sparsity) "
        "and Hopper Tuning Guide"
    ),
    "h200": tr(
        "NVIDIA H200 Tensor Core GPU data sheet (SXM; dense, half of the figures with sparsity) and Hopper Tuning Guide"
    ),
    "b200": tr(
        "NVIDIA HGX B200 data sheet (one GPU; dense, half of the figures with sparsity) and Blackwell Tuning Guide"
    ),
    "rtx-4090": tr(
        "NVIDIA Ada GPU Architecture white paper, GeForce RTX 4090, "
        "and CUDA C++ Programming Guide, compute capability 8.9"
    ),
    "mi300x": tr("AMD Instinct MI300X data sheet and CDNA 3 Architecture white paper"),
}
"""Where the facts of each GPU come from."""


@dataclass(frozen=True)
class Gpu:
    """One GPU. Names contain the units; `tflops` is the dense peak per dtype."""

    id: str
    name: str
    vendor: str
    target: str
    memory_gb: float
    hbm_bandwidth_gb_s: float
    sms: int
    sram_per_sm_kb: float
    shared_memory_per_block_kb: float
    clock_mhz: float
    l2_mb: float
    tflops: Mapping[str, float]
    source: Text

    @property
    def shared_memory_per_block_bytes(self) -> int:
        return int(self.shared_memory_per_block_kb * 1024)

    @property
    def memory_bytes(self) -> float:
        """HBM: 1 GB is 10^9 bytes."""
        return self.memory_gb * 1e9

    @property
    def hbm_bytes_per_s(self) -> float:
        return self.hbm_bandwidth_gb_s * 1e9

    @property
    def sram_bytes_per_sm(self) -> float:
        """1 KB of SRAM is 1024 bytes."""
        return self.sram_per_sm_kb * 1024

    @property
    def sram_bytes(self) -> int:
        """SRAM (L1 and shared memory) of the whole GPU, in bytes."""
        return int(self.sms * self.sram_per_sm_kb * 1024)

    @property
    def sram_bandwidth_tb_s(self) -> float:
        """Modelled: SMs x 128 bytes per clock x boost clock, in TB/s (A100: 19.5; the FlashAttention paper says 19)."""
        return self.sms * _SRAM_BYTES_PER_CLOCK * self.clock_mhz * 1e6 / 1e12

    @property
    def sram_bytes_per_s(self) -> float:
        """Modelled."""
        return self.sram_bandwidth_tb_s * 1e12

    @property
    def speed_ratio(self) -> float:
        """SRAM bandwidth over HBM bandwidth."""
        return self.sram_bytes_per_s / self.hbm_bytes_per_s

    @property
    def size_ratio(self) -> float:
        """HBM size over SRAM size."""
        return self.memory_bytes / self.sram_bytes


@cache
def gpus() -> Mapping[str, Gpu]:
    """Every known GPU by id, in the order of the file."""
    with _FACTS.open("rb") as file:
        return {
            gpu_id: Gpu(id=gpu_id, source=_SOURCES[gpu_id], **facts) for gpu_id, facts in tomllib.load(file).items()
        }


def gpu(gpu_id: str) -> Gpu:
    """The GPU of that id. Raises UnknownName, listing those that exist."""
    if gpu_id not in gpus():
        raise UnknownName(
            tr("There is no GPU {name}: the GPUs are {known}.", name=quoted(gpu_id), known=listed(gpus()))
        )
    return gpus()[gpu_id]


def gpu_called(name: str) -> Gpu:
    """The GPU of that id, or of the only id that begins so: 'h100'. Raises UnknownName, listing those that exist."""
    close = [gpu_id for gpu_id in gpus() if gpu_id.startswith(name.strip().lower())] if name.strip() else []
    return gpu(close[0] if len(close) == 1 else name)


def gpu_named(device_name: str) -> Gpu | None:
    """The known GPU that a driver calls by this name, such as 'NVIDIA A100-SXM4-40GB'; None for another one."""
    words = set(re.findall(r"[a-z0-9]+", device_name.lower()))
    if words & {"pcie", "nvl", "laptop"}:
        return None
    return next((known for known in gpus().values() if words >= set(known.id.split("-")) - {"sxm", "rtx"}), None)


GPU_IDS = tuple(gpus())
