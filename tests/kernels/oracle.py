"""Inputs and the yardstick: float64 on the same inputs, and torch's own error in the same precision."""

from dataclasses import dataclass

import torch

from kernels.attention import (
    AttentionOutput,
    Impl,
    MaskDescription,
    SparseImpl,
    attention,
    sparse_attention,
    visible,
)
from kernels.attention.torch_impl import naive_masked_forward

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Shape:
    batch: int
    heads: int
    kv_heads: int
    query_len: int
    key_len: int
    head_dim: int

    def __str__(self) -> str:
        return f"{self.batch}x{self.heads}:{self.kv_heads}-{self.query_len}x{self.key_len}-d{self.head_dim}"


def random_qkv(
    shape: Shape, dtype: torch.dtype = torch.float32, device: str = "cpu", seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator(device=device).manual_seed(seed)
    sizes = (
        (shape.batch, shape.heads, shape.query_len, shape.head_dim),
        (shape.batch, shape.kv_heads, shape.key_len, shape.head_dim),
        (shape.batch, shape.kv_heads, shape.key_len, shape.head_dim),
    )
    q, k, v = (torch.randn(size, generator=generator, device=device).to(dtype) for size in sizes)
    return q, k, v


def rms(x: torch.Tensor) -> float:
    return float(x.double().square().mean().sqrt())


def assert_as_exact_as_torch(
    ours: AttentionOutput, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, factor: float = 2.0
) -> None:
    """The RMS error against float64 is within `factor` of what matmul, softmax, matmul leave in the same dtype.

    Where torch happens to be exact, half a unit in the last place of the values themselves is allowed.
    """
    exact = attention(q, k, v, impl=Impl.REFERENCE, causal=causal)
    theirs = attention(q, k, v, impl=Impl.TORCH_NAIVE, causal=causal)
    everywhere = torch.ones(q.shape[:3], dtype=torch.bool, device=q.device)
    _assert_within(ours, exact, theirs.out, everywhere, factor)


def assert_masked_as_exact_as_torch(
    ours: AttentionOutput,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    mask: MaskDescription,
    factor: float = 2.0,
) -> None:
    """The same under a mask, on the rows that see something; what rows without keys give is for others to check."""
    exact = sparse_attention(q, k, v, impl=SparseImpl.REFERENCE, mask=mask)
    # Rows that see nothing are given something to see: their NaN would spread (PyTorch's bfloat16 product on a CPU).
    dense = visible(mask, query_len=q.shape[2], key_len=k.shape[2], device=q.device)
    dense = dense | ~dense.any(-1, keepdim=True)
    theirs, _ = naive_masked_forward(q, k, v, mask=dense[:, None], softmax_scale=q.shape[3] ** -0.5)
    assert exact.lse is not None
    _assert_within(ours, exact, theirs, ~exact.lse.isneginf(), factor)


def _assert_within(
    ours: AttentionOutput, exact: AttentionOutput, theirs: torch.Tensor, rows: torch.Tensor, factor: float
) -> None:
    """Errors on `rows`, bool [batch, heads, query_len]; the log-sum-exp on all."""
    assert ours.out.dtype == theirs.dtype
    assert ours.out.shape == exact.out.shape
    if rows.any():
        expected = exact.out[rows]
        error, allowed = rms(ours.out[rows] - expected), rms(theirs[rows] - expected)
        rounding = torch.finfo(ours.out.dtype).eps / 2 * rms(expected)
        assert error <= max(factor * allowed, rounding), f"{error:.3e} against torch's own {allowed:.3e}"
    if ours.lse is not None and exact.lse is not None:
        torch.testing.assert_close(ours.lse.double(), exact.lse, rtol=1e-5, atol=1e-5)
