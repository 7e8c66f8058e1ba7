"""LoRA's product on a device, forward."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from core.families.axes import Case
from core.families.lora import BLOCK_SIZE, NESTED_BLOCK
from core.families.running.problem import DTYPES, Outputs, Problem, Run, generator, normal, without_gradients
from core.families.running.torch_compiled import torch_compiled
from kernels.lora.api import Down, Impl, available, lora_linear, lora_linear_nf4
from kernels.lora.peft_peer import peft_module
from kernels.lora.reference import reference_lora_linear
from kernels.quantization.api import Impl as QuantizationImpl
from kernels.quantization.api import quantize

SCALING = 2.0
MOST_CHECKED_ROWS = 256
_IMPLS: dict[str, tuple[Impl, Down | None]] = {
    "triton": (Impl.TRITON, None),
    "triton-in-loop": (Impl.TRITON, Down.IN_LOOP),
    "triton-before": (Impl.TRITON, Down.BEFORE),
    "triton-unfused": (Impl.TRITON_UNFUSED, None),
    "torch": (Impl.TORCH, None),
}


@dataclass(frozen=True)
class LoraInputs:
    """x and dy [tokens, width], a square weight, a [rank, width] and b [width, rank]. Weight and adapters are as small
    as trained ones, so that both parts of the sum count."""

    x: torch.Tensor
    weight: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor
    dy: torch.Tensor


def random_inputs(case: Case, seed: int, device: torch.device) -> LoraInputs:
    """The inputs of a case."""
    numbers, dtype = generator(seed, device), DTYPES[str(case["dtype"])]
    tokens, width, rank = int(case["tokens"]), int(case["width"]), int(case["rank"])
    small = width**-0.5
    x, dy = (normal((tokens, width), numbers, dtype) for _ in range(2))
    weight, a = (normal((rows, width), numbers, dtype, small) for rows in (width, rank))
    return LoraInputs(x, weight, a, normal((width, rank), numbers, dtype), dy)


def problem(case: Case, seed: int, device: torch.device) -> Problem:
    """The first rows of the output are checked, whole rows of them."""
    given = random_inputs(case, seed, device)
    return _on_nf4(given) if case["weight"] == "nf4" else _on_dense(given)


def _on_dense(given: LoraInputs) -> Problem:
    x, weight, a, b = given.x, given.weight, given.a, given.b

    def by(impl: Impl, down: Down | None) -> Outputs:
        with torch.no_grad():
            return (lora_linear(x, weight, a, b, scaling=SCALING, impl=impl, down=down),)

    layer = PeftLayer(given)
    runs: dict[str, Run] = {name: partial(by, *each) for name, each in _IMPLS.items()}
    runs["peft"] = lambda: without_gradients(lambda: layer.get()(x))
    runs["torch-compile"] = lambda: without_gradients(lambda: torch_compiled(peft_steps, x.device)(x, weight, a, b))
    few = x[:MOST_CHECKED_ROWS]
    return Problem(
        runs=runs,
        exact=lambda: (reference_lora_linear(few, weight, a, b, scaling=SCALING),),
        plain=lambda: (lora_linear(few, weight, a, b, scaling=SCALING, impl=Impl.TORCH),),
        part=lambda outputs: (outputs[0][:MOST_CHECKED_ROWS],),
    )


def _on_nf4(given: LoraInputs) -> Problem:
    x, a, b = given.x, given.a, given.b
    impl = QuantizationImpl.TRITON if x.is_cuda else QuantizationImpl.TORCH
    quantized = quantize(given.weight, block_size=BLOCK_SIZE, nested_block=NESTED_BLOCK, impl=impl)

    def by(impl: Impl, down: Down | None) -> Outputs:
        with torch.no_grad():
            return (lora_linear_nf4(x, quantized, a, b, scaling=SCALING, impl=impl, down=down),)

    runs: dict[str, Run] = {name: partial(by, *each) for name, each in _IMPLS.items()}
    runs["peft"] = partial(by, Impl.PEFT, None)
    few = x[:MOST_CHECKED_ROWS]
    return Problem(
        runs=runs,
        exact=lambda: (reference_lora_linear(few, quantized, a, b, scaling=SCALING),),
        plain=lambda: (lora_linear_nf4(few, quantized, a, b, scaling=SCALING, impl=Impl.TORCH),),
        part=lambda outputs: (outputs[0][:MOST_CHECKED_ROWS],),
    )


class PeftLayer:
    """PEFT's own layer around the inputs' weights, made when it is first needed."""

    def __init__(self, given: LoraInputs) -> None:
        self._given = given
        self._layer: Any = None

    def get(self) -> Any:
        """The layer. Raises Unavailable without PEFT."""
        given = self._given
        if self._layer is None:
            if unavailable := available(Impl.PEFT, given.x.device):
                raise unavailable
            self._layer = peft_module(given.weight, given.a, given.b, SCALING)
        return self._layer


def peft_steps(x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """What peft.tuners.lora.Linear.forward computes, without its branches."""
    linear = torch.nn.functional.linear
    return linear(x, weight) + linear(linear(x, a), b) * SCALING
