"""The modelled time of kernels on a GPU that need not be here: a band, never a single number."""

from __future__ import annotations

from collections.abc import Iterable

from core.hardware.gpus import Gpu
from core.hardware.roofline import peak_dtype, roofline
from core.recordings.run import Band

LEAST_SHARE = 0.6
"""The share of the limiting peak that a good kernel is assumed to reach at least. The band from there to the whole peak
is 25% either way of its middle. It is an assumption: nobody has measured how often it is right."""


def modelled_band(work: Iterable[tuple[float, float]], gpu: Gpu, dtype: str) -> Band:
    """From the distinct bytes and the FLOPs of each launch, one launch after another. `low_ms` is the bound of the
    roofline."""
    dtype = peak_dtype(gpu, dtype)
    bound_ms = sum(roofline(flops, max(1.0, moved_bytes), gpu, dtype).time_ms for moved_bytes, flops in work)
    return Band(gpu.id, bound_ms, bound_ms / LEAST_SHARE)
