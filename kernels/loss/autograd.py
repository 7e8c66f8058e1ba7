"""The losses of tokens with their backward pass. Only the log-sum-exps are kept between the two.

The functions return one loss per token, so the reduction and its gradient are PyTorch's: the backward pass gets one
factor per token.
"""

from __future__ import annotations

from typing import Any

import torch

from kernels.errors import InvalidInputs
from kernels.launching import launching
from kernels.loss.linear import Gradients, LinearCall
from kernels.loss.options import LossOptions
from kernels.loss.rows import targets_first
from kernels.loss.tiling import Backward, choose_backward
from kernels.loss.triton.cross_entropy import logit_gradient_triton, losses_triton
from kernels.loss.triton.linear_chunked import chunked_gradients
from kernels.loss.triton.linear_losses import linear_losses_triton
from kernels.loss.triton.linear_on_chip import on_chip_gradients


def fused_losses(logits: torch.Tensor, labels: torch.Tensor, options: LossOptions, *, in_place: bool) -> torch.Tensor:
    """The loss of each token, float32 [n], on tensors that `api` has checked; differentiable in the logits."""
    if torch.is_grad_enabled() and logits.requires_grad:
        losses: torch.Tensor = _FusedLosses.apply(logits, labels, options, in_place)  # type: ignore[no-untyped-call]
        return losses
    return losses_triton(logits.detach(), labels, options)[0]


def fused_linear_losses(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    labels: torch.Tensor,
    options: LossOptions,
    backward: Backward | None,
) -> torch.Tensor:
    """The same from hidden states; differentiable in hidden, weight and bias."""
    if backward is None:
        backward = choose_backward(width=hidden.shape[1], element_bytes=hidden.element_size())
    backward = Backward(backward)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (hidden, weight, bias)):
        losses: torch.Tensor = _FusedLinearLosses.apply(  # type: ignore[no-untyped-call]
            hidden, weight, bias, labels, options, backward
        )
        return losses
    order, count = targets_first(labels, options.ignore_index)
    return linear_losses_triton(LinearCall(hidden, weight, bias, labels, order, count, options, backward))[0]


class _FusedLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, labels: torch.Tensor, options: LossOptions, in_place: bool
    ) -> torch.Tensor:
        losses, lse = losses_triton(logits, labels, options)
        ctx.save_for_backward(logits, labels, lse)
        ctx.options, ctx.in_place, ctx.overwritten = options, in_place, False
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        logits, labels, lse = ctx.saved_tensors
        if ctx.overwritten:
            raise InvalidInputs(
                "The first backward pass wrote the gradient in place of the logits, so there cannot be a second one: "
                "leave in_place out."
            )
        gradient = logits.detach() if ctx.in_place else torch.empty_like(logits)
        with launching(logits.device):
            logit_gradient_triton(logits, labels, lse, scale.contiguous(), gradient, ctx.options)
        ctx.overwritten = ctx.in_place
        return gradient, None, None, None


class _FusedLinearLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        labels: torch.Tensor,
        options: LossOptions,
        backward: Backward,
    ) -> torch.Tensor:
        order, count = targets_first(labels, options.ignore_index)
        losses, lse = linear_losses_triton(LinearCall(hidden, weight, bias, labels, order, count, options, backward))
        ctx.save_for_backward(hidden, weight, bias, labels, order, count, lse)
        ctx.options, ctx.backward_by = options, backward
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, weight, bias, labels, order, count, lse = ctx.saved_tensors
        needs_hidden, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        out = Gradients(
            torch.empty_like(hidden) if needs_hidden else None,
            torch.empty_like(weight) if needs_weight or needs_bias else None,
            torch.empty_like(bias) if needs_bias else None,
        )
        call = LinearCall(hidden, weight, bias, labels, order, count, ctx.options, ctx.backward_by)
        # Relative to the largest factor, gradients of logits are at most about 1 and do not vanish in float16, as they
        # would after the division by the number of targets.
        scale = scale.where(labels != ctx.options.ignore_index, 0)
        unit = scale.abs().amax().reshape(1)
        relative = torch.where(unit == 0, 0, scale / unit)
        gradients = on_chip_gradients if call.on_chip else chunked_gradients
        with launching(hidden.device):
            gradients(call, lse, relative, unit, out)
        return out.hidden, out.weight if needs_weight else None, out.bias, None, None, None
