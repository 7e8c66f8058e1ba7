"""The two memories of the chosen GPU, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from core.hardware.gpus import Gpu


@dataclass(frozen=True)
class MemoryFacts:
    """Size and bandwidth of HBM and of all SRAM (L1 and shared memory of every SM) of one GPU.

    The SRAM bandwidth is modelled (128 bytes a clock and SM); everything else is from the data sheet in `source`.
    """

    gpu: str
    hbm_bytes: float
    hbm_bytes_per_s: float
    sram_bytes: float
    sram_bytes_per_s: float
    sms: int
    sram_bytes_per_sm: float
    l2_bytes: float
    source: str

    @property
    def speed_ratio(self) -> float:
        """SRAM bandwidth over HBM bandwidth."""
        return self.sram_bytes_per_s / self.hbm_bytes_per_s

    @property
    def size_ratio(self) -> float:
        """HBM size over SRAM size."""
        return self.hbm_bytes / self.sram_bytes


def memory_facts(gpu: Gpu) -> MemoryFacts:
    """Facts of `gpu` in bytes and bytes per second (1 GB of HBM is 10^9 bytes, 1 KB of SRAM is 1024)."""
    return MemoryFacts(
        gpu=gpu.name,
        hbm_bytes=gpu.memory_gb * 1e9,
        hbm_bytes_per_s=gpu.hbm_bandwidth_gb_s * 1e9,
        sram_bytes=gpu.sram_bytes,
        sram_bytes_per_s=gpu.sram_bandwidth_tb_s * 1e12,
        sms=gpu.sms,
        sram_bytes_per_sm=gpu.sram_per_sm_kb * 1024,
        l2_bytes=gpu.l2_mb * 1e6,
        source=gpu.source,
    )
