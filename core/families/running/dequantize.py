"""Dequantizing on a device."""

from __future__ import annotations

from functools import partial

import torch

from core.families.axes import Case
from core.families.running.problem import DTYPES, Outputs, Problem, random_matrix
from core.families.running.stored_weights import checked_rows, first_rows, stored
from kernels.quantization.api import Impl, dequantize
from kernels.quantization.reference import reference_dequantize


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """Levels times scales are known exactly; what rounding them once leaves is the error that is allowed, times
    three."""
    dtype = DTYPES[str(case["dtype"])]
    quantized = stored(random_matrix(case, seed, device), case)
    rows = checked_rows(quantized)
    few = first_rows(quantized, rows)

    def by(impl: Impl) -> Outputs:
        return (dequantize(quantized, dtype=dtype, impl=impl),)

    return Problem(
        runs={impl.value: partial(by, impl) for impl in Impl},
        exact=lambda: (reference_dequantize(few),),
        plain=lambda: (reference_dequantize(few).to(dtype),),
        part=lambda outputs: (outputs[0][:rows],),
    )
