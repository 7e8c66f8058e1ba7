"""Softmax and layer norm on a device, by the kernels of the shipped examples."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from core.families.axes import Case
from core.families.running.problem import Problem, Run, generator, normal, random_matrix, without_gradients
from core.families.running.torch_compiled import torch_compiled
from kernels.launching import has_triton, launching, triton_unavailable

_EXAMPLES = Path(__file__).resolve().parents[3] / "resources" / "examples"
_EPS = 1e-5


def softmax(case: Case, seed: int, device: torch.device) -> Problem:
    """Over the columns of a matrix of normal numbers."""
    x = random_matrix(case, seed, device)
    return Problem(
        runs=_runs(
            device,
            triton=lambda: _example("softmax").softmax(x),
            torch_own=lambda: torch.softmax(x, dim=-1),
            steps=_softmax_steps,
            given=(x,),
        ),
        exact=lambda: (torch.softmax(x.double(), dim=-1),),
        plain=lambda: (torch.softmax(x, dim=-1),),
    )


def layer_norm(case: Case, seed: int, device: torch.device) -> Problem:
    """Over the columns of a matrix, with a weight and a bias."""
    x = random_matrix(case, seed, device)
    numbers, columns = generator(seed + 1, device), int(case["columns"])
    weight, bias = (normal((columns,), numbers, x.dtype) for _ in range(2))

    def by_torch(*tensors: torch.Tensor) -> torch.Tensor:
        values, scale, shift = tensors
        return torch.nn.functional.layer_norm(values, (columns,), scale, shift, _EPS)

    return Problem(
        runs=_runs(
            device,
            triton=lambda: _example("layer_norm").layer_norm(x, weight, bias, _EPS),
            torch_own=lambda: by_torch(x, weight, bias),
            steps=_norm_steps,
            given=(x, weight, bias),
        ),
        exact=lambda: (by_torch(x.double(), weight.double(), bias.double()),),
        plain=lambda: (by_torch(x, weight, bias),),
    )


def _runs(
    device: torch.device,
    *,
    triton: Callable[[], torch.Tensor],
    torch_own: Callable[[], torch.Tensor],
    steps: Callable[..., torch.Tensor],
    given: tuple[torch.Tensor, ...],
) -> dict[str, Run]:
    """The four contenders: the example's kernel, PyTorch's operator, its steps one by one, and these compiled."""

    def launched() -> torch.Tensor:
        with launching(device):
            return triton()

    runs: dict[str, Callable[[], torch.Tensor]] = {
        "triton": launched,
        "torch": torch_own,
        "torch-steps": partial(steps, *given),
        "torch-compile": lambda: torch_compiled(steps, device)(*given),
    }
    return {name: partial(without_gradients, run) for name, run in runs.items()}


def _softmax_steps(x: torch.Tensor) -> torch.Tensor:
    numerator = torch.exp(x - x.amax(-1, keepdim=True))
    return numerator / numerator.sum(-1, keepdim=True)


def _norm_steps(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    centred = x.float() - x.float().mean(-1, keepdim=True)
    normalised = centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + _EPS)
    return (normalised * weight + bias).to(x.dtype)


@cache
def _example(name: str) -> Any:
    """A module of the shipped examples. Raises Unavailable without Triton, which they import."""
    if not has_triton() and (unavailable := triton_unavailable(torch.device("cpu"))):
        raise unavailable
    spec = importlib.util.spec_from_file_location(f"tilescope_example_{name}", _EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
