"""flash-linear-attention: softmax attention and its relatives. The witness is torch, or the package's own reference."""

from typing import Any

import torch
from fla import ops
from inputs import close, double, randn, same
from torch.nn.functional import logsigmoid, normalize

PACKAGES = ("fla-core", "flash-linear-attention")

# batch, tokens (no multiple of a tile), heads, features
SHAPE = (1, 70, 2, 32)
Q, K, V = randn(*SHAPE), randn(*SHAPE, seed=1), randn(*SHAPE, seed=2)
GATE = logsigmoid(randn(*SHAPE[:3], seed=3))
SCALE = SHAPE[-1] ** -0.5


def _attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: Any = 0, window: int | None = None
) -> torch.Tensor:
    scores = torch.einsum("bqhd,bkhd->bhqk", q * SCALE, k) + bias
    later = torch.arange(q.shape[1])[:, None] - torch.arange(k.shape[1])
    hidden = later < 0 if window is None else (later < 0) | (later >= window)
    return torch.einsum("bhqk,bkhd->bqhd", scores.masked_fill(hidden.to(scores.device), float("-inf")).softmax(-1), v)


def parallel_attn() -> None:
    same(ops.parallel_attn, _attention, Q, K, V, tolerance=1e-4)


def parallel_attn_with_a_window() -> None:
    same(
        lambda q, k, v: ops.parallel_attn(q, k, v, window_size=17),
        lambda q, k, v: _attention(q, k, v, window=17),
        Q,
        K,
        V,
        tolerance=1e-4,
    )


def parallel_attn_of_grouped_heads() -> None:
    k, v = randn(1, 70, 1, 32, seed=1), randn(1, 70, 1, 32, seed=2)
    close(ops.parallel_attn(Q, k, v), _attention(*double(Q, k.expand(SHAPE), v.expand(SHAPE))), 1e-4)


def parallel_forgetting_attn() -> None:
    def witness(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        sums = g.cumsum(1).transpose(1, 2)
        return _attention(q, k, v, sums[..., None] - sums[..., None, :])

    same(ops.parallel_forgetting_attn, witness, Q, K, V, GATE, tolerance=1e-4)


def parallel_stickbreaking_attn() -> None:
    from fla.ops.stickbreaking_attn.naive import naive_stickbreaking_attn

    close(ops.parallel_stickbreaking_attn(Q, K, V), naive_stickbreaking_attn(Q, K, V, SCALE), 1e-3)


def parallel_path_attn() -> None:
    from fla.ops.path_attn.naive import naive_path_attn

    w, beta = normalize(randn(*SHAPE, seed=4), dim=-1), randn(*SHAPE[:3], seed=5).sigmoid()
    got = ops.parallel_path_attn(Q, K, V, w, beta, GATE, scale=SCALE)[0]
    close(got, naive_path_attn(Q, K, V, w, beta, GATE, SCALE), 1e-3)


def parallel_parallax() -> None:
    from fla.ops.parallax.naive import naive_parallax

    q, r, k, v = (x.bfloat16() for x in (Q, randn(*SHAPE, seed=4), K, V))
    close(ops.parallel_parallax(q, r, k, v), naive_parallax(*(x.float() for x in (q, r, k, v))), 3e-2)


def parallel_nsa_of_selected_blocks() -> None:
    from fla.ops.nsa.naive import naive_nsa_selection
    from fla.ops.nsa.parallel import parallel_nsa as nsa

    q, k, v = randn(1, 64, 16, 32), randn(1, 64, 1, 32, seed=1), randn(1, 64, 1, 32, seed=2)
    blocks = (torch.arange(64)[None, :, None, None] // 16 - torch.arange(2)).clamp(min=0).to(q.device)
    ones = torch.ones(1, 64, 16, device=q.device)
    got = nsa(q, k, v, g_slc=ones, block_indices=blocks, block_counts=2, block_size=16)
    close(got, naive_nsa_selection(q, k, v, blocks, 16), 2e-3)


def parallel_wall_attn() -> None:
    from fla.ops.wall_attn.naive import naive_wall_attn

    g = logsigmoid(randn(*SHAPE, seed=4)) / 16
    close(ops.parallel_wall_attn(Q, K, V, g, scale=SCALE), naive_wall_attn(Q, K, V, g, scale=SCALE), 1e-3)


def fused_attnres() -> None:
    from fla.ops.attnres.naive import naive_attnres

    residuals = [randn(1, 70, 64, seed=seed) for seed in range(4)]
    query, weight = randn(64, seed=5), randn(64, seed=6)
    close(ops.fused_attnres(query, residuals, weight), naive_attnres(query, residuals, weight), 1e-3)
