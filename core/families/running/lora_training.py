"""LoRA's product on a device, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from core.families.axes import Case
from core.families.running.lora import SCALING, LoraInputs, PeftLayer, peft_steps, random_inputs
from core.families.running.problem import Outputs, Problem
from core.families.running.torch_compiled import torch_compiled
from kernels.lora.api import Impl, lora_linear
from kernels.lora.reference import reference_gradients, reference_lora_linear


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """Outputs are (y, dx, dA, dB), all of them checked whole."""
    given = random_inputs(case, seed, device)
    x, a, b = (tensor.clone().requires_grad_() for tensor in (given.x, given.a, given.b))

    def step(product: Callable[..., torch.Tensor]) -> Outputs:
        with torch.enable_grad():
            y = product(x, given.weight, a, b)
            return (y.detach(), *torch.autograd.grad(y, (x, a, b), given.dy))

    def by(impl: Impl) -> Outputs:
        return step(partial(lora_linear, scaling=SCALING, impl=impl))

    return Problem(
        runs={
            "triton": partial(by, Impl.TRITON),
            "torch": partial(by, Impl.TORCH),
            "torch-compile": lambda: step(torch_compiled(peft_steps, x.device)),
            "peft": partial(_by_peft, PeftLayer(given), x, given.dy),
        },
        exact=partial(_exact, given),
        plain=partial(by, Impl.TORCH),
    )


def _exact(given: LoraInputs) -> Outputs:
    """The output and the gradients by the chain rule, in float64."""
    tensors = (given.x, given.weight, given.a, given.b)
    return (
        reference_lora_linear(*tensors, scaling=SCALING),
        *reference_gradients(given.dy, *tensors, scaling=SCALING),
    )


def _by_peft(layer: PeftLayer, x: torch.Tensor, dy: torch.Tensor) -> Outputs:
    with torch.enable_grad():
        module = layer.get()
        y = module(x)
        adapters = (module.lora_A.default.weight, module.lora_B.default.weight)
        return (y.detach(), *torch.autograd.grad(y, (x, *adapters), dy))
