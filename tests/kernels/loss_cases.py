"""Losses on random inputs, with gradients, and the yardstick: torch's own error against float64."""

from dataclasses import dataclass, replace

import torch

from kernels.loss.api import (
    Backward,
    Impl,
    LossOptions,
    Reduction,
    cross_entropy,
    cross_entropy_with_gradient,
    linear_cross_entropy,
)
from kernels.loss.reference import (
    reference_linear_gradients,
    reference_logit_gradient,
    reference_logits,
    reference_losses,
)
from kernels.loss.rows import effective_labels, token_scale
from tests.kernels.oracle import rms

PLAIN = LossOptions()
ALL_AT_ONCE = LossOptions(ignore_index=-7, label_smoothing=0.1, z_loss=1e-2, softcap=5.0)
OPTIONS = (PLAIN, LossOptions(label_smoothing=0.2), LossOptions(z_loss=1e-2), LossOptions(softcap=4.0), ALL_AT_ONCE)


@dataclass(frozen=True)
class LossShape:
    """`width` 0: logits are given."""

    tokens: int
    vocabulary: int
    width: int = 0

    def __str__(self) -> str:
        return f"{self.tokens}x{self.vocabulary}" + (f"-d{self.width}" if self.width else "")


@dataclass(frozen=True)
class LossInputs:
    """`first` are logits [tokens, vocabulary], or hidden states [tokens, width] of a layer with `weight` and `bias`."""

    first: torch.Tensor
    labels: torch.Tensor
    token_weights: torch.Tensor | None
    weight: torch.Tensor | None
    bias: torch.Tensor | None
    options: LossOptions
    reduction: Reduction

    @property
    def targets(self) -> torch.Tensor:
        """The labels, with ignore_index where the weight is 0."""
        return effective_labels(self.labels, self.token_weights, self.options.ignore_index)

    @property
    def scale(self) -> torch.Tensor:
        return token_scale(self.labels, self.token_weights, self.options.ignore_index, self.reduction)


def loss_inputs(
    shape: LossShape,
    dtype: torch.dtype = torch.float32,
    options: LossOptions = PLAIN,
    *,
    reduction: Reduction = Reduction.MEAN,
    weighted: bool = False,
    bias: bool = False,
    ignored: float = 0.3,
    device: str = "cpu",
    seed: int = 0,
) -> LossInputs:
    """Logits of a standard deviation of about 2, labels of which a share is ignored, weights of which some are 0."""
    generator = torch.Generator(device=device).manual_seed(seed)

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator, device=device)

    tokens, vocabulary, width = shape.tokens, shape.vocabulary, shape.width
    labels = torch.randint(vocabulary, (tokens,), generator=generator, device=device)
    unused = torch.rand(tokens, generator=generator, device=device) < ignored
    weights = torch.rand(tokens, generator=generator, device=device) + 0.1
    weights[torch.rand(tokens, generator=generator, device=device) < 0.2] = 0
    first = normal(tokens, width or vocabulary) * (1 if width else 2)
    return LossInputs(
        first.to(dtype),
        labels.masked_fill(unused, options.ignore_index),
        weights if weighted else None,
        (2 * width**-0.5 * normal(vocabulary, width)).to(dtype) if width else None,
        normal(vocabulary).to(dtype) if bias else None,
        options,
        reduction,
    )


def loss_of(
    inputs: LossInputs, impl: Impl, backward: Backward | None = None, *, in_place: bool = False
) -> torch.Tensor:
    if inputs.weight is None:
        return cross_entropy(
            inputs.first, inputs.labels, token_weights=inputs.token_weights, options=inputs.options,
            reduction=inputs.reduction, in_place=in_place, impl=impl,
        )  # fmt: skip
    return linear_cross_entropy(
        inputs.first, inputs.weight, inputs.labels, bias=inputs.bias, token_weights=inputs.token_weights,
        options=inputs.options, reduction=inputs.reduction, backward=backward, impl=impl,
    )  # fmt: skip


def with_gradients(inputs: LossInputs, impl: Impl, backward: Backward | None = None) -> dict[str, torch.Tensor]:
    """The loss, and the gradients of its sum by autograd."""
    leaves = {
        name: tensor.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        for name in ("first", "weight", "bias")
        if (tensor := getattr(inputs, name)) is not None
    }
    loss = loss_of(replace(inputs, **leaves), impl, backward)
    loss.sum().backward()
    return {"loss": loss.detach()} | {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


def in_one_launch(
    inputs: LossInputs, impl: Impl = Impl.TRITON, out: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """Loss and gradient of logits, by `cross_entropy_with_gradient`."""
    loss, gradient = cross_entropy_with_gradient(
        inputs.first, inputs.labels, token_weights=inputs.token_weights, options=inputs.options,
        reduction=inputs.reduction, out=out, impl=impl,
    )  # fmt: skip
    return {"loss": loss, "first": gradient}


def exact(inputs: LossInputs) -> dict[str, torch.Tensor]:
    """The same in float64."""
    logits, targets, scale = inputs.first, inputs.targets, inputs.scale.double()
    if inputs.weight is not None:
        logits = reference_logits(inputs.first, inputs.weight, inputs.bias)
    losses = reference_losses(logits, targets, inputs.options) * scale
    result = {"loss": losses if inputs.reduction is Reduction.NONE else losses.sum()}
    if inputs.weight is None:
        return result | {"first": reference_logit_gradient(logits, targets, scale, inputs.options)}
    gradients = reference_linear_gradients(inputs.first, inputs.weight, inputs.bias, targets, scale, inputs.options)
    names = ("first", "weight", "bias")[: 2 if inputs.bias is None else 3]
    return result | dict(zip(names, gradients, strict=False))


def assert_as_exact_as_torch(
    inputs: LossInputs, ours: dict[str, torch.Tensor], *, peer: Impl = Impl.TORCH, factor: float = 2.0
) -> None:
    """The RMS error of each against float64 is within `factor` of the peer's, or a unit in the last place."""
    expected, theirs = exact(inputs), with_gradients(inputs, peer)
    assert ours.keys() == expected.keys()
    for name, tensor in ours.items():
        dtype = torch.float32 if name == "loss" else inputs.first.dtype
        assert tensor.dtype == dtype, name
        assert tensor.shape == expected[name].shape, name
        error, allowed = rms(tensor - expected[name]), rms(theirs[name] - expected[name])
        # One loss may be exact by chance; it is a difference of numbers of the size of a logit.
        rounding = torch.finfo(dtype).eps * max(rms(expected[name]), 1.0 if name == "loss" else 0.0)
        assert error <= max(factor * allowed, rounding), f"{name}: {error:.3e} against torch's own {allowed:.3e}"


def assert_within_rounding(inputs: LossInputs, ours: dict[str, torch.Tensor]) -> None:
    """Element by element, for sizes at which torch's own error is a matter of luck: what float32 logits and sums
    explain (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), with gradients in the dtype."""
    expected, options, unit = exact(inputs), inputs.options, 2.0**-24
    dtype, scale = inputs.first.dtype, inputs.scale.double().abs()[:, None]
    rounding = 1.01 * torch.finfo(dtype).eps / 2
    first, weight = inputs.first.double(), inputs.weight
    if weight is None:
        logits, errors = first, torch.zeros_like(first[:, :1])
    else:
        logits = reference_logits(first, weight, inputs.bias)
        sizes = reference_logits(first.abs(), weight.abs(), None if inputs.bias is None else inputs.bias.abs())
        errors = (first.shape[1] + 2) * unit * sizes.amax(1, keepdim=True)
    lse = logits.logsumexp(1, keepdim=True)
    errors = errors + 16 * unit * (1 + logits.abs().amax(1, keepdim=True) + lse.abs())
    vocabulary = logits.shape[1]
    growth = 1 + 2 * options.z_loss * lse.abs()
    loss_errors = scale * (4 * errors * growth + vocabulary * unit * lse.abs())
    loss_errors = loss_errors[:, 0] if inputs.reduction is Reduction.NONE else loss_errors.sum()
    assert ((ours["loss"] - expected["loss"]).abs() <= loss_errors).all()
    gradient = reference_logit_gradient(logits, inputs.targets, inputs.scale, options).abs()
    probabilities = torch.exp(logits - lse) if options.softcap is None else torch.ones_like(logits)
    gradient_errors = scale * (8 * errors * growth * probabilities + 16 * unit) + (rounding + 16 * unit) * gradient
    gradient_errors = gradient_errors.where((inputs.targets != options.ignore_index)[:, None], 0)
    # Halves below 6e-5 are rounded to steps, not to digits.
    step = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    allowed = {"first": gradient_errors + step}
    if weight is not None:
        largest, weights, hidden = inputs.scale.abs().amax(), weight.double().abs(), first.abs()
        gradient_errors = gradient_errors + largest * step
        terms = (vocabulary + first.shape[0]) * unit
        allowed = {
            "first": gradient_errors @ weights + terms * gradient @ weights,
            "weight": gradient_errors.T @ hidden + terms * gradient.T @ hidden,
            "bias": gradient_errors.sum(0) + terms * gradient.sum(0),
        }
        allowed = {
            name: error + rounding * expected[name].abs() + step for name, error in allowed.items() if name in expected
        }
    for name, error in allowed.items():
        assert ours[name].dtype == dtype, name
        assert ((ours[name] - expected[name]).abs() <= error).all(), name
