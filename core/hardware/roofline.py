"""The roofline model: the bounds that a GPU's peaks set on a kernel's speed. All numbers here are modelled.

Williams, Waterman and Patterson 2009: attainable = min(peak, intensity x bandwidth).
"""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.errors import UnknownName
from core.contracts.text import listed, quoted, tr
from core.hardware.gpus import Gpu


@dataclass(frozen=True)
class Roofline:
    """One kernel on one GPU: the lower bound that arithmetic and memory traffic set on its time."""

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
        """A lower bound: arithmetic and traffic overlap perfectly, both at their peaks."""
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
        raise UnknownName(
            tr(
                "The peak for {dtype} on the {gpu} is unknown: use one of {known}.",
                dtype=quoted(dtype),
                gpu=gpu.name,
                known=listed(gpu.tflops),
            )
        )
    return gpu.tflops[dtype]


def peak_dtype(gpu: Gpu, dtype: str) -> str:
    """The precision whose peak bounds work in `dtype`: itself, or fp32 where the GPU has no peak of its own for it."""
    return dtype if dtype in gpu.tflops else "fp32"


def ridge_point(gpu: Gpu, dtype: str) -> float:
    """The arithmetic intensity, in FLOP per byte of HBM traffic, below which a kernel is memory-bound."""
    return peak_tflops(gpu, dtype) * 1e12 / (gpu.hbm_bandwidth_gb_s * 1e9)


def attainable_tflops(gpu: Gpu, dtype: str, intensity_flops_per_byte: float) -> float:
    """The attainable speed at an arithmetic intensity, in TFLOP/s."""
    return min(peak_tflops(gpu, dtype), intensity_flops_per_byte * gpu.hbm_bandwidth_gb_s * 1e9 / 1e12)


def roofline(flops: float, hbm_bytes: float, gpu: Gpu, dtype: str) -> Roofline:
    """The bounds of `gpu` on a kernel that computes `flops` operations in `dtype` and moves `hbm_bytes`."""
    return Roofline(float(flops), float(hbm_bytes), peak_tflops(gpu, dtype) * 1e12, gpu.hbm_bandwidth_gb_s * 1e9)
