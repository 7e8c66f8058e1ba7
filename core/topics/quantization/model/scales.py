"""Double quantization opened up: the scales of a tensor, what is stored of them, and what that saves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.coding import Scales, quantized_scales

SHOWN = 4096
SCALE_BITS, NESTED_BITS = 32, 8


@dataclass(frozen=True)
class NestedScales:
    """Scales of one tensor, [scales] each: as float32, as 8-bit codes, and as those give them back.

    `plain_bits` and `nested_bits` are what scales add to every weight: 32/64 = 0.5 and 8/64 + 32/(64 * 256) = 0.127 in
    QLoRA's case. `relative_rmse` is of the scales themselves.
    """

    absmax: Scales
    codes: NDArray[np.uint8]
    restored: Scales
    plain_bits: float
    nested_bits: float

    @property
    def saved_bits(self) -> float:
        return self.plain_bits - self.nested_bits

    @property
    def relative_rmse(self) -> float:
        power = float(np.square(self.absmax, dtype=np.float64).sum())
        error = float(np.square(self.restored.astype(np.float64) - self.absmax).sum())
        return float(np.sqrt(error / power)) if power else float("nan")


def nested_scales(absmax: Scales, block_size: int, nested_block: int) -> NestedScales:
    """What double quantization does to these scales, whether or not the parameters ask for it."""
    codes, restored = quantized_scales(absmax, nested_block)
    plain = SCALE_BITS / block_size
    nested = NESTED_BITS / block_size + SCALE_BITS / (block_size * nested_block)
    return NestedScales(absmax, codes, restored, plain, nested)
