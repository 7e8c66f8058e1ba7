"""Attention of single packages: adasplash and jvp-flash-attention."""

import torch
from inputs import close, double, randn, same
from torch.nn import functional

PACKAGES = ("adasplash", "jvp-flash-attention")


def _entmax(x: torch.Tensor) -> torch.Tensor:
    """Of alpha 1.5, along the last axis, by bisection."""
    x = x / 2
    low, high = x.amax(-1, keepdim=True) - 1, x.amax(-1, keepdim=True)
    for _ in range(80):
        middle = (low + high) / 2
        above = (x - middle).clamp(min=0).square().sum(-1, keepdim=True) >= 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return (x - low).clamp(min=0).square()


def entmax() -> None:
    from adasplash import triton_entmax_v1

    x = randn(6, 70)
    close(triton_entmax_v1(x, 1.5, 20, False), _entmax(double(x)[0]), 1e-3)


def entmax_by_histogram() -> None:
    from adasplash import triton_entmax_v2

    x = randn(6, 70)
    close(triton_entmax_v2(x, 1.5, 4), _entmax(double(x)[0]), 1e-3)


def _sparse_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -1e9)
    return _entmax(scores) @ v


def sparse_attention() -> None:
    from adasplash import adasplash_no_block_mask

    q, k, v = (randn(1, 2, 128, 32, seed=seed) for seed in range(3))
    close(adasplash_no_block_mask(q, k, v, niter=20), _sparse_attention(*double(q, k, v), False), 5e-3)


def sparse_attention_of_blocks() -> None:
    from adasplash import adasplash_v1

    q, k, v = (randn(1, 2, 128, 32, seed=seed) for seed in range(3))
    close(adasplash_v1(q, k, v, is_causal=True, niter=20), _sparse_attention(*double(q, k, v), True), 5e-3)


def causal_sparse_attention() -> None:
    from adasplash import adasplash2

    q, k, v = (randn(1, 2, 128, 32, seed=seed) for seed in range(3))
    close(adasplash2(q, k, v, niter=4), _sparse_attention(*double(q, k, v), True), 1e-2)


def attention_with_gradients() -> None:
    from jvp_flash_attention.jvp_attention import attention

    q, k, v = (randn(1, 2, 128, 32, seed=seed, dtype=torch.float16) for seed in range(3))
    same(
        lambda q, k, v: attention(q, k, v, causal=True),
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True),
        q,
        k,
        v,
        tolerance=2e-2,
    )
