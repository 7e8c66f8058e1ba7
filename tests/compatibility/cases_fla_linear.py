"""flash-linear-attention: linear attention with and without decay, chunked, recurrent and parallel."""

import math
from collections.abc import Callable
from typing import Any

import torch
from fla import ops
from inputs import close, randn, same

PACKAGES = ("fla-core", "flash-linear-attention")

# batch, tokens (no multiple of a chunk), heads, features
SHAPE = (1, 70, 2, 32)
Q, K, V = randn(*SHAPE), randn(*SHAPE, seed=1), randn(*SHAPE, seed=2)
DECAY = torch.nn.functional.logsigmoid(randn(*SHAPE, seed=3))
HEAD_DECAY = torch.nn.functional.logsigmoid(randn(*SHAPE[:3], seed=3))
SCALE = SHAPE[-1] ** -0.5


def _recurrence(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, decay: torch.Tensor, scale: float = SCALE
) -> torch.Tensor:
    """state = exp(decay) * state + k v', output = q state: one token after the other. `decay`: batch, tokens, heads,
    and features or 1."""
    state = q.new_zeros(q.shape[0], q.shape[2], q.shape[3], v.shape[3])
    rows = []
    for t in range(q.shape[1]):
        state = decay[:, t].exp()[..., None] * state + k[:, t, :, :, None] * v[:, t, :, None, :]
        rows.append(torch.einsum("bhk,bhkv->bhv", q[:, t] * scale, state))
    return torch.stack(rows, 1)


def _fixed(rates: Any) -> Callable[..., torch.Tensor]:
    """A witness whose heads decay at fixed rates."""

    def witness(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        decay = torch.as_tensor(rates, dtype=torch.float64).view(1, 1, -1, 1).expand(*q.shape[:3], 1)
        return _recurrence(q, k, v, decay)

    return witness


_RETENTION = [math.log(1 - 2.0 ** (-5 - head)) for head in range(2)]
_LIGHTNING = [-(8 / 2 * (1 - 3 / 12)) * head for head in range(2)]


def chunk_linear_attn() -> None:
    same(lambda q, k, v: ops.chunk_linear_attn(q, k, v, normalize=False), _fixed([0, 0]), Q, K, V, tolerance=1e-4)


def fused_chunk_linear_attn() -> None:
    same(lambda q, k, v: ops.fused_chunk_linear_attn(q, k, v, normalize=False), _fixed([0, 0]), Q, K, V, tolerance=1e-4)


def fused_recurrent_linear_attn() -> None:
    same(ops.fused_recurrent_linear_attn, _fixed([0, 0]), Q, K, V, tolerance=1e-4)


def chunk_retention() -> None:
    same(ops.chunk_retention, _fixed(_RETENTION), Q, K, V, tolerance=1e-4)


def fused_chunk_retention() -> None:
    same(ops.fused_chunk_retention, _fixed(_RETENTION), Q, K, V, tolerance=1e-4)


def fused_recurrent_retention() -> None:
    same(ops.fused_recurrent_retention, _fixed(_RETENTION), Q, K, V, tolerance=1e-4)


def parallel_retention() -> None:
    same(ops.parallel_retention, _fixed(_RETENTION), Q, K, V, tolerance=1e-4)


def chunk_lightning_attn() -> None:
    same(lambda q, k, v: ops.chunk_lightning_attn(q, k, v, 3, 12), _fixed(_LIGHTNING), Q, K, V, tolerance=1e-4)


def fused_recurrent_lightning_attn() -> None:
    same(
        lambda q, k, v: ops.fused_recurrent_lightning_attn(q, k, v, 3, 12), _fixed(_LIGHTNING), Q, K, V, tolerance=1e-4
    )


def chunk_gla() -> None:
    same(ops.chunk_gla, _recurrence, Q, K, V, DECAY, tolerance=1e-4)


def fused_recurrent_gla() -> None:
    same(ops.fused_recurrent_gla, _recurrence, Q, K, V, DECAY, tolerance=1e-4)


def _per_head(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    return _recurrence(q, k, v, g[..., None])


def chunk_simple_gla() -> None:
    same(ops.chunk_simple_gla, _per_head, Q, K, V, HEAD_DECAY, tolerance=1e-4)


def fused_chunk_simple_gla() -> None:
    same(ops.fused_chunk_simple_gla, _per_head, Q, K, V, HEAD_DECAY, tolerance=1e-4)


def fused_recurrent_simple_gla() -> None:
    same(ops.fused_recurrent_simple_gla, _per_head, Q, K, V, HEAD_DECAY, tolerance=1e-4)


def parallel_simple_gla() -> None:
    same(ops.parallel_simple_gla, _per_head, Q, K, V, HEAD_DECAY, tolerance=1e-4)


def chunk_simple_gla_of_packed_sequences() -> None:
    starts = torch.tensor([0, 13, 70]).to(Q.device)

    def witness(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        parts = [_per_head(*(x[:, slice(*ends)] for x in (q, k, v, g))) for ends in ((0, 13), (13, 70))]
        return torch.cat(parts, 1)

    same(
        lambda q, k, v, g: ops.chunk_simple_gla(q, k, v, g, cu_seqlens=starts),
        witness,
        Q,
        K,
        V,
        HEAD_DECAY,
        tolerance=1e-4,
    )


def chunk_gla_in_bfloat16() -> None:
    q, k, v, g = (x.bfloat16() for x in (Q, K, V, DECAY))
    close(ops.chunk_gla(q, k, v, g)[0], _recurrence(q.double(), k.double(), v.double(), g.double()), 2e-2)


def fused_recurrent_hgrn() -> None:
    same(ops.fused_recurrent_hgrn, _hgrn, randn(2, 70, 48), torch.nn.functional.logsigmoid(randn(2, 70, 48, seed=1)))


def _hgrn(x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    state, rows = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        state = g[:, t].exp() * state + x[:, t]
        rows.append(state)
    return torch.stack(rows, 1)


def chunk_hgrn() -> None:
    from fla.ops.hgrn import chunk_hgrn as chunked

    same(chunked, _hgrn, randn(2, 70, 48), torch.nn.functional.logsigmoid(randn(2, 70, 48, seed=1)))


def _rwkv6(
    r: torch.Tensor, k: torch.Tensor, v: torch.Tensor, w: torch.Tensor, u: torch.Tensor, scale: float = SCALE
) -> torch.Tensor:
    state = r.new_zeros(r.shape[0], r.shape[2], r.shape[3], v.shape[3])
    rows = []
    for t in range(r.shape[1]):
        update = k[:, t, :, :, None] * v[:, t, :, None, :]
        rows.append(torch.einsum("bhk,bhkv->bhv", r[:, t] * scale, state + u[None, :, :, None] * update))
        state = w[:, t].exp()[..., None] * state + update
    return torch.stack(rows, 1)


def chunk_rwkv6() -> None:
    same(ops.chunk_rwkv6, _rwkv6, Q, K, V, DECAY, randn(2, 32, seed=4), tolerance=1e-4)


def fused_recurrent_rwkv6() -> None:
    same(ops.fused_recurrent_rwkv6, _rwkv6, Q, K, V, DECAY, randn(2, 32, seed=4), tolerance=1e-4)


def _heads_first(witness: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    return lambda *inputs: witness(*(x.transpose(1, 2) for x in inputs)).transpose(1, 2)


def parallel_based() -> None:
    from fla.ops.based.naive import naive_parallel_based

    q, k = randn(1, 70, 2, 16), randn(1, 70, 2, 16, seed=1)
    same(ops.parallel_based, _heads_first(naive_parallel_based), q, k, V, tolerance=1e-3)


def fused_chunk_based() -> None:
    from fla.ops.based.naive import naive_parallel_based

    q, k = randn(1, 70, 2, 16), randn(1, 70, 2, 16, seed=1)
    same(ops.fused_chunk_based, _heads_first(naive_parallel_based), q, k, V, tolerance=1e-3)


def parallel_rebased() -> None:
    from fla.ops.rebased import parallel_rebased as rebased
    from fla.ops.rebased.naive import naive_parallel_rebased

    q, k = randn(1, 70, 2, 16), randn(1, 70, 2, 16, seed=1)
    same(rebased, _heads_first(naive_parallel_rebased), q, k, V, tolerance=1e-3)


def chunk_gsa() -> None:
    from fla.ops.gsa.naive import naive_recurrent_gsa

    s, g = randn(1, 70, 2, 16, seed=4), torch.nn.functional.logsigmoid(randn(1, 70, 2, 16, seed=5))
    same(ops.chunk_gsa, naive_recurrent_gsa, Q, K, V, s, g, tolerance=1e-3)


def fused_recurrent_gsa() -> None:
    from fla.ops.gsa.naive import naive_recurrent_gsa

    s, g = randn(1, 70, 2, 16, seed=4), torch.nn.functional.logsigmoid(randn(1, 70, 2, 16, seed=5))
    same(ops.fused_recurrent_gsa, naive_recurrent_gsa, Q, K, V, s, g, tolerance=1e-3)


def chunk_log_linear_attn() -> None:
    from fla.ops.log_linear_attn.naive import naive_log_linear_attn

    q, k, v, levels = (
        randn(1, 128, 1, 64),
        randn(1, 128, 1, 64, seed=1),
        randn(1, 128, 2, 64, seed=2),
        randn(1, 128, 2, 8),
    )
    g = torch.nn.functional.logsigmoid(randn(1, 128, 2, seed=3))
    close(ops.chunk_log_linear_attn(q, k, v, g, levels)[0], naive_log_linear_attn(q, k, v, g, levels), 1e-3)
