"""flash-linear-attention: delta rules. The witness is the package's own reference, in float64 where it stays there."""

from collections.abc import Callable
from typing import Any

import torch
from fla import ops
from inputs import close, randn, same
from torch.nn.functional import logsigmoid, normalize

PACKAGES = ("fla-core", "flash-linear-attention")

# batch, tokens (no multiple of a chunk), heads, features
SHAPE = (1, 70, 2, 32)
Q, K, V = randn(*SHAPE), normalize(randn(*SHAPE, seed=1), dim=-1), randn(*SHAPE, seed=2)
BETA = randn(*SHAPE[:3], seed=3).sigmoid()
GATE, WIDE_GATE = logsigmoid(randn(*SHAPE[:3], seed=4)), logsigmoid(randn(*SHAPE, seed=5))
SCALE = SHAPE[-1] ** -0.5


def _delta(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, beta: torch.Tensor, gate: torch.Tensor | None = None
) -> torch.Tensor:
    """state' = decayed state + beta k (v - k' decayed state)': the gated delta rule, token by token. `gate` has one
    number per head or per feature, or is None."""
    state = q.new_zeros(q.shape[0], q.shape[2], q.shape[3], v.shape[3])
    rows = []
    for t in range(q.shape[1]):
        if gate is not None:
            decay = gate[:, t].exp()
            state = state * (decay[..., None] if decay.dim() == 3 else decay[..., None, None])
        error = (v[:, t] - torch.einsum("bhk,bhkv->bhv", k[:, t], state)) * beta[:, t, :, None]
        state = state + k[:, t, :, :, None] * error[:, :, None, :]
        rows.append(torch.einsum("bhk,bhkv->bhv", q[:, t] * SCALE, state))
    return torch.stack(rows, 1)


def _gated(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, g: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    return _delta(q, k, v, beta, g)


def chunk_delta_rule() -> None:
    q, k, v, beta = (x.bfloat16() for x in (Q, K, V, BETA))
    same(ops.chunk_delta_rule, _delta, q, k, v, beta, tolerance=3e-2)


def fused_recurrent_delta_rule() -> None:
    same(ops.fused_recurrent_delta_rule, _delta, Q, K, V, BETA, tolerance=1e-3)


def chunk_gated_delta_rule() -> None:
    same(ops.chunk_gated_delta_rule, _gated, Q, K, V, GATE, BETA, tolerance=1e-3)


def fused_recurrent_gated_delta_rule() -> None:
    got = ops.fused_recurrent_gated_delta_rule(Q, K, V, GATE, beta=BETA)[0]
    close(got, _gated(*(x.double() for x in (Q, K, V, GATE, BETA))), 1e-4)


def chunk_gated_delta_rule_of_packed_sequences() -> None:
    starts = torch.tensor([0, 13, 70]).to(Q.device)
    got = ops.chunk_gated_delta_rule(Q, K, V, GATE, BETA, cu_seqlens=starts)[0]
    inputs = [x.double() for x in (Q, K, V, GATE, BETA)]
    parts = [_gated(*(x[:, slice(*ends)] for x in inputs)) for ends in ((0, 13), (13, 70))]
    close(got, torch.cat(parts, 1), 1e-3)


def chunk_kda() -> None:
    same(ops.chunk_kda, _gated, Q, K, V, WIDE_GATE, BETA, tolerance=1e-3)


def fused_recurrent_kda() -> None:
    got = ops.fused_recurrent_kda(Q, K, V, WIDE_GATE, BETA)[0]
    close(got, _gated(*(x.double() for x in (Q, K, V, WIDE_GATE, BETA))), 1e-4)


def chunk_gated_delta_product() -> None:
    from fla.ops.gated_delta_product import chunk_gated_delta_product as product
    from fla.ops.gated_delta_product.naive import naive_recurrent_gated_delta_product

    k, v = normalize(randn(1, 140, 2, 32, seed=1), dim=-1).bfloat16(), randn(1, 140, 2, 32, seed=2).bfloat16()
    q, gate, beta = Q.bfloat16(), GATE.bfloat16(), randn(1, 140, 2, seed=3).sigmoid().bfloat16()
    got = product(q, k, v, gate, beta, num_householder=2, scale=SCALE)[0]
    expected = naive_recurrent_gated_delta_product(
        *(x.float() for x in (q, k, v, gate, beta)), SCALE, num_householder=2
    )
    close(got, expected[0] if isinstance(expected, tuple) else expected, 3e-2)


def _comba(operation: Callable[..., Any], **options: Any) -> None:
    p = K * randn(1, 1, 2, 1, seed=7).sigmoid()
    state, rows = torch.zeros(1, 2, 32, 32, dtype=torch.float64, device=Q.device), []
    for t in range(SHAPE[1]):  # unlike the gated delta rule, it reads the state before it decays
        q, k, v, read, gate, beta = (x[:, t].double() for x in (Q, K, V, p, GATE, BETA))
        error = (v - torch.einsum("bhk,bhkv->bhv", read, state)) * beta[..., None]
        state = state * gate.exp()[..., None, None] + k[..., None] * error[:, :, None]
        rows.append(torch.einsum("bhk,bhkv->bhv", q * SCALE, state))
    close(operation(q=Q, k=K, v=V, p=p, g=GATE, beta=BETA, **options)[0], torch.stack(rows, 1), 1e-3)


def chunk_comba() -> None:
    _comba(ops.chunk_comba)


def fused_recurrent_comba() -> None:
    _comba(ops.fused_recurrent_comba)


def _rwkv7(operation: Callable[..., Any]) -> None:
    r, w, k, v = Q, -0.6 * randn(*SHAPE, seed=6).sigmoid(), randn(*SHAPE, seed=7), V
    a = normalize(randn(*SHAPE, seed=8), dim=-1)
    b = -a * randn(*SHAPE, seed=9).sigmoid()
    state = torch.zeros(1, 2, 32, 32, dtype=torch.float64, device=r.device)
    rows = []
    for t in range(SHAPE[1]):
        one = [x[:, t].double() for x in (r, w, k, v, a, b)]
        read = torch.einsum("bhk,bhkv->bhv", one[4], state)
        state = (
            one[1].exp()[..., None] * state
            + one[5][..., None] * read[:, :, None]
            + one[2][..., None] * one[3][:, :, None]
        )
        rows.append(torch.einsum("bhk,bhkv->bhv", one[0], state))
    close(operation(r, w, k, v, a, b, scale=1.0)[0], torch.stack(rows, 1), 2e-3)


def chunk_rwkv7() -> None:
    _rwkv7(ops.chunk_rwkv7)


def fused_recurrent_rwkv7() -> None:
    _rwkv7(ops.fused_recurrent_rwkv7)


def chunk_mesa_net() -> None:
    from fla.ops.mesa_net.naive import naive_mesa_net_exact

    q, lamb = normalize(Q, dim=-1), randn(2, 32, seed=7).sigmoid() + 0.5
    got = ops.chunk_mesa_net(q, K, V, GATE, BETA, lamb)[0]
    close(got, naive_mesa_net_exact(q, K, V, GATE, lamb, BETA)[0], 1e-2)


def chunk_precond_gated_delta_rule() -> None:
    from fla.ops.precond_gated_delta_rule.naive import naive_recurrent_precond_gated_delta_rule as naive

    q, rates = normalize(Q, dim=-1), (logsigmoid(randn(*SHAPE[:3], seed=8)), randn(*SHAPE[:3], seed=9).sigmoid())
    got = ops.chunk_precond_gated_delta_rule(q, K, V, rates[0], GATE, rates[1], BETA)[0]
    close(got, naive(q, K, V, rates[0], GATE, rates[1], BETA)[0], 1e-2)


def chunk_ttt_linear() -> None:
    from fla.ops.ttt import chunk_ttt_linear as chunked
    from fla.ops.ttt.naive import chunk_ttt_linear_ref

    q, w, b = normalize(Q, dim=-1), randn(2, 32, seed=8), randn(2, 32, seed=9)
    eta = 0.1 * randn(1, 70, 2, 1, seed=7).sigmoid()
    close(chunked(q, K, V, w, b, eta)[0], chunk_ttt_linear_ref(q, K, V, w, b, eta)[0], 1e-2)


def chunk_dplr_delta_rule() -> None:
    _rwkv7(lambda r, w, k, v, a, b, scale: ops.chunk_dplr_delta_rule(r, k, v, a, b, w, scale=scale))


def chunk_iplr_delta_rule() -> None:
    a = normalize(randn(*SHAPE, seed=8), dim=-1)
    b = -a * randn(*SHAPE, seed=9).sigmoid()
    state, rows = torch.zeros(1, 2, 32, 32, dtype=torch.float64, device=Q.device), []
    for t in range(SHAPE[1]):
        q, k, v, one, other = (x[:, t].double() for x in (Q, K, V, a, b))
        read = torch.einsum("bhk,bhkv->bhv", one, state)
        state = state + other[..., None] * read[:, :, None] + k[..., None] * v[:, :, None]
        rows.append(torch.einsum("bhk,bhkv->bhv", q * SCALE, state))
    close(ops.chunk_iplr_delta_rule(Q, K, V, a, b)[0], torch.stack(rows, 1), 2e-3)
