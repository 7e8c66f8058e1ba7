"""The entry points to the losses. They run the requested implementation or raise."""

from __future__ import annotations

import torch

from kernels.errors import InvalidInputs
from kernels.launching import launching
from kernels.loss.impl import Impl, Reduction, available
from kernels.loss.inputs import (
    check_backward,
    check_hidden,
    check_in_place,
    check_liger,
    check_logits,
    check_no_bias,
    check_out,
    check_plain,
)
from kernels.loss.liger_peer import cross_entropy_liger, linear_cross_entropy_liger
from kernels.loss.options import LossOptions
from kernels.loss.rows import effective_labels, token_scale
from kernels.loss.tiling import Backward
from kernels.loss.torch_impl import linear_losses_torch, losses_torch

__all__ = [
    "Backward",
    "Impl",
    "LossOptions",
    "Reduction",
    "available",
    "cross_entropy",
    "cross_entropy_with_gradient",
    "linear_cross_entropy",
]

_PLAIN = LossOptions()


def cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    token_weights: torch.Tensor | None = None,
    options: LossOptions = _PLAIN,
    reduction: Reduction = Reduction.MEAN,
    in_place: bool = False,
    impl: Impl = Impl.TRITON,
) -> torch.Tensor:
    """The loss of a batch of tokens, float32: a scalar, or [n] with Reduction.NONE. Differentiable in the logits.

    logits [n, V] float32, float16 or bfloat16 with any strides; labels [n] int64 or int32, `ignore_index` where there
    is no target; token_weights [n] floating point, 1 by default, constants. The loss of a token is that of LossOptions.
    Everything is float32 on chip. A token of weight 0 is treated as no target, but still counts for MEAN.

    The backward pass reads the logits that the caller keeps anyway. With `in_place` it writes the gradient over them,
    so it can run only once and nothing else may use the logits.

    Raises InvalidInputs for invalid inputs, Unavailable if `impl` cannot run here. Triton kernels need a GPU, unless
    their launches (including backward) are intercepted and executed on CPU tensors.
    """
    impl, reduction = Impl(impl), Reduction(reduction)
    check_logits(logits, labels, token_weights, options)
    check_in_place(logits, in_place, impl)
    targets = effective_labels(labels, token_weights, options.ignore_index).contiguous()
    if impl is Impl.LIGER:
        check_liger(token_weights, reduction)
        with launching(logits.device):
            return cross_entropy_liger(logits, labels, options, reduction)
    if impl is Impl.TORCH:
        losses = losses_torch(logits, targets, options)
    elif impl is Impl.TRITON_UNFUSED:
        check_plain(options)
        with launching(logits.device):
            # Imported late: Triton does not exist for every platform, and the other implementations do not need it.
            from kernels.loss.triton.unfused import unfused_losses

            losses = unfused_losses(logits, targets, options.ignore_index)
    else:
        with launching(logits.device):
            from kernels.loss.autograd import fused_losses

            losses = fused_losses(logits, targets, options, in_place=in_place)
    return _reduced(losses, labels, token_weights, options, reduction)


def cross_entropy_with_gradient(
    logits: torch.Tensor,
    labels: torch.Tensor,
    *,
    token_weights: torch.Tensor | None = None,
    options: LossOptions = _PLAIN,
    reduction: Reduction = Reduction.MEAN,
    out: torch.Tensor | None = None,
    impl: Impl = Impl.TRITON,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss as in `cross_entropy`, and the gradient of its sum for the logits, in one launch. Not differentiable.

    The gradient is written to `out`, shape and dtype of the logits with any strides; the logits themselves are fine.
    By default it is a new tensor. impl is TRITON or TORCH. Raises the same errors as `cross_entropy`.
    """
    impl, reduction = Impl(impl), Reduction(reduction)
    check_logits(logits, labels, token_weights, options)
    if impl not in (Impl.TRITON, Impl.TORCH):
        raise InvalidInputs("{impl} has no launch for loss and gradient: use triton or torch.", impl=impl.value)
    logits = logits.detach()
    out = torch.empty_like(logits) if out is None else out.detach()
    check_out(out, logits)
    if impl is Impl.TORCH:
        leaf = logits.clone().requires_grad_()
        loss = cross_entropy(leaf, labels, token_weights=token_weights, options=options, reduction=reduction, impl=impl)
        out.copy_(torch.autograd.grad(loss.sum(), leaf)[0])
        return loss.detach(), out
    targets = effective_labels(labels, token_weights, options.ignore_index).contiguous()
    scale = token_scale(labels, token_weights, options.ignore_index, reduction)
    with launching(logits.device):
        from kernels.loss.triton.cross_entropy import losses_with_gradient_triton

        losses = losses_with_gradient_triton(logits, targets, scale, out, options)
    return _reduced(losses, labels, token_weights, options, reduction), out


def linear_cross_entropy(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    labels: torch.Tensor,
    *,
    bias: torch.Tensor | None = None,
    token_weights: torch.Tensor | None = None,
    options: LossOptions = _PLAIN,
    reduction: Reduction = Reduction.MEAN,
    backward: Backward | None = None,
    impl: Impl = Impl.TRITON,
) -> torch.Tensor:
    """`cross_entropy` of the logits hidden Wᵀ + bias, which TRITON never keeps. Differentiable in hidden, weight and
    bias.

    hidden [n, width] and weight [V, width] with any strides and bias [V] have the same dtype. Rows without a target are
    not computed. `backward` says how the gradients are computed; the default is `tiling.choose_backward`. Logits and
    sums are float32; gradients of the logits are rounded to the dtype of the hidden states for the products with them.
    The bits of a result are always the same. Raises the same errors as `cross_entropy`.
    """
    impl, reduction = Impl(impl), Reduction(reduction)
    check_hidden(hidden, weight, bias, labels, token_weights, options)
    check_backward(backward, hidden, impl)
    targets = effective_labels(labels, token_weights, options.ignore_index).contiguous()
    if impl is Impl.LIGER:
        check_liger(token_weights, reduction)
        with launching(hidden.device):
            return linear_cross_entropy_liger(hidden, weight, bias, labels, options, reduction)
    if impl is Impl.TORCH:
        losses = linear_losses_torch(hidden, weight, bias, targets, options)
    elif impl is Impl.TRITON_UNFUSED:
        check_plain(options)
        check_no_bias(bias)
        with launching(hidden.device):
            from kernels.loss.triton.unfused import unfused_linear_losses

            losses = unfused_linear_losses(hidden, weight, targets, options.ignore_index)
    else:
        with launching(hidden.device):
            from kernels.loss.autograd import fused_linear_losses

            losses = fused_linear_losses(hidden, weight, bias, targets, options, backward)
    return _reduced(losses, labels, token_weights, options, reduction)


def _reduced(
    losses: torch.Tensor,
    labels: torch.Tensor,
    token_weights: torch.Tensor | None,
    options: LossOptions,
    reduction: Reduction,
) -> torch.Tensor:
    weighted = losses * token_scale(labels, token_weights, options.ignore_index, reduction)
    return weighted if reduction is Reduction.NONE else weighted.sum()
