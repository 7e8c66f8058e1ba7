"""The same operations by PEFT itself, as a peer for comparing results and times."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from kernels.lora.impl import Impl, available
from kernels.quantization.bitsandbytes_peer import matmul_peer
from kernels.quantization.output import Quantized

_ADAPTER = "default"


def _require(device: torch.device) -> None:
    if unavailable := available(Impl.PEFT, device):
        raise unavailable


def peft_layer(rank: int, out_features: int, in_features: int, scaling: float) -> Any:
    """peft.tuners.lora.Linear around a torch.nn.Linear without bias, on the meta device. Its parameters must be set by
    the names of `peft_parameters`."""
    from peft import LoraConfig
    from peft.tuners.lora import Linear

    base = torch.nn.Linear(in_features, out_features, bias=False, device="meta")
    layer = Linear(base, _ADAPTER, LoraConfig(r=rank, init_lora_weights=False), r=rank, lora_alpha=rank)
    layer.scaling[_ADAPTER] = scaling
    return layer


def peft_parameters(weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "base_layer.weight": weight,
        f"lora_A.{_ADAPTER}.weight": a,
        f"lora_B.{_ADAPTER}.weight": b,
    }


def peft_module(weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float) -> Any:
    """The layer as in a training loop, with these tensors as parameters and a frozen weight."""
    layer = peft_layer(a.shape[0], weight.shape[0], weight.shape[1], scaling)
    layer.load_state_dict(peft_parameters(weight, a, b), assign=True)
    layer.base_layer.weight.requires_grad_(False)
    return layer


def lora_linear_peft(
    x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float
) -> torch.Tensor:
    _require(x.device)
    layer = peft_layer(a.shape[0], weight.shape[0], weight.shape[1], scaling)
    out: torch.Tensor = torch.func.functional_call(layer, peft_parameters(weight, a, b), (x,))
    return out


def lora_linear_nf4_peft(
    x: torch.Tensor, quantized: Quantized, a: torch.Tensor, b: torch.Tensor, scaling: float
) -> torch.Tensor:
    """The steps of peft.tuners.lora.bnb.Linear4bit.forward: bitsandbytes' product, cloned, then the sum. PEFT's layer
    itself owns its weights and cannot use these."""
    _require(x.device)
    base = matmul_peer(x, quantized).clone()
    return base + torch.nn.functional.linear(torch.nn.functional.linear(x, a), b) * scaling


def update_importance_peft(
    values: torch.Tensor,
    gradients: torch.Tensor,
    sensitivity: torch.Tensor,
    uncertainty: torch.Tensor,
    beta1: float,
    beta2: float,
) -> None:
    """Uses RankAllocator.update_ipt. It has its own averages, so the tensors are set there and copied back."""
    _require(values.device)
    from peft.tuners.adalora import RankAllocator

    name = f"lora_E.{_ADAPTER}"
    parameter = torch.nn.Parameter(values.detach())
    parameter.grad = gradients.detach()
    allocator = RankAllocator.__new__(RankAllocator)  # its constructor needs a whole model
    allocator.adapter_name, allocator.beta1, allocator.beta2 = _ADAPTER, beta1, beta2
    allocator.ipt = {name: torch.zeros_like(parameter)}
    allocator.exp_avg_ipt, allocator.exp_avg_unc = {name: sensitivity}, {name: uncertainty}
    allocator.update_ipt(SimpleNamespace(named_parameters=lambda: [(name, parameter)]))
    sensitivity.copy_(allocator.exp_avg_ipt[name])
    uncertainty.copy_(allocator.exp_avg_unc[name])
