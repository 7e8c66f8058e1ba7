"""What the losses have to move, in closed form: the kernels here, and PyTorch's operators. Pure: no torch, no triton,
so that a plan may use it.

Every step (a launch or an operator) reads each byte that it needs once and writes each once, as if its own cache held
everything and nothing stayed in it for the next step. The distinct bytes in traces of the kernels equal it to the byte;
the operators are those that PyTorch dispatches. Tensors with one number per token or less are not counted for PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.loss.tiling import (
    Backward,
    choose_backward,
    choose_logits_tiling,
    choose_on_chip_tiling,
    choose_splits,
    chunk_columns,
)
from kernels.targets import DEFAULT_SM_COUNT

_FLOAT_BYTES = 4
_INT_BYTES = 4


@dataclass(frozen=True)
class LossShape:
    """A batch of `tokens`, of which `targets` count. Hidden states have a `width`; 0 where logits are given."""

    tokens: int
    targets: int
    vocabulary: int
    element_bytes: int
    width: int = 0
    label_bytes: int = 8
    bias: bool = False
    smoothed: bool = False

    @property
    def logit_bytes(self) -> int:
        """Of the logits of all tokens."""
        return self.tokens * self.vocabulary * self.element_bytes

    @property
    def hidden_bytes(self) -> int:
        return self.tokens * self.width * self.element_bytes

    @property
    def weight_bytes(self) -> int:
        return self.vocabulary * self.width * self.element_bytes


@dataclass(frozen=True)
class Step:
    """A launch or an operator, and what it has to read and write."""

    name: str
    read_bytes: int
    written_bytes: int


def moved_bytes(steps: tuple[Step, ...]) -> int:
    """Bytes read and written by all steps."""
    return sum(step.read_bytes + step.written_bytes for step in steps)


def cross_entropy_steps(shape: LossShape) -> tuple[Step, ...]:
    """`cross_entropy` and its backward pass."""
    tokens, labels = shape.tokens, shape.tokens * shape.label_bytes
    logits = shape.targets * shape.vocabulary * shape.element_bytes
    per_token = tokens * _FLOAT_BYTES
    return (
        Step("loss_kernel", logits + labels, 2 * per_token),
        Step("gradient_kernel", logits + labels + 2 * per_token, shape.logit_bytes),
    )


def cross_entropy_with_gradient_steps(shape: LossShape) -> tuple[Step, ...]:
    """`cross_entropy_with_gradient`."""
    loss, gradient = cross_entropy_steps(shape)
    per_token = shape.tokens * _FLOAT_BYTES
    return (Step("loss_and_gradient_kernel", loss.read_bytes + per_token, gradient.written_bytes + per_token),)


def linear_cross_entropy_steps(
    shape: LossShape,
    *,
    backward: Backward | None = None,
    target: str | None = None,
    sm_count: int = DEFAULT_SM_COUNT,
) -> tuple[Step, ...]:
    """`linear_cross_entropy` and its backward pass to all three tensors, on a GPU target; None is a CPU."""
    if backward is None:
        backward = choose_backward(width=shape.width, element_bytes=shape.element_bytes)
    if backward is Backward.ON_CHIP:
        tiling = choose_on_chip_tiling(width=shape.width, element_bytes=shape.element_bytes, target=target)
    else:
        tiling = choose_logits_tiling(element_bytes=shape.element_bytes, target=target)
    splits, _ = choose_splits(
        row_tiles=-(-shape.tokens // tiling.rows), col_tiles=-(-shape.vocabulary // tiling.cols), sm_count=sm_count
    )
    backward_steps = _on_chip_steps(shape, splits) if backward is Backward.ON_CHIP else _chunked_steps(shape)
    return _linear_loss_steps(shape, splits) + backward_steps


def torch_cross_entropy_steps(shape: LossShape, *, upcast: bool) -> tuple[Step, ...]:
    """torch.nn.functional.cross_entropy and its backward pass. `upcast`: of logits.float(), as in the loss of
    transformers (ForCausalLMLoss)."""
    converted = shape.tokens * shape.vocabulary * (_FLOAT_BYTES if upcast else shape.element_bytes)
    steps = (
        Step("aten::_log_softmax", converted, converted),
        Step("aten::nll_loss_forward", 0, 0),
        Step("aten::nll_loss_backward", 0, converted),
        Step("aten::_log_softmax_backward_data", 2 * converted, converted),
    )
    if not upcast or shape.element_bytes == _FLOAT_BYTES:
        return steps
    there, back = (shape.logit_bytes, converted), (converted, shape.logit_bytes)
    return (Step("aten::_to_copy", *there), *steps, Step("aten::_to_copy", *back))


def torch_linear_cross_entropy_steps(shape: LossShape, *, upcast: bool) -> tuple[Step, ...]:
    """The same after a product with the weight, without a bias."""
    hidden, weight, logits = shape.hidden_bytes, shape.weight_bytes, shape.logit_bytes
    return (
        Step("aten::mm", hidden + weight, logits),
        *torch_cross_entropy_steps(shape, upcast=upcast),
        Step("aten::mm", logits + hidden, weight),
        Step("aten::mm", logits + weight, hidden),
    )


def _tokens_of_targets(shape: LossShape) -> int:
    """Bytes of the order and the labels of the targets, and the number of targets."""
    return shape.targets * (_INT_BYTES + shape.label_bytes) + _INT_BYTES


def _operands(shape: LossShape, columns: int) -> int:
    """Bytes of the targets' hidden states, and of weight and bias of some columns."""
    return (shape.targets * shape.width + columns * (shape.width + shape.bias)) * shape.element_bytes


def _linear_loss_steps(shape: LossShape, splits: int) -> tuple[Step, ...]:
    targets = shape.targets * _FLOAT_BYTES
    parts = targets * splits * (2 if shape.smoothed else 1) + targets
    return (
        Step("linear_loss_kernel", _tokens_of_targets(shape) + _operands(shape, shape.vocabulary), parts),
        Step(
            "merge_losses_kernel",
            parts + shape.tokens * _INT_BYTES + _INT_BYTES,
            shape.tokens * _FLOAT_BYTES + targets,
        ),
    )


def _on_chip_steps(shape: LossShape, splits: int) -> tuple[Step, ...]:
    read = _tokens_of_targets(shape) + 2 * shape.targets * _FLOAT_BYTES + _operands(shape, shape.vocabulary)
    parts = splits * shape.targets * shape.width * _FLOAT_BYTES
    bias = shape.vocabulary * shape.bias * shape.element_bytes
    order = shape.tokens * _INT_BYTES + _INT_BYTES
    return (
        Step("hidden_parts_kernel", read, parts),
        Step("merge_hidden_kernel", parts + order + _FLOAT_BYTES, shape.hidden_bytes),
        Step("weight_gradient_kernel", read + _FLOAT_BYTES, shape.weight_bytes + bias),
    )


def _chunked_steps(shape: LossShape) -> tuple[Step, ...]:
    steps: list[Step] = []
    columns = chunk_columns(
        tokens=shape.tokens, vocabulary=shape.vocabulary, width=shape.width, element_bytes=shape.element_bytes
    )
    hidden = shape.targets * shape.width * shape.element_bytes
    total = shape.targets * shape.width * _FLOAT_BYTES
    for first in range(0, shape.vocabulary, columns):
        cols = min(columns, shape.vocabulary - first)
        chunk = shape.targets * cols * shape.element_bytes
        weight, bias = cols * shape.width * shape.element_bytes, cols * shape.bias * shape.element_bytes
        read = _tokens_of_targets(shape) + 2 * shape.targets * _FLOAT_BYTES + _operands(shape, cols)
        order = shape.targets * _INT_BYTES + _INT_BYTES
        is_last = first + cols == shape.vocabulary
        to_sum = chunk + weight + _INT_BYTES + (total if first else 0)
        if is_last:
            to_sum += shape.tokens * _INT_BYTES + _FLOAT_BYTES
        steps += [
            Step("chunk_gradient_kernel", read, chunk),
            Step("chunk_weight_kernel", chunk + hidden + order + _FLOAT_BYTES, weight + bias),
            Step("chunk_hidden_kernel", to_sum, shape.hidden_bytes if is_last else total),
        ]
    return tuple(steps)
