"""unsloth: the kernels of its fine-tuning, without the package's own __init__, which patches other libraries."""

import importlib
import os
from typing import Any

import torch
from inputs import bare, close, double, randint, randn, same
from torch.nn import functional

PACKAGES = ("unsloth", "unsloth-zoo")

os.environ.setdefault("UNSLOTH_IS_PRESENT", "1")  # as the package's own __init__ does

X = randn(6, 64)


def _of(module: str) -> Any:
    bare("unsloth", "unsloth.kernels")
    return importlib.import_module(f"unsloth.kernels.{module}")


def rms_norm() -> None:
    apply = _of("rms_layernorm").Fast_RMS_Layernorm.apply
    w = randn(64, seed=1)
    same(lambda x: apply(x, w, 1e-6, False), lambda x: functional.rms_norm(x, (64,), double(w)[0], 1e-6), X)


def layer_norm() -> None:
    apply = _of("layernorm").Fast_Layernorm.apply
    w, b = randn(64, seed=1), randn(64, seed=2)
    same(lambda x: apply(x, w, b, 1e-5), lambda x: functional.layer_norm(x, (64,), *double(w, b)), X)


def cross_entropy() -> None:
    apply = _of("cross_entropy_loss").Fast_CrossEntropyLoss.apply
    target = randint(0, 50, 6, seed=3)
    same(
        lambda x: apply(x, target, 0, 0),
        lambda x: functional.cross_entropy(x, target.cpu(), reduction="none"),
        randn(6, 50),
    )


def cross_entropy_with_softcap() -> None:
    apply = _of("cross_entropy_loss").Fast_CrossEntropyLoss.apply
    target = randint(0, 50, 6, seed=3)
    same(
        lambda x: apply(x, target, 5.0, 0),
        lambda x: functional.cross_entropy(5 * torch.tanh(x / 5), target.cpu(), reduction="none"),
        randn(6, 50),
    )


def cross_entropy_of_a_large_vocabulary() -> None:
    apply = _of("cross_entropy_loss").Fast_CrossEntropyLoss.apply
    target = randint(0, 70_000, 2, seed=3)
    same(
        lambda x: apply(x, target, 0, 0),
        lambda x: functional.cross_entropy(x, target.cpu(), reduction="none"),
        randn(2, 70_000),
    )


def swiglu() -> None:
    e, g = randn(1, 6, 64), randn(1, 6, 64, seed=1)
    close(_of("swiglu").swiglu_fg_kernel(e, g), functional.silu(double(e)[0]) * double(g)[0])


def geglu() -> None:
    e, g = randn(1, 6, 64), randn(1, 6, 64, seed=1)
    close(_of("geglu").geglu_exact_forward_kernel(e, g), functional.gelu(double(e)[0]) * double(g)[0])


def approximate_geglu() -> None:
    e, g = randn(1, 6, 64), randn(1, 6, 64, seed=1)
    expected = functional.gelu(double(e)[0], approximate="tanh") * double(g)[0]
    close(_of("geglu").geglu_approx_forward_kernel(e, g), expected, 1e-4)


def rotary_embedding() -> None:
    angle, apply = randn(20, 16, seed=2).repeat(1, 2), _of("rope_embedding").Fast_RoPE_Embedding.apply
    q = randn(1, 20, 2, 32)

    def witness(x: torch.Tensor) -> torch.Tensor:
        cos, sin = (f(double(angle)[0])[None, :, None] for f in (torch.cos, torch.sin))
        return x * cos + torch.cat((-x[..., 16:], x[..., :16]), -1) * sin

    same(lambda x: apply(x.clone(), angle.cos(), angle.sin()), witness, q)
