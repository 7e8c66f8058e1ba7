"""What double quantization stores for the scales of a tensor, and how many bits it saves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.coding import Scales, quantized_scales
from core.contracts.archive import Array

SHOWN = 4096
SCALE_BITS, NESTED_BITS = 32, 8
_ERROR_BINS = 60


@dataclass(frozen=True, eq=False)
class NestedScales:
    """Scales of the blocks of `tensor` ('' if unknown), one per `block_size` weights; each array is [scales].

    absmax    float32: the scales before double quantization
    codes     uint8: the codes that double quantization stores, with one float32 per `nested_block` codes
    restored  float32: the scales restored from the codes
    """

    tensor: str
    block_size: int
    nested_block: int
    absmax: Array
    codes: Array
    restored: Array

    @property
    def plain_bits(self) -> float:
        """Bits per parameter of scales in float32: 32/64 = 0.5 in QLoRA."""
        return SCALE_BITS / self.block_size

    @property
    def code_bits(self) -> float:
        """Bits per parameter of the 8-bit codes of the scales: 8/64 in QLoRA."""
        return NESTED_BITS / self.block_size

    @property
    def second_bits(self) -> float:
        """Bits per parameter of the scales of these codes: 32/(64 * 256) in QLoRA."""
        return SCALE_BITS / (self.block_size * self.nested_block)

    @property
    def nested_bits(self) -> float:
        """Bits per parameter with double quantization: 0.127 in QLoRA."""
        return self.code_bits + self.second_bits

    @property
    def saved_bits(self) -> float:
        return self.plain_bits - self.nested_bits

    @property
    def relative_rmse(self) -> float:
        """Relative RMSE of the scales themselves; NaN if all are zero."""
        power = float(np.square(self.absmax, dtype=np.float64).sum())
        error = float(np.square(self.restored.astype(np.float64) - self.absmax).sum())
        return float(np.sqrt(error / power)) if power else float("nan")

    @cached_property
    def ascending(self) -> NestedScales:
        """The same scales sorted by absmax, in float64."""
        order = np.argsort(self.absmax, kind="stable")
        absmax, restored = (values.astype(np.float64)[order] for values in (self.absmax, self.restored))
        return replace(self, absmax=absmax, codes=self.codes[order], restored=restored)

    @cached_property
    def code_counts(self) -> NDArray[np.int64]:
        """int64 [256]: the number of scales with each 8-bit code."""
        return np.bincount(self.codes, minlength=256)

    @cached_property
    def errors(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Histogram of the relative errors of the scales: counts int64 [bins], and edges float64 [bins + 1] in
        percent."""
        absmax, restored = (values.astype(np.float64) for values in (self.absmax, self.restored))
        known = absmax > 0
        errors = 100 * (restored[known] / absmax[known] - 1)
        reach = float(np.abs(errors).max(initial=0.0)) or 1.0
        return np.histogram(errors, np.linspace(-reach, reach, _ERROR_BINS + 1))


def nested_scales(absmax: Scales, tensor: str, block_size: int, nested_block: int) -> NestedScales:
    """These scales with double quantization, whether or not the parameters turn it on."""
    codes, restored = quantized_scales(absmax, nested_block)
    return NestedScales(tensor, block_size, nested_block, absmax, codes, restored)
