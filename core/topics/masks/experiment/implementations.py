"""Four ways to attend under the same mask. Each takes the problem and returns [batch, heads, query_len, head_dim]."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

from core.masks.source_code import flex_mask_mod
from core.topics.masks.experiment.problem import Problem
from core.topics.masks.payload import IMPLEMENTATIONS
from kernels.errors import Unavailable

LABELS = {
    "torch-naive": "PyTorch, dense scores plus mask",
    "sdpa-bool-mask": "PyTorch SDPA, bool mask",
    "flex": "FlexAttention",
    "block-sparse": "Triton block-sparse",
}
assert tuple(LABELS) == IMPLEMENTATIONS


def dense_plus_mask(problem: Problem) -> torch.Tensor:
    """Three operations as one would write them: what a row without keys gives is left as it comes."""
    scores = (problem.q @ problem.k.mT) * problem.scale
    return torch.softmax(scores.masked_fill(~problem.dense, float("-inf")), dim=-1) @ problem.v


def sdpa_bool_mask(problem: Problem) -> torch.Tensor:
    """scaled_dot_product_attention with the dense bool mask, the backend being PyTorch's choice."""
    return scaled_dot_product_attention(problem.q, problem.k, problem.v, attn_mask=problem.dense, scale=problem.scale)


def flex_runner(problem: Problem) -> tuple[Callable[[], torch.Tensor], BlockMask]:
    """FlexAttention with the very source that the page offers to copy; compiled on a GPU, as it comes on a CPU.

    Raises Unavailable, as does the runner, where FlexAttention declines.
    """
    source = flex_mask_mod(problem.mask, problem.layouts, *_flex_blocks(problem), device=str(problem.device))
    names: dict[str, Any] = {}
    with _declining():
        exec(compile(source, "<mask_mod>", "exec"), names)
    block_mask: BlockMask = names["block_mask"]
    attend = torch.compile(flex_attention) if problem.device.type == "cuda" else flex_attention

    def run() -> torch.Tensor:
        with _declining(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it was not compiled: the label says so
            out: torch.Tensor = attend(problem.q, problem.k, problem.v, block_mask=block_mask, scale=problem.scale)
        return out

    return run, block_mask


@contextmanager
def _declining() -> Iterator[None]:
    """Errors of FlexAttention and of what compiles it, as one sentence."""
    try:
        yield
    except (RuntimeError, ValueError, NotImplementedError, torch._dynamo.exc.TorchDynamoException) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Unavailable(f"FlexAttention declined: {lines[0][:200]}") from error


def flex_label(problem: Problem) -> str:
    return LABELS["flex"] + ("" if problem.device.type == "cuda" else ", not compiled")


def _flex_blocks(problem: Problem) -> tuple[int, int]:
    """Its compiled kernel wants tiles of 128; as it comes, any will do, so those of the page."""
    return (128, 128) if problem.device.type == "cuda" else (problem.block_q, problem.block_kv)
