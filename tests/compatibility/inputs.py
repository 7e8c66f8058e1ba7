"""What the cases share: small random inputs, and comparisons with a witness.

A case is a public function without arguments in a file `cases_PACKAGE.py`. It calls one operation of the package and
raises AssertionError where the result is not that of the witness: torch in float64, or the package's own reference.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from typing import Any

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

Tensors = torch.Tensor | Iterable[Any] | None


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype).to(DEVICE)


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype).to(DEVICE)


def randint(low: int, high: int, *shape: int, seed: int = 0, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed)).to(dtype).to(DEVICE)


def tensor(values: Any, dtype: torch.dtype | None = None) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype).to(DEVICE)


def double(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """The same numbers in float64, on the CPU; integers stay what they are."""
    return [x.detach().cpu().double() if x.is_floating_point() else x.detach().cpu() for x in tensors]


def close(got: Tensors, expected: Tensors, tolerance: float = 1e-5) -> None:
    """Every tensor of `got` is that of `expected`: the largest difference is at most `tolerance` of the largest
    element (or of 1, if that is more). Where one has no number, so has the other."""
    ours, theirs = _flat(got), _flat(expected)
    assert len(ours) == len(theirs), f"{len(ours)} tensors, where the witness has {len(theirs)}"
    for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one.shape == other.shape, f"tensor {index}: shape {tuple(one.shape)} and not {tuple(other.shape)}"
        torch.testing.assert_close(
            one,
            other,
            rtol=0,
            atol=tolerance * max(1.0, _largest(other)),
            equal_nan=True,
            msg=lambda text, index=index: f"tensor {index}: " + " ".join(text.split())[:200],
        )


def _flat(tensors: Tensors) -> list[torch.Tensor]:
    if tensors is None:
        return []
    if isinstance(tensors, torch.Tensor):
        return [tensors.detach().cpu().double()]
    return [one for part in tensors for one in _flat(part)]


def _largest(x: torch.Tensor) -> float:
    finite = x[x.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0


def gradients(function: Callable[..., Any], *inputs: torch.Tensor) -> list[torch.Tensor]:
    """The first output, and the gradient of each floating-point input for the same random gradient of the output."""
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
    out = function(*leaves)
    out = out[0] if isinstance(out, tuple | list) else out
    upstream = torch.linspace(0.5, 1, out.numel(), dtype=torch.float64).view(out.shape).cos()
    out.backward(upstream.to(out))
    return [out.detach(), *(x.grad for x in leaves if x.grad is not None)]


def same(
    function: Callable[..., Any], witness: Callable[..., Any], *inputs: torch.Tensor, tolerance: float = 1e-5
) -> None:
    """The output of `function` and its gradients are those of `witness` in float64."""
    close(gradients(function, *inputs), gradients(witness, *double(*inputs)), tolerance)


def bare(*packages: str) -> None:
    """Make modules of these packages importable without running the packages' own __init__, which imports a compiled
    CUDA extension that is not here."""
    for name in packages:
        if name not in sys.modules:
            parent, _, last = name.rpartition(".")
            folders = list(sys.modules[parent].__path__) if parent else sys.path
            module = types.ModuleType(name)
            module.__path__ = [path for folder in folders if os.path.isdir(path := os.path.join(folder, last))]
            module.__spec__ = ModuleSpec(name, None, is_package=True)
            sys.modules[name] = module
