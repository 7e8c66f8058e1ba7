"""flash-attn: its Triton modules. The package itself imports a compiled CUDA extension, so its modules are imported
without it."""

import torch
from inputs import bare, close, double, randint, randn, same
from torch.nn import functional

PACKAGES = ("flash-attn",)

bare("flash_attn", "flash_attn.ops", "flash_attn.ops.triton")

X, WEIGHT, BIAS = randn(6, 64), randn(64, seed=1), randn(64, seed=2)


def layer_norm() -> None:
    from flash_attn.ops.triton.layer_norm import layer_norm_fn

    same(
        lambda x, w, b: layer_norm_fn(x, w, b, eps=1e-5),
        lambda x, w, b: functional.layer_norm(x, (64,), w, b),
        X,
        WEIGHT,
        BIAS,
    )


def rms_norm_of_a_sum() -> None:
    from flash_attn.ops.triton.layer_norm import rms_norm_fn

    same(
        lambda x, r, w: rms_norm_fn(x, w, None, residual=r, eps=1e-5),
        lambda x, r, w: functional.rms_norm(x + r, (64,), w, 1e-5),
        X,
        randn(6, 64, seed=3),
        WEIGHT,
    )


def cross_entropy() -> None:
    from flash_attn.ops.triton.cross_entropy import cross_entropy_loss

    target = randint(0, 50, 6, seed=3)
    same(
        lambda x: cross_entropy_loss(x, target)[0],
        lambda x: functional.cross_entropy(x, target.cpu(), reduction="none"),
        randn(6, 50),
    )


def cross_entropy_with_smoothing() -> None:
    from flash_attn.ops.triton.cross_entropy import cross_entropy_loss

    target = randint(0, 50, 6, seed=3)
    same(
        lambda x: cross_entropy_loss(x, target, label_smoothing=0.1)[0],
        lambda x: functional.cross_entropy(x, target.cpu(), reduction="none", label_smoothing=0.1),
        randn(6, 50),
    )


def rotary_embedding() -> None:
    from flash_attn.ops.triton.rotary import apply_rotary

    x, angle = randn(2, 40, 2, 32), randn(40, 16, seed=1)
    one, other = double(x)[0].chunk(2, -1)
    cos, sin = (f(double(angle)[0])[None, :, None] for f in (torch.cos, torch.sin))
    expected = torch.cat((one * cos - other * sin, one * sin + other * cos), -1)
    close(apply_rotary(x, angle.cos(), angle.sin()), expected)


def interleaved_rotary_embedding() -> None:
    from flash_attn.ops.triton.rotary import apply_rotary

    x, angle = randn(2, 40, 2, 32), randn(40, 16, seed=1)
    turn = torch.polar(torch.ones(40, 16, dtype=torch.float64), double(angle)[0])[None, :, None]
    turned = torch.view_as_real(torch.view_as_complex(double(x)[0].view(2, 40, 2, 16, 2)) * turn).flatten(-2)
    close(apply_rotary(x, angle.cos(), angle.sin(), interleaved=True), turned)
