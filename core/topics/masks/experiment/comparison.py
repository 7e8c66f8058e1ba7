"""What can take the mask, each on the same inputs: declared here, checked and timed by core.hardware.compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from core.hardware.compare import Comparison, Implementation, allowed_rms_error, checked
from core.topics.masks.experiment.block_sparse import attend, tiles_of
from core.topics.masks.experiment.implementations import (
    LABELS,
    dense_plus_mask,
    flex_label,
    flex_runner,
    sdpa_bool_mask,
)
from core.topics.masks.experiment.problem import Problem
from core.topics.masks.experiment.tracing import Traced
from core.topics.masks.payload import MaskImplResult
from kernels.errors import KernelError


def comparison_of(
    problem: Problem, reference: torch.Tensor, traced: Traced | str, visible_flops: float
) -> Comparison[MaskImplResult]:
    """Every implementation, in the order of `LABELS`, against the float64 reference.

    `traced` is what tracing the block-sparse kernel gave. FLOP/s are by what the mask shows, so that skipping counts as
    speed.
    """
    naive = dense_plus_mask(problem)
    fully_masked_rows = int((~problem.sees).sum()) * int(problem.q.shape[1])  # over all heads and sequences
    named = {
        impl: MaskImplResult(impl, label, fully_masked_rows=fully_masked_rows, mask_bytes=problem.dense.numel())
        for impl, label in LABELS.items()
    }
    return Comparison(
        (
            Implementation(named["torch-naive"], lambda: dense_plus_mask(problem), naive),
            Implementation(named["sdpa-bool-mask"], lambda: sdpa_bool_mask(problem)),
            _flex(problem, named["flex"]),
            _block_sparse(problem, traced, named["block-sparse"]),
        ),
        _assessment(problem, naive, reference),
        problem.device,
        warm_up_rounds=3 if problem.device.type == "cuda" else 1,
        flops=visible_flops,
    )


def _assessment(
    problem: Problem, naive: torch.Tensor, reference: torch.Tensor
) -> Callable[[MaskImplResult, torch.Tensor], MaskImplResult]:
    """Errors over the rows that see something; NaN rows among the others."""
    seeing = problem.sees.expand(reference.shape[:-1])
    expected = reference[seeing]
    allowed = allowed_rms_error(naive[seeing], expected) if bool(seeing.any()) else 0.0

    def assess(result: MaskImplResult, out: torch.Tensor) -> MaskImplResult:
        result = replace(result, nan_rows=int(out[~seeing].isnan().any(-1).sum()))
        return checked(result, out[seeing], expected, allowed) if bool(seeing.any()) else result

    return assess


def _flex(problem: Problem, result: MaskImplResult) -> Implementation[MaskImplResult]:
    result = replace(result, label=flex_label(problem), mask_bytes=None)
    try:
        run, block_mask = flex_runner(problem)
    except KernelError as error:
        return Implementation(replace(result, reason=str(error)))
    tensors = (value for value in block_mask.as_tuple() if isinstance(value, torch.Tensor))
    return Implementation(replace(result, mask_bytes=sum(tensor.nbytes for tensor in tensors)), run)


def _block_sparse(problem: Problem, traced: Traced | str, result: MaskImplResult) -> Implementation[MaskImplResult]:
    """Where there is a GPU the kernel itself; elsewhere what its IR computed while it was traced."""
    tiles = tiles_of(problem)
    if isinstance(traced, str) or isinstance(tiles, str):
        return Implementation(replace(result, mask_bytes=None, reason=str(traced)))
    result = replace(result, mask_bytes=tiles.list_bytes)
    if problem.device.type == "cuda":
        return Implementation(result, lambda: attend(problem, tiles))
    return Implementation(result, out=traced.out)
