"""Quantizing on a device. What is checked are the restored weights, against the weights themselves."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from core.families.axes import Case
from core.families.running.problem import Outputs, Problem, random_matrix
from core.families.running.stored_weights import checked_rows, first_rows, stored
from kernels.quantization.api import AffineScales, Impl, NestedScales, Quantized
from kernels.quantization.reference import reference_dequantize

_ROUNDING = 1.001
"""A format has one best rounding: whatever is worse than PyTorch's by more than this is another rounding."""


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """Outputs are the stored tensors. The error is that of quantization itself, so the limit is PyTorch's own error
    with a thousandth to spare, not a multiple of it."""
    weight = random_matrix(case, seed, device)
    best = stored(weight, case, Impl.TORCH)
    rows = checked_rows(best)
    exact = weight[:rows].double()
    error = _restored(best, rows, held(best))[0] - exact

    def by(impl: Impl) -> Outputs:
        return held(stored(weight, case, impl))

    return Problem(
        runs={impl.value: partial(by, impl) for impl in Impl},
        exact=lambda: (exact,),
        plain=lambda: _restored(best, rows, held(best)),
        part=partial(_restored, best, rows),
        allowed_rms_error=_ROUNDING * float(error.square().mean().sqrt()),
    )


def held(quantized: Quantized) -> Outputs:
    """The tensors of stored weights."""
    nested, affine = quantized.nested, quantized.affine
    tensors = [quantized.codes]
    tensors += [] if quantized.absmax is None else [quantized.absmax]
    tensors += [] if nested is None else [nested.codes, nested.absmax, nested.offset]
    tensors += [] if affine is None else [affine.minimum, affine.step]
    return tuple(tensors)


def _restored(like: Quantized, rows: int, outputs: Outputs) -> Outputs:
    """The first rows of the weights that stored tensors stand for, in float64."""
    codes, *scales = outputs
    made = replace(like, codes=codes)
    if like.absmax is not None:
        made = replace(made, absmax=scales[0])
    if like.nested is not None:
        made = replace(made, nested=NestedScales(*scales))
    if like.affine is not None:
        made = replace(made, affine=AffineScales(*scales))
    return (reference_dequantize(first_rows(made, rows)),)
