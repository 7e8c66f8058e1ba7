"""mamba-ssm: its Triton modules, against the package's references in float64. The package itself imports a compiled
CUDA extension, so its modules are imported without it."""

import torch
from inputs import bare, close, double, rand, randn, same
from torch.nn import functional

PACKAGES = ("mamba-ssm",)

bare("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.triton")

X, WEIGHT, BIAS = randn(6, 64), randn(64, seed=1), randn(64, seed=2)


def layer_norm() -> None:
    from mamba_ssm.ops.triton.layer_norm import layer_norm_fn

    same(
        lambda x, w, b: layer_norm_fn(x, w, b, eps=1e-5),
        lambda x, w, b: functional.layer_norm(x, (64,), w, b),
        X,
        WEIGHT,
        BIAS,
    )


def rms_norm_of_a_sum() -> None:
    from mamba_ssm.ops.triton.layer_norm import rms_norm_fn

    residual = randn(6, 64, seed=3)
    same(
        lambda x, r, w: rms_norm_fn(x, w, None, residual=r, eps=1e-5),
        lambda x, r, w: functional.rms_norm(x + r, (64,), w, 1e-5),
        X,
        residual,
        WEIGHT,
    )


def gated_rms_norm() -> None:
    from mamba_ssm.ops.triton.layernorm_gated import rmsnorm_fn

    def witness(x: torch.Tensor, w: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(x * functional.silu(z), (64,), w, 1e-5)

    same(
        lambda x, w, z: rmsnorm_fn(x, w, None, z=z, eps=1e-5, norm_before_gate=False),
        witness,
        X,
        WEIGHT,
        randn(6, 64, seed=3),
    )


def swiglu() -> None:
    from mamba_ssm.ops.triton.k_activations import swiglu as gated

    def witness(x: torch.Tensor) -> torch.Tensor:
        one, other = x.chunk(2, -1)
        return functional.silu(one) * other

    same(gated, witness, randn(6, 128))


def one_step_of_a_state_space() -> None:
    from mamba_ssm.ops.triton.selective_state_update import selective_state_update as update
    from mamba_ssm.ops.triton.selective_state_update import selective_state_update_ref as reference

    state, x, dt = randn(2, 32, 16), randn(2, 32, seed=1), rand(2, 32, seed=2)
    a, b, c = -rand(32, 16, seed=3), randn(2, 16, seed=4), randn(2, 16, seed=5)
    d, z, bias = randn(32, seed=6), randn(2, 32, seed=7), rand(32, seed=8)
    inputs = double(state, x, dt, a, b, c)
    extra = dict(zip(("D", "z", "dt_bias"), double(d, z, bias), strict=True))
    expected = reference(*inputs, **extra, dt_softplus=True)
    close([update(state, x, dt, a, b, c, d, z, bias, True), state], [expected, inputs[0]], 1e-4)


# batch, tokens, heads, features; states, tokens per chunk
SHAPE, STATES, CHUNK = (1, 128, 2, 32), 16, 64


def _scan(
    x: torch.Tensor, dt: torch.Tensor, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor
) -> torch.Tensor:
    """The state space, token by token."""
    state, rows = x.new_zeros(x.shape[0], x.shape[2], x.shape[3], b.shape[-1]), []
    for t in range(x.shape[1]):
        state = state * (dt[:, t] * a).exp()[..., None, None] + torch.einsum(
            "bh,bhp,bn->bhpn", dt[:, t], x[:, t], b[:, t, 0]
        )
        rows.append(torch.einsum("bhpn,bn->bhp", state, c[:, t, 0]) + d[:, None] * x[:, t])
    return torch.stack(rows, 1)


def _scan_inputs() -> list[torch.Tensor]:
    groups = (1, SHAPE[1], 1, STATES)
    return [
        randn(*SHAPE),
        rand(*SHAPE[:3], seed=1),
        -rand(SHAPE[2], seed=2),
        randn(*groups, seed=3),
        randn(*groups, seed=4),
        randn(SHAPE[2], seed=5),
    ]


def chunked_scan() -> None:
    from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined

    same(
        lambda x, dt, a, b, c, d: mamba_chunk_scan_combined(x, dt, a, b, c, CHUNK, D=d),
        _scan,
        *_scan_inputs(),
        tolerance=2e-3,
    )


def states_of_chunks() -> None:
    from mamba_ssm.ops.triton.ssd_chunk_state import chunk_state, chunk_state_ref

    x, dt, a, b, _, _ = _scan_inputs()
    dt = dt.view(1, 2, CHUNK, 2).permute(0, 3, 1, 2).contiguous()
    sums = (dt * a[None, :, None, None]).cumsum(-1)
    close(chunk_state(b, x, dt, sums), chunk_state_ref(*double(b, x, dt, sums)), 2e-3)


def passing_of_states() -> None:
    from mamba_ssm.ops.triton.ssd_state_passing import state_passing, state_passing_ref

    states, decay = randn(1, 4, 2, 64), -rand(1, 2, 4, seed=1)
    close(state_passing(states, decay), state_passing_ref(*double(states, decay)), 1e-4)


def products_within_chunks() -> None:
    from mamba_ssm.ops.triton.ssd_bmm import _bmm_chunk_fwd

    a, b = randn(1, 128, 1, 32), randn(1, 128, 1, 32, seed=1)
    parts = [x.view(1, 2, 64, 1, 32) for x in double(a, b)]
    close(_bmm_chunk_fwd(a, b, 64), torch.einsum("bclgk,bcsgk->bcgls", *parts), 2e-3)
