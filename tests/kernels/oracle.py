"""Inputs and the yardstick: float64 on the same inputs, and torch's own error in the same precision."""

from dataclasses import dataclass

import torch

from kernels.attention import AttentionOutput, Impl, attention

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
    assert ours.out.dtype == q.dtype
    assert ours.out.shape == q.shape
    error, allowed = rms(ours.out - exact.out), rms(theirs.out - exact.out)
    rounding = torch.finfo(q.dtype).eps / 2 * rms(exact.out)
    assert error <= max(factor * allowed, rounding), f"{error:.3e} against torch's own {allowed:.3e}"
    if ours.lse is not None and exact.lse is not None:
        torch.testing.assert_close(ours.lse.double(), exact.lse, rtol=1e-5, atol=1e-5)
