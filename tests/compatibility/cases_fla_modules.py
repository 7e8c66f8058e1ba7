"""flash-linear-attention: norms, activations, convolutions, losses and helpers of its layers."""

import torch
from inputs import close, double, randint, randn, same
from torch.nn import functional

PACKAGES = ("fla-core", "flash-linear-attention")

X, WEIGHT, BIAS = randn(6, 64), randn(64, seed=1), randn(64, seed=2)


def layer_norm() -> None:
    from fla.modules.layernorm import layer_norm as norm

    same(norm, lambda x, w, b: functional.layer_norm(x, (64,), w, b), X, WEIGHT, BIAS)


def rms_norm() -> None:
    from fla.modules.layernorm import rms_norm as norm

    same(lambda x, w: norm(x, w, None, eps=1e-5), lambda x, w: functional.rms_norm(x, (64,), w, 1e-5), X, WEIGHT)


def gated_rms_norm() -> None:
    from fla.modules.fused_norm_gate import rms_norm_gated

    same(
        lambda x, g, w: rms_norm_gated(x, g, w, None, activation="swish", eps=1e-5),
        lambda x, g, w: functional.rms_norm(x, (64,), w, 1e-5) * functional.silu(g),
        X,
        randn(6, 64, seed=3),
        WEIGHT,
    )


def l2_norm() -> None:
    from fla.modules.l2norm import l2_norm as norm

    same(norm, lambda x: x * (x.square().sum(-1, keepdim=True) + 1e-6).rsqrt(), X)


def group_norm() -> None:
    from fla.modules import GroupNorm

    module = GroupNorm(4, 64, elementwise_affine=False).to(X.device)
    same(module, lambda x: functional.group_norm(x, 4, eps=1e-5), X)


def swiglu() -> None:
    from fla.modules.activations import swiglu as gated

    same(gated, lambda x, y: functional.silu(x) * y, X, randn(6, 64, seed=3))


def swiglu_and_projection() -> None:
    from fla.modules.activations import swiglu_linear

    same(
        lambda x, y, w: swiglu_linear(x, y, w, None),
        lambda x, y, w: (functional.silu(x) * y) @ w.t(),
        X,
        randn(6, 64, seed=3),
        randn(32, 64, seed=4),
        tolerance=1e-4,
    )


def sigmoid() -> None:
    from fla.modules.activations import sigmoid as activation

    same(activation, torch.sigmoid, X)


def log_sigmoid() -> None:
    from fla.modules.activations import logsigmoid

    same(logsigmoid, functional.logsigmoid, X)


def swish() -> None:
    from fla.modules.activations import swish as activation

    same(activation, functional.silu, X)


def short_convolution() -> None:
    from fla.modules.convolution import causal_conv1d

    def witness(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(x.transpose(1, 2), (3, 0))
        return functional.silu(functional.conv1d(padded, w[:, None], groups=64)).transpose(1, 2)

    same(lambda x, w: causal_conv1d(x, w, activation="silu")[0], witness, randn(2, 70, 64), randn(64, 4, seed=1))


def token_shift() -> None:
    from fla.modules.token_shift import token_shift as shift

    def witness(x: torch.Tensor) -> torch.Tensor:
        return functional.pad(x, (0, 0, 1, -1)) - x

    same(shift, witness, randn(2, 70, 64))


def rotary_embedding() -> None:
    from fla.modules.rotary import rotary_embedding as rotary

    angle = randn(70, 16, seed=1)

    def witness(x: torch.Tensor) -> torch.Tensor:
        cos, sin = (f(double(angle)[0])[None, :, None] for f in (torch.cos, torch.sin))
        one, other = x.chunk(2, -1)
        return torch.cat((one * cos - other * sin, one * sin + other * cos), -1)

    same(lambda x: rotary(x, angle.cos(), angle.sin()), witness, randn(1, 70, 2, 32))


def cross_entropy() -> None:
    from fla.modules.fused_cross_entropy import cross_entropy_loss

    target = randint(0, 50, 6, seed=3)
    same(
        lambda x: cross_entropy_loss(x, target)[0].mean(),
        lambda x: functional.cross_entropy(x, target.cpu()),
        randn(6, 50),
    )


def fused_linear_cross_entropy() -> None:
    from fla.modules.fused_linear_cross_entropy import fused_linear_cross_entropy_loss

    target = randint(0, 50, 6, seed=3)
    same(
        lambda x, w: fused_linear_cross_entropy_loss(x, target, w),
        lambda x, w: functional.cross_entropy(x @ w.t(), target.cpu()),
        X,
        randn(50, 64, seed=4),
        tolerance=1e-4,
    )


def fused_kl_divergence() -> None:
    from fla.modules.fused_kl_div import fused_kl_div_loss

    w, other, teacher = randn(50, 64, seed=4) / 8, randn(6, 64, seed=5), randn(50, 64, seed=6) / 8

    def witness(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        hidden, weight = double(other, teacher)
        student, target = (x @ w.t()).log_softmax(-1), (hidden @ weight.t()).log_softmax(-1)
        return functional.kl_div(student, target, log_target=True, reduction="batchmean")

    same(lambda x, w: fused_kl_div_loss(x, other, w, teacher), witness, X, w, tolerance=1e-3)


def global_cumsum() -> None:
    from fla.ops.utils import chunk_global_cumsum

    x = randn(1, 70, 2)
    close(chunk_global_cumsum(x), double(x)[0].cumsum(1), 1e-4)


def local_cumsum() -> None:
    from fla.ops.utils import chunk_local_cumsum

    x = randn(1, 70, 2)
    parts = [part.cumsum(1) for part in double(x)[0].split(32, 1)]
    close(chunk_local_cumsum(x, 32), torch.cat(parts, 1), 1e-4)


def mean_pooling() -> None:
    from fla.ops.utils.pooling import mean_pooling as pooling

    same(
        lambda x: pooling(x, 16),
        lambda x: torch.stack([part.mean(1) for part in x.split(16, 1)], 1),
        randn(1, 70, 2, 32),
    )


def softmax() -> None:
    from fla.ops.utils.softmax import softmax_fwd

    close(softmax_fwd(X), double(X)[0].softmax(-1))


def log_sum_exp() -> None:
    from fla.ops.utils.logsumexp import logsumexp_fwd

    close(logsumexp_fwd(X), double(X)[0].logsumexp(-1))


def solve_triangular() -> None:
    from fla.ops.utils import solve_tril

    a = randn(1, 64, 2, 64).tril(-1)[..., :64] * 0.1
    lower = torch.stack([double(a)[0][0, :, head].tril(-1) for head in range(2)])
    a = lower.permute(1, 0, 2)[None].float().to(X.device)
    close(solve_tril(a)[0].permute(1, 0, 2), torch.linalg.inv(torch.eye(64, dtype=torch.float64) + lower), 1e-3)
