"""The roofline model: bounds that a GPU's peaks set on a kernel's speed. Everything here is modelled, never measured.

Williams, Waterman and Patterson 2009: attainable = min(peak, intensity x bandwidth).
"""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.errors import UnknownName
from core.hardware.gpus import Gpu


@dataclass(frozen=True)
class Roofline:
    """One kernel under one GPU's roof: the time that neither its arithmetic nor its traffic can beat."""

    flops: float
    hbm_bytes: float
    peak_flops_per_s: float
    bandwidth_bytes_per_s: float

    @property
    def intensity_flops_per_byte(self) -> float:
        return self.flops / self.hbm_bytes

    @property
    def ridge_flops_per_byte(self) -> float:
        return self.peak_flops_per_s / self.bandwidth_bytes_per_s

    @property
    def compute_ms(self) -> float:
        return self.flops / self.peak_flops_per_s * 1e3

    @property
    def memory_ms(self) -> float:
        return self.hbm_bytes / self.bandwidth_bytes_per_s * 1e3

    @property
    def time_ms(self) -> float:
        """Perfect overlap of arithmetic and traffic, both at their peaks: a lower bound."""
        return max(self.compute_ms, self.memory_ms)

    @property
    def bound(self) -> str:
        return "compute" if self.compute_ms >= self.memory_ms else "memory"

    @property
    def attainable_tflops(self) -> float:
        return self.flops / (self.time_ms * 1e-3) / 1e12


def peak_tflops(gpu: Gpu, dtype: str) -> float:
    """Dense peak of `gpu` in `dtype`, in TFLOP/s. fp32 is the fp32 peak, not TF32's. Raises UnknownName."""
    if dtype not in gpu.tflops:
        raise UnknownName(f"No peak is known for {dtype!r} on the {gpu.name}: there are {', '.join(gpu.tflops)}.")
    return gpu.tflops[dtype]


def ridge_point(gpu: Gpu, dtype: str) -> float:
    """The arithmetic intensity, in FLOP per byte of HBM traffic, below which memory bounds a kernel."""
    return peak_tflops(gpu, dtype) * 1e12 / (gpu.hbm_bandwidth_gb_s * 1e9)


def attainable_tflops(gpu: Gpu, dtype: str, intensity_flops_per_byte: float) -> float:
    """The roof at an arithmetic intensity, in TFLOP/s."""
    return min(peak_tflops(gpu, dtype), intensity_flops_per_byte * gpu.hbm_bandwidth_gb_s * 1e9 / 1e12)


def roofline(flops: float, hbm_bytes: float, gpu: Gpu, dtype: str) -> Roofline:
    """A kernel of `flops` operations in `dtype` that moves `hbm_bytes`, under the roof of `gpu`."""
    return Roofline(float(flops), float(hbm_bytes), peak_tflops(gpu, dtype) * 1e12, gpu.hbm_bandwidth_gb_s * 1e9)
