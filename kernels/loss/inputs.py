"""Checks the inputs of the loss. Each error is one sentence."""

from __future__ import annotations

import math

import torch

from kernels.errors import InvalidInputs
from kernels.input_checks import check_devices, check_dtype
from kernels.loss.impl import Impl, Reduction
from kernels.loss.options import LossOptions
from kernels.loss.tiling import MAX_ON_CHIP_WIDTH, Backward

_LABEL_DTYPES = (torch.int64, torch.int32)


def check_logits(
    logits: torch.Tensor,
    labels: torch.Tensor,
    token_weights: torch.Tensor | None,
    options: LossOptions,
) -> None:
    """Raises InvalidInputs if the loss of these logits is not defined."""
    if logits.dim() != 2 or 0 in logits.shape:
        raise InvalidInputs(
            "Logits must be [tokens, vocabulary] with at least one of each, not {shape}.",
            shape=str(list(logits.shape)),
        )
    check_dtype("logits", logits)
    check_options(options)
    _check_tokens(logits, labels, token_weights, options, vocabulary=logits.shape[1])


def check_hidden(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    labels: torch.Tensor,
    token_weights: torch.Tensor | None,
    options: LossOptions,
) -> None:
    """Raises InvalidInputs if the loss of hidden Wᵀ + bias is not defined."""
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1]:
        raise InvalidInputs(
            "Hidden states {hidden_shape} and the weight {weight_shape} do not match: they must be [tokens, width] and "
            "[vocabulary, width].",
            hidden_shape=str(list(hidden.shape)),
            weight_shape=str(list(weight.shape)),
        )
    if 0 in hidden.shape or 0 in weight.shape:
        raise InvalidInputs(
            "There is nothing to multiply: hidden states are {hidden_shape} and the weight is {weight_shape}.",
            hidden_shape=str(list(hidden.shape)),
            weight_shape=str(list(weight.shape)),
        )
    if bias is not None and (bias.shape != weight.shape[:1] or not bias.is_contiguous()):
        raise InvalidInputs(
            "The bias {bias_shape} does not match the weight {weight_shape}: it must be [vocabulary] and contiguous.",
            bias_shape=str(list(bias.shape)),
            weight_shape=str(list(weight.shape)),
        )
    check_dtype("hidden", hidden)
    others = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    for name, tensor in others.items():
        if tensor.dtype != hidden.dtype:
            raise InvalidInputs(
                "{name} is {dtype} and hidden is {hidden_dtype}: convert one of them.",
                name=name,
                dtype=str(tensor.dtype),
                hidden_dtype=str(hidden.dtype),
            )
    check_options(options)
    check_devices(hidden, others)
    _check_tokens(hidden, labels, token_weights, options, vocabulary=weight.shape[0])


def check_options(options: LossOptions) -> None:
    """Raises InvalidInputs for values outside their ranges."""
    if not 0 <= options.label_smoothing <= 1:
        raise InvalidInputs("label_smoothing must be from 0 to 1, not {value}.", value=options.label_smoothing)
    if not (options.z_loss >= 0 and math.isfinite(options.z_loss)):
        raise InvalidInputs("z_loss must be a finite number of at least 0, not {value}.", value=options.z_loss)
    if options.softcap is not None and not (options.softcap > 0 and math.isfinite(options.softcap)):
        raise InvalidInputs(
            "softcap must be a finite number greater than 0, not {value}: use None for no cap.", value=options.softcap
        )


def check_out(out: torch.Tensor, logits: torch.Tensor) -> None:
    """Raises InvalidInputs if the gradient cannot be written to `out`."""
    if out.shape != logits.shape or out.dtype != logits.dtype or out.device != logits.device:
        raise InvalidInputs(
            "out {shape} {dtype} cannot hold the gradient of logits {logits_shape} {logits_dtype}: it must be the same "
            "on the same device.",
            shape=str(list(out.shape)),
            dtype=str(out.dtype),
            logits_shape=str(list(logits.shape)),
            logits_dtype=str(logits.dtype),
        )
    if any(stride == 0 and size > 1 for stride, size in zip(out.stride(), out.shape, strict=True)):
        raise InvalidInputs("out is expanded: several of its elements are one. Give it memory of its own.")


def check_in_place(logits: torch.Tensor, in_place: bool, impl: Impl) -> None:
    """Raises InvalidInputs if `impl` cannot write the gradient where it should go."""
    if in_place and logits.is_leaf and logits.requires_grad:
        raise InvalidInputs("in_place would overwrite a leaf that requires a gradient: pass computed logits.")
    if in_place and impl in (Impl.TORCH, Impl.TRITON_UNFUSED):
        raise InvalidInputs("{impl} does not write gradients in place: leave in_place out.", impl=impl.value)
    if not in_place and impl is Impl.LIGER:
        raise InvalidInputs("Liger-Kernel always writes the gradient in place of the logits: pass in_place=True.")


def check_plain(options: LossOptions) -> None:
    """Raises InvalidInputs for what the unfused kernels do not compute."""
    if options != LossOptions(options.ignore_index):
        raise InvalidInputs(
            "The unfused kernels compute the plain loss, without label smoothing, z-loss and softcap: use triton or "
            "torch."
        )


def check_no_bias(bias: torch.Tensor | None) -> None:
    if bias is not None:
        raise InvalidInputs("The unfused kernels have no bias: use triton or torch.")


def check_liger(token_weights: torch.Tensor | None, reduction: Reduction) -> None:
    """Raises InvalidInputs for what Liger-Kernel does not compute."""
    if token_weights is not None or reduction not in (Reduction.MEAN, Reduction.SUM):
        raise InvalidInputs(
            "Liger-Kernel computes the mean or the sum, and has no weights per token: use triton or torch."
        )


def check_backward(backward: Backward | None, hidden: torch.Tensor, impl: Impl) -> None:
    """Raises InvalidInputs if the backward pass cannot be computed in this way."""
    if backward is None:
        return
    if impl is not Impl.TRITON:
        raise InvalidInputs(
            "`backward` applies only to the fused kernels, not to {impl}: leave it out.", impl=impl.value
        )
    widest = MAX_ON_CHIP_WIDTH[hidden.element_size()]
    if Backward(backward) is Backward.ON_CHIP and hidden.shape[1] > widest:
        raise InvalidInputs(
            "Hidden states of {dtype} with a width of {width} do not fit on chip, but only up to {widest}: use "
            "chunked.",
            dtype=str(hidden.dtype),
            width=hidden.shape[1],
            widest=widest,
        )


def _check_tokens(
    first: torch.Tensor,
    labels: torch.Tensor,
    token_weights: torch.Tensor | None,
    options: LossOptions,
    *,
    vocabulary: int,
) -> None:
    named = {"labels": labels} if token_weights is None else {"labels": labels, "token_weights": token_weights}
    for name, tensor in named.items():
        if tensor.shape != first.shape[:1]:
            raise InvalidInputs(
                "{name} is {shape}, but there are {tokens} tokens: it must have one element per token.",
                name=name,
                shape=str(list(tensor.shape)),
                tokens=first.shape[0],
            )
    if labels.dtype not in _LABEL_DTYPES:
        raise InvalidInputs("labels must be int64 or int32, not {dtype}.", dtype=str(labels.dtype))
    if token_weights is not None and not token_weights.is_floating_point():
        raise InvalidInputs("token_weights must be floating point, not {dtype}.", dtype=str(token_weights.dtype))
    check_devices(first, named)
    if labels.device.type == "meta":
        return
    outside = (labels != options.ignore_index) & ((labels < 0) | (labels >= vocabulary))
    if bool(outside.any()):
        raise InvalidInputs(
            "Label {label} is neither a token of a vocabulary of {vocabulary} nor ignore_index {ignore_index}.",
            label=int(labels[outside][0]),
            vocabulary=vocabulary,
            ignore_index=options.ignore_index,
        )
