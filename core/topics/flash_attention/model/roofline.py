"""Modelled lower bounds of time on the chosen GPU (Williams et al. 2009): never a measurement."""

from __future__ import annotations

from dataclasses import dataclass

from core.hardware.gpus import Gpu


@dataclass(frozen=True)
class Roofline:
    """One kernel under the roof: FLOPs, HBM bytes and the time that neither roof lets it beat."""

    flops: float
    hbm_bytes: float
    peak_flops_per_s: float
    bandwidth_bytes_per_s: float

    @property
    def intensity_flops_per_byte(self) -> float:
        return self.flops / self.hbm_bytes

    @property
    def ridge_flops_per_byte(self) -> float:
        """The intensity at which the two roofs meet."""
        return self.peak_flops_per_s / self.bandwidth_bytes_per_s

    @property
    def compute_ms(self) -> float:
        return self.flops / self.peak_flops_per_s * 1e3

    @property
    def memory_ms(self) -> float:
        return self.hbm_bytes / self.bandwidth_bytes_per_s * 1e3

    @property
    def time_ms(self) -> float:
        return max(self.compute_ms, self.memory_ms)

    @property
    def bound(self) -> str:
        return "compute" if self.compute_ms >= self.memory_ms else "memory"


def roofline(flops: float, hbm_bytes: float, gpu: Gpu, dtype: str) -> Roofline:
    """The roof of `gpu` for dense products in `dtype`; fp32 takes the fp32 peak, not TF32."""
    peak = gpu.tflops.get(dtype, gpu.tflops["fp32"])
    return Roofline(float(flops), float(hbm_bytes), peak * 1e12, gpu.hbm_bandwidth_gb_s * 1e9)
