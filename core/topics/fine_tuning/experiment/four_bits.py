"""QLoRA: the blocks' linear layers in NF4 with double quantization, PEFT adapters on them, and evidence of how
gradients pass through 4-bit weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.language_model.adapters import trainable_copy
from core.language_model.data import Batch, batch_loss
from core.language_model.libraries import import_peft, silent_transformers
from core.language_model.model import linear_names
from core.language_model.torch_state import seeded
from core.topics.fine_tuning.result import ADAPTERS, FIRST_ADAPTERS, FROZEN_WEIGHTS, LAYER_INPUT, GradientEvidence
from core.topics.fine_tuning.trained_modules import NF4_BLOCK, NF4_NESTED_BLOCK
from kernels.quantization.api import dequantize, quantize
from kernels.quantization.formats import FormatId
from kernels.quantization.impl import Impl, available


class Nf4Linear(nn.Linear):
    """A linear layer with weights in this project's NF4, used if bitsandbytes is missing or would be wrong. The weights
    are dequantized in every forward pass and never trained."""

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
        for name in ("codes", "absmax", "offset"):  # as buffers, so that counting memory includes the scales
            self.register_buffer(f"scale_{name}", getattr(nested, name), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(x, restored_weight(self).to(x.dtype), self.bias)


def with_adapter_on_four_bits(base: Any, config: Any, seed: int) -> tuple[Any, Text]:
    """A PEFT model on a copy of `base` with its linear layers in 4 bits, and the name of the 4-bit implementation. The
    output head and the embedding stay in float32. Raises TilescopeError if the model has no linear layers (GPT-2)."""
    copy = trainable_copy(base)
    if not any(isinstance(copy.get_submodule(name), nn.Linear) for name in linear_names(copy)):
        raise TilescopeError(tr("The model has no linear layers that can be stored in 4 bits: use another model."))
    device = next(copy.parameters()).device
    by_bitsandbytes = available(Impl.BITSANDBYTES, device) is None and _restores_correctly(copy, device)
    import_peft()
    for name in linear_names(copy):
        parent, _, last = name.rpartition(".")
        layer = copy.get_submodule(name)
        if isinstance(layer, nn.Linear):
            four_bits = _bitsandbytes_linear(layer, device) if by_bitsandbytes else Nf4Linear(layer)
            setattr(copy.get_submodule(parent), last, four_bits)
    if by_bitsandbytes:
        copy.is_loaded_in_4bit = True  # peft checks this before it uses its layers for bitsandbytes
    with silent_transformers(), seeded(seed):
        from peft import get_peft_model

        model = get_peft_model(copy, config).train()
    return model, _runs_on(by_bitsandbytes, device)


def four_bit_layers(model: Any) -> list[nn.Module]:
    """The layers in 4 bits, adapters not included."""
    return [module for module in model.modules() if isinstance(module, Nf4Linear) or _is_bitsandbytes(module)]


def restored_weight(layer: Any) -> torch.Tensor:
    """The dequantized weight, float32 [out, in]."""
    if isinstance(layer, Nf4Linear):
        return dequantize(layer.quantized, dtype=torch.float32, impl=Impl.TORCH)
    from bitsandbytes.functional import dequantize_4bit

    restored: torch.Tensor = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    return restored.float()


def gradient_evidence(model: Any, batch: Batch) -> tuple[GradientEvidence, ...]:
    """The evidence from one backward pass of the trained model. Clears its gradients."""
    model.zero_grad()
    batch_loss(model, batch).backward()  # type: ignore[no-untyped-call]
    layers = four_bit_layers(model)
    adapters = [weight for name, weight in model.named_parameters() if weight.requires_grad]
    first_layer = [weight for name, weight in model.named_parameters() if weight.requires_grad and ".0." in name]
    evidence = (
        _evidence(ADAPTERS, (weight.grad for weight in adapters)),
        _evidence(FIRST_ADAPTERS, (weight.grad for weight in first_layer)),
        _evidence(FROZEN_WEIGHTS, (layer.weight.grad for layer in layers)),  # type: ignore[misc]
        _layer_input_gradient(layers[0]),
    )
    model.zero_grad()
    return evidence


def _layer_input_gradient(layer: nn.Module) -> GradientEvidence:
    """Compares the gradient that a layer passes to its input with dy W, where W is dequantized from its codes."""
    weight = restored_weight(layer)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, weight.shape[1], generator=generator).to(weight.device).requires_grad_()
    dy = torch.randn(4, weight.shape[0], generator=generator).to(weight.device)
    layer(x).backward(dy)
    assert x.grad is not None
    return _evidence(LAYER_INPUT, [x.grad], float((x.grad - dy @ weight).abs().max()))


def _evidence(
    what: str, gradients: Iterable[torch.Tensor | None], max_abs_difference: float | None = None
) -> GradientEvidence:
    all_gradients = list(gradients)
    norms = [float(gradient.norm()) for gradient in all_gradients if gradient is not None]
    return GradientEvidence(
        what=what,
        tensors=len(all_gradients),
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
    # On CPUs with bf16 instructions, an evaluation repacks the codes for a product without a backward pass, which then
    # also blocks the gradients of later training steps.
    four_bits.support_avx512bf16_for_cpu = False
    moved: nn.Module = four_bits.to(device)
    return moved


def _restores_correctly(model: Any, device: torch.device) -> bool:
    """bitsandbytes 0.50 on a CPU uses the scales of wrong blocks if the row length, such as 96, is not a multiple of
    the block size."""
    layers = [model.get_submodule(name) for name in linear_names(model)]
    return device.type != "cpu" or all(layer.weight.shape[-1] % NF4_BLOCK == 0 for layer in layers)


def _runs_on(by_bitsandbytes: bool, device: torch.device) -> Text:
    from importlib.metadata import version

    if by_bitsandbytes:
        return tr(
            "bitsandbytes {version}, NF4 with double quantization, on {device}",
            version=version("bitsandbytes"),
            device=device.type,
        )
    return tr("Tilescope's NF4 with double quantization, dequantized by PyTorch, on {device}", device=device.type)
