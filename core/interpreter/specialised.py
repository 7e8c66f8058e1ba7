"""What a kernel was compiled for, and is not launched with: multiples, aligned pointers, constants, descriptors.

Triton compiles a kernel for what its arguments are. It does not check those of a compiled kernel that is launched again
(`handle[grid](...)`), or a descriptor that was changed after it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from core.contracts.text import Text, tr, verbatim
from core.interpreter.frontend import Kernel
from core.sanitizer import kinds
from core.trace.record import Fault

Ignored = Mapping[str, tuple[Any, Any]]
"""By parameter, the constant that a kernel was compiled for, and what it was launched with instead."""

_TMA_BYTES = 16
"""What TMA needs: the base of a descriptor and all strides but the last are multiples of so many bytes."""


def broken_promises(
    kernel: Kernel, bound: Mapping[str, Any], arguments: Sequence[Any], ignored: Ignored
) -> tuple[Fault, ...]:
    """The findings of a launch before it runs. `bound` are the arguments by name, `arguments` those of the IR."""
    sentences = [*_divisors(kernel, arguments), *_constants(kernel, ignored), *_descriptors(kernel, bound)]
    return tuple(_fault(kernel, *each) for each in sentences)


def _divisors(kernel: Kernel, arguments: Sequence[Any]) -> Iterator[tuple[Text, Text, str]]:
    for position, divisor in kernel.plan.function.divisors:
        argument, name = arguments[position], kernel.plan.function.arguments[position].name
        if isinstance(argument, torch.Tensor):
            rest = argument.data_ptr() % divisor
            if rest and argument.numel():
                yield (
                    tr(
                        "{kernel} was compiled for an address of {argument} that is a multiple of {divisor} bytes, but "
                        "is launched with one that is {rest} bytes after such a multiple.",
                        kernel=kernel.name, argument=name, divisor=divisor, rest=rest,
                    ),
                    _COMPILE_AGAIN,
                    str(rest),
                )  # fmt: skip
        elif isinstance(argument, int) and argument % divisor:
            yield (
                tr(
                    "The compiler takes {argument} of {kernel} for a multiple of {divisor}, but it is {value:,}.",
                    kernel=kernel.name, argument=name, divisor=divisor, value=argument,
                ),
                _COMPILE_AGAIN,
                str(argument),
            )  # fmt: skip


def _constants(kernel: Kernel, ignored: Ignored) -> Iterator[tuple[Text, Text, str]]:
    for name, (compiled, given) in ignored.items():
        yield (
            tr(
                "{kernel} was compiled for {argument} = {compiled}, but is launched with {given}, which it ignores.",
                kernel=kernel.name, argument=name, compiled=_shown(compiled), given=_shown(given),
            ),
            _COMPILE_AGAIN,
            str(_shown(given)),
        )  # fmt: skip


def _descriptors(kernel: Kernel, bound: Mapping[str, Any]) -> Iterator[tuple[Text, Text, str]]:
    for name, value in bound.items():
        if not (hasattr(value, "block_shape") and hasattr(value, "base") and hasattr(value.base, "data_ptr")):
            continue
        width = value.base.element_size()
        rest = value.base.data_ptr() % _TMA_BYTES
        if rest:
            yield (
                tr(
                    "The tensor descriptor {argument} of {kernel} begins {rest} bytes after a multiple of {bytes} "
                    "bytes, but TMA needs such an address.",
                    kernel=kernel.name, argument=name, rest=rest, bytes=_TMA_BYTES,
                ),
                tr("Begin the descriptor at an aligned element, or copy the tensor."),
                str(rest),
            )  # fmt: skip
        *outer, last = value.strides
        wrong = next((stride for stride in outer if stride * width % _TMA_BYTES), None)
        if wrong is not None or last != 1:
            yield (
                tr(
                    "The tensor descriptor {argument} of {kernel} has the strides {strides}, but TMA needs 1 as the "
                    "last, and multiples of {bytes} bytes as the others.",
                    kernel=kernel.name, argument=name, strides=str(list(value.strides)), bytes=_TMA_BYTES,
                ),
                tr("Pad the rows of the tensor to a multiple of {bytes} bytes, or copy it.", bytes=_TMA_BYTES),
                str(last if wrong is None else wrong),
            )  # fmt: skip


_COMPILE_AGAIN = tr(
    "Launch the kernel with `kernel[grid](...)`, so that Triton compiles it for these arguments, or remove the promise."
)


def _shown(value: Any) -> Text:
    return verbatim(repr(value)[:60])


def _fault(kernel: Kernel, sentence: Text, repair: Text, value: str) -> Fault:
    return Fault(
        kind=kinds.BROKEN_HINT,
        file=kernel.file,
        line=kernel.first_line,
        program=-1,
        count=1,
        sentence=sentence,
        value=value,
        repair=repair,
    )
