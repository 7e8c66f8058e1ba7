"""Inputs and the yardstick: float64 on the same inputs, and torch's own error in the same precision."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from kernels.attention import (
    AttentionOutput,
    BlockMask,
    Impl,
    MaskDescription,
    SparseImpl,
    attention,
    sparse_attention,
    visible,
)
from kernels.attention.reference import masked_reference_backward
from kernels.attention.reference import visible as causally_visible
from kernels.attention.torch_impl import naive_masked_forward

DTYPES = (torch.float32, torch.float16, torch.bfloat16)

Qkv = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


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


def random_qkv(shape: Shape, dtype: torch.dtype = torch.float32, device: str = "cpu", seed: int = 0) -> Qkv:
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


Gradients = dict[str, torch.Tensor]
GRADIENTS = ("dq", "dk", "dv")


def random_gradient(
    shape: Shape, dtype: torch.dtype = torch.float32, device: str = "cpu", seed: int = 1
) -> torch.Tensor:
    """Of the output."""
    generator = torch.Generator(device=device).manual_seed(seed)
    size = (shape.batch, shape.heads, shape.query_len, shape.head_dim)
    return torch.randn(size, generator=generator, device=device).to(dtype)


def gradients(
    attend: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    dout: torch.Tensor,
) -> Gradients:
    """dq, dk and dv of `attend`, by autograd."""
    leaves = [tensor.detach().requires_grad_() for tensor in (q, k, v)]
    found = torch.autograd.grad(attend(*leaves), leaves, dout)
    return dict(zip(GRADIENTS, found, strict=True))


def causal_gradients(
    qkv: Qkv,
    dout: torch.Tensor,
    *,
    causal: bool,
    impl: Impl = Impl.TRITON_FLASH,
    block_q: int | None = None,
    block_kv: int | None = None,
) -> Gradients:
    """Those of `attention`."""
    return gradients(
        lambda q, k, v: attention(q, k, v, impl=impl, causal=causal, block_q=block_q, block_kv=block_kv).out,
        *qkv,
        dout,
    )


def sparse_gradients(
    qkv: Qkv,
    dout: torch.Tensor,
    mask: MaskDescription | BlockMask,
    block_q: int | None = None,
    block_kv: int | None = None,
) -> Gradients:
    """Those of the block-sparse kernels."""
    return gradients(
        lambda q, k, v: (
            sparse_attention(q, k, v, impl=SparseImpl.BLOCK_SPARSE, mask=mask, block_q=block_q, block_kv=block_kv).out
        ),
        *qkv,
        dout,
    )


def assert_gradients_as_exact_as_torch(
    ours: Gradients,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    dout: torch.Tensor,
    *,
    mask: MaskDescription | bool,
    factor: float = 2.0,
) -> None:
    """The rule of `assert_as_exact_as_torch` for each gradient; `mask` may be a bool, whether attention is causal.

    dS is a difference, which torch happens to compute exactly for a row with a single key: a few units of float32 in
    the terms of that difference are allowed everywhere.
    """
    query_len, key_len, head_dim = q.shape[2], k.shape[2], q.shape[3]
    if isinstance(mask, bool):
        dense = causally_visible(query_len, key_len, causal=mask, device=q.device)[None]
    else:
        dense = visible(mask, query_len=query_len, key_len=key_len, device=q.device)
    scale = head_dim**-0.5
    exact = masked_reference_backward(q, k, v, dout, mask=dense, softmax_scale=scale)
    # Rows that see nothing are given something to see, but their output is not used.
    sees_something = dense.any(-1, keepdim=True)
    theirs = gradients(
        lambda q, k, v: naive_masked_forward(q, k, v, mask=(dense | ~sees_something)[:, None], softmax_scale=scale)[0],
        q, k, v, dout * sees_something[:, None],
    )  # fmt: skip
    terms = _gradient_terms(q, k, v, dout, dense, scale)
    for name, expected, positive in zip(GRADIENTS, exact, terms, strict=True):
        assert ours[name].dtype == theirs[name].dtype
        assert ours[name].shape == expected.shape
        error, allowed = rms(ours[name] - expected), rms(theirs[name] - expected)
        rounding = torch.finfo(ours[name].dtype).eps / 2 * rms(expected)
        of_terms = 4 * torch.finfo(torch.float32).eps * rms(positive)
        message = f"{name}: {error:.3e} against torch's own {allowed:.3e}"
        assert error <= max(factor * allowed, rounding, of_terms), message


def _gradient_terms(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dout: torch.Tensor, dense: torch.Tensor, scale: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The sums of dq, dk and dv with every term positive, in float64: what rounding errors are proportional to."""
    group = q.shape[1] // k.shape[1]
    queries, d_out = q.double(), dout.double()
    keys, values = (tensor.double().repeat_interleave(group, dim=1) for tensor in (k, v))
    hidden = ~dense[:, None]
    p = torch.softmax((scale * (queries @ keys.mT)).masked_fill(hidden, -torch.inf), -1).masked_fill(hidden, 0.0)
    dp = d_out.abs() @ values.abs().mT
    ds = p * (dp + (p * dp).sum(-1, keepdim=True))
    dk, dv = scale * (ds.mT @ queries.abs()), p.mT @ d_out.abs()
    dk, dv = (tensor.unflatten(1, (-1, group)).sum(2) for tensor in (dk, dv))
    return scale * (ds @ keys.abs()), dk, dv
