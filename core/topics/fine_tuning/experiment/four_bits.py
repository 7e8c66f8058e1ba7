"""QLoRA: the linear layers of the blocks in NF4 with double quantization, adapters of peft on them, and the evidence of
which gradients go through weights in 4 bits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from core.contracts.errors import TilescopeError
from core.language_model.adapters import trainable_copy
from core.language_model.data import Batch, batch_loss
from core.language_model.libraries import import_peft, silent_transformers
from core.language_model.model import linear_names
from core.language_model.torch_state import seeded
from core.topics.fine_tuning.result import GradientEvidence
from core.topics.fine_tuning.trained_modules import NF4_BLOCK, NF4_NESTED_BLOCK
from kernels.quantization.api import dequantize, quantize
from kernels.quantization.formats import FormatId
from kernels.quantization.impl import Impl, available


class OwnNf4Linear(nn.Linear):
    """A linear layer whose weights are this project's NF4, for where bitsandbytes is missing or wrong: restored at each
    run, and never trained."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        self.bias = layer.bias
        self.quantized = quantize(
            layer.weight.detach(),
            format=FormatId.NF4,
            block_size=NF4_BLOCK,
            nested_block=NF4_NESTED_BLOCK,
            impl=Impl.TORCH,
        )
        self.weight = nn.Parameter(self.quantized.codes, requires_grad=False)
        nested = self.quantized.nested
        assert nested is not None
        for name in ("codes", "absmax", "offset"):  # as buffers, so that whoever counts memory finds the scales
            self.register_buffer(f"scale_{name}", getattr(nested, name), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, restored_weight(self).to(x.dtype), self.bias)


def with_adapter_on_four_bits(base: Any, config: Any, seed: int) -> tuple[Any, str]:
    """A peft model on a copy of `base` whose linear layers are in 4 bits, and what does the 4-bit work. The output head
    and the embedding stay as they are. Raises TilescopeError for a model without linear layers, such as GPT-2."""
    twin = trainable_copy(base)
    if not any(isinstance(twin.get_submodule(name), nn.Linear) for name in linear_names(twin)):
        raise TilescopeError("it has no linear layers that can be kept in 4 bits")
    device = next(twin.parameters()).device
    by_bitsandbytes = available(Impl.BITSANDBYTES, device) is None and _restores_rightly(twin, device)
    import_peft()
    for name in linear_names(twin):
        parent, _, last = name.rpartition(".")
        layer = twin.get_submodule(name)
        if isinstance(layer, nn.Linear):
            four_bits = _bitsandbytes_linear(layer, device) if by_bitsandbytes else OwnNf4Linear(layer)
            setattr(twin.get_submodule(parent), last, four_bits)
    if by_bitsandbytes:
        twin.is_loaded_in_4bit = True  # what peft asks before it takes its own layers for bitsandbytes
    with silent_transformers(), seeded(seed):
        from peft import get_peft_model

        model = get_peft_model(twin, config).train()
    return model, _runs_on(by_bitsandbytes, device)


def four_bit_layers(model: Any) -> list[nn.Module]:
    """The layers in 4 bits, adapters not included."""
    return [module for module in model.modules() if isinstance(module, OwnNf4Linear) or _is_bitsandbytes(module)]


def restored_weight(layer: Any) -> torch.Tensor:
    """[out, in] float32: what the codes stand for."""
    if isinstance(layer, OwnNf4Linear):
        return dequantize(layer.quantized, dtype=torch.float32, impl=Impl.TORCH)
    from bitsandbytes.functional import dequantize_4bit

    restored: torch.Tensor = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    return restored.float()


def gradient_evidence(model: Any, batch: Batch) -> tuple[GradientEvidence, ...]:
    """From one backward pass of the trained model, whose gradients are cleared."""
    model.zero_grad()
    batch_loss(model, batch).backward()  # type: ignore[no-untyped-call]
    layers = four_bit_layers(model)
    in_order = [weight for name, weight in model.named_parameters() if weight.requires_grad]
    first = [weight for name, weight in model.named_parameters() if weight.requires_grad and ".0." in name]
    evidence = (
        _evidence("adapters", (weight.grad for weight in in_order)),
        _evidence("adapters of the first layer", (weight.grad for weight in first)),
        _evidence("frozen 4-bit weights", (layer.weight.grad for layer in layers)),  # type: ignore[misc]
        _through_a_layer(layers[0]),
    )
    model.zero_grad()
    return evidence


def _through_a_layer(layer: nn.Module) -> GradientEvidence:
    """The gradient that a layer hands to its input, against dy W with W restored from its codes."""
    weight = restored_weight(layer)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, weight.shape[1], generator=generator).to(weight.device).requires_grad_()
    dy = torch.randn(4, weight.shape[0], generator=generator).to(weight.device)
    layer(x).backward(dy)
    assert x.grad is not None
    return _evidence("input of a 4-bit layer", [x.grad], float((x.grad - dy @ weight).abs().max()))


def _evidence(
    what: str, gradients: Iterable[torch.Tensor | None], max_abs_difference: float | None = None
) -> GradientEvidence:
    every = list(gradients)
    norms = [float(gradient.norm()) for gradient in every if gradient is not None]
    return GradientEvidence(
        what=what,
        tensors=len(every),
        with_gradient=sum(norm > 0 for norm in norms),
        norm=float(torch.tensor(norms, dtype=torch.float64).norm()) if norms else 0.0,
        max_abs_difference=max_abs_difference,
    )


def _is_bitsandbytes(module: nn.Module) -> bool:
    kind = type(module)
    return kind.__name__ == "Linear4bit" and kind.__module__.startswith("bitsandbytes.")


def _bitsandbytes_linear(layer: nn.Linear, device: torch.device) -> nn.Module:
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    four_bits: Any = Linear4bit(  # type: ignore[no-untyped-call]
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        compute_dtype=layer.weight.dtype,
        compress_statistics=True,
        quant_type="nf4",
        device="meta",
    )
    four_bits.weight = Params4bit(
        layer.weight.detach().cpu().clone(), requires_grad=False, quant_type="nf4", compress_statistics=True
    )
    four_bits.bias = layer.bias
    # On CPUs with bf16 instructions an evaluation repacks the codes for a product that no gradient passes through, also
    # in the training steps after it.
    four_bits.support_avx512bf16_for_cpu = False
    moved: nn.Module = four_bits.to(device)
    return moved


def _restores_rightly(model: Any, device: torch.device) -> bool:
    """bitsandbytes 0.50 on a CPU takes scales of wrong blocks for rows that are no multiple of a block, such as 96."""
    layers = [model.get_submodule(name) for name in linear_names(model)]
    return device.type != "cpu" or all(layer.weight.shape[-1] % NF4_BLOCK == 0 for layer in layers)


def _runs_on(by_bitsandbytes: bool, device: torch.device) -> str:
    from importlib.metadata import version

    if by_bitsandbytes:
        return f"bitsandbytes {version('bitsandbytes')}, NF4 with double quantization, on {device.type}"
    return f"this project's NF4 with double quantization, restored by torch, on {device.type}"
