"""Four implementations of masked attention. Each takes the problem and returns [batch, heads, query_len, head_dim]."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

from core.contracts.text import Text, tr, verbatim
from core.hardware.compare import Comparison, Implementation, allowed_rms_error, checked
from core.masks.source_code import flex_mask_mod
from core.topics.masks.experiment.block_sparse import attend, tiles_of
from core.topics.masks.experiment.problem import Problem
from core.topics.masks.experiment.tracing import Traced
from core.topics.masks.result import IMPLEMENTATIONS, MaskImplResult
from core.wording import reason_of
from kernels.errors import KernelError, Unavailable

LABELS = {
    "torch-naive": tr("PyTorch, dense scores plus mask"),
    "sdpa-bool-mask": tr("PyTorch SDPA, bool mask"),
    "flex": verbatim("FlexAttention"),
    "block-sparse": tr("Triton block-sparse"),
}
assert tuple(LABELS) == IMPLEMENTATIONS


def dense_plus_mask(problem: Problem) -> torch.Tensor:
    """Three operations as one would write them; fully masked rows are not repaired."""
    scores = (problem.q @ problem.k.mT) * problem.scale
    return torch.softmax(scores.masked_fill(~problem.dense, float("-inf")), dim=-1) @ problem.v


def sdpa_bool_mask(problem: Problem) -> torch.Tensor:
    """scaled_dot_product_attention with the dense bool mask; PyTorch chooses the backend."""
    return scaled_dot_product_attention(problem.q, problem.k, problem.v, attn_mask=problem.dense, scale=problem.scale)


def flex_runner(problem: Problem) -> tuple[Callable[[], torch.Tensor], BlockMask]:
    """FlexAttention with the source code that the page offers to copy; compiled on a GPU, uncompiled on a CPU.

    Raises Unavailable if FlexAttention fails, as does the returned function.
    """
    source = flex_mask_mod(problem.mask, problem.layouts, *_flex_blocks(problem), device=str(problem.device))
    names: dict[str, Any] = {}
    with _flex_failures():
        exec(compile(source, "<mask_mod>", "exec"), names)
    block_mask: BlockMask = names["block_mask"]
    attend = torch.compile(flex_attention) if problem.device.type == "cuda" else flex_attention

    def run() -> torch.Tensor:
        with _flex_failures(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that it is not compiled, which the label says
            out: torch.Tensor = attend(problem.q, problem.k, problem.v, block_mask=block_mask, scale=problem.scale)
        return out

    return run, block_mask


@contextmanager
def _flex_failures() -> Iterator[None]:
    """Turns errors of FlexAttention and its compiler into one sentence."""
    try:
        yield
    except (RuntimeError, ValueError, NotImplementedError, torch._dynamo.exc.TorchDynamoException) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Unavailable("FlexAttention failed: {reason}", reason=lines[0][:200]) from error


def flex_label(problem: Problem) -> Text:
    return LABELS["flex"] if problem.device.type == "cuda" else tr("FlexAttention, not compiled")


def _flex_blocks(problem: Problem) -> tuple[int, int]:
    """Its compiled kernel needs tiles of 128; uncompiled it takes any, so those of the page."""
    return (128, 128) if problem.device.type == "cuda" else (problem.block_q, problem.block_kv)


def comparison_of(
    problem: Problem, reference: torch.Tensor, traced: Traced | Text, visible_flops: float
) -> Comparison[MaskImplResult]:
    """Every implementation, in the order of `LABELS`, against the float64 reference.

    `traced` is the traced block-sparse kernel, or why there is none. FLOP/s count visible cells only, so that skipping
    tiles shows as speed.
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
    """Errors over the rows that see a key; NaN rows among the fully masked ones."""
    has_keys = problem.sees.expand(reference.shape[:-1])
    expected = reference[has_keys]
    allowed = allowed_rms_error(naive[has_keys], expected) if bool(has_keys.any()) else 0.0

    def assess(result: MaskImplResult, out: torch.Tensor) -> MaskImplResult:
        result = replace(result, nan_rows=int(out[~has_keys].isnan().any(-1).sum()))
        return checked(result, out[has_keys], expected, allowed) if bool(has_keys.any()) else result

    return assess


def _flex(problem: Problem, result: MaskImplResult) -> Implementation[MaskImplResult]:
    result = replace(result, label=flex_label(problem), mask_bytes=None)
    try:
        run, block_mask = flex_runner(problem)
    except KernelError as error:
        return Implementation(replace(result, reason=reason_of(error)))
    tensors = (value for value in block_mask.as_tuple() if isinstance(value, torch.Tensor))
    return Implementation(replace(result, mask_bytes=sum(tensor.nbytes for tensor in tensors)), run)


def _block_sparse(problem: Problem, traced: Traced | Text, result: MaskImplResult) -> Implementation[MaskImplResult]:
    """The kernel itself on a GPU; elsewhere the output of the TTIR interpreter."""
    tiles = tiles_of(problem)
    if isinstance(traced, Text):
        return Implementation(replace(result, mask_bytes=None, reason=traced))
    if isinstance(tiles, Text):
        return Implementation(replace(result, mask_bytes=None, reason=tiles))
    result = replace(result, mask_bytes=tiles.list_bytes)
    if problem.device.type == "cuda":
        return Implementation(result, lambda: attend(problem, tiles))
    return Implementation(result, out=traced.out)
