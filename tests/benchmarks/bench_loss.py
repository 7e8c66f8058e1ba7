"""Traced bytes of the losses at a vocabulary of 32,000, next to PyTorch's operators and Liger-Kernel. Target: 3 times
fewer than unfused.

Two counts. Distinct: each byte that a launch reads or writes counts once, as if its cache held everything. Requested:
as if there were no cache. PyTorch's operators are the Triton kernels of triton-unfused, one per operator; with logits
in float32, as in transformers, they are modelled.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from rich.console import Console
from rich.table import Table

from core.interpreter import Launch, intercept
from core.trace.distinct_traffic import launch_totals
from kernels.loss.api import Backward, Impl, cross_entropy_with_gradient
from kernels.loss.traffic import (
    LossShape,
    Step,
    moved_bytes,
    torch_cross_entropy_steps,
    torch_linear_cross_entropy_steps,
)
from tests.kernels import loss_cases
from tests.kernels.loss_cases import LossInputs, loss_inputs, loss_of, with_gradients

VOCABULARY = 32_000
TOKENS = 2048
WIDTHS = (128, 256, 1024)
TARGET_RATIO = 3


def inputs_of(width: int, *, ignored: float = 0.0) -> LossInputs:
    """bfloat16; every token is a target."""
    return loss_inputs(loss_cases.LossShape(TOKENS, VOCABULARY, width), torch.bfloat16, ignored=ignored)


def traced(inputs: LossInputs, impl: Impl, backward: Backward | None = None) -> list[Launch]:
    """Forward and backward, only addresses."""
    with intercept(addresses_only=True) as tracer:
        with_gradients(inputs, impl, backward)
    return list(tracer.launches)


def in_one_launch(inputs: LossInputs) -> list[Launch]:
    with intercept(addresses_only=True) as tracer:
        cross_entropy_with_gradient(inputs.first, inputs.labels)
    return list(tracer.launches)


def by_liger(inputs: LossInputs) -> list[Launch]:
    """Of logits: its products run in PyTorch, and only its cross-entropy is a Triton kernel."""
    logits = inputs.first.clone().requires_grad_() * 1
    with intercept(addresses_only=True) as tracer:
        loss_of(replace(inputs, first=logits), Impl.LIGER, in_place=True)
    return list(tracer.launches)


def add(table: Table, what: str, name: str, launches: list[Launch], unfused: int) -> int:
    """Adds a row; returns the distinct bytes."""
    totals = launch_totals(launches)
    distinct, requested = sum(total.distinct_bytes for total in totals), sum(total.bytes for total in totals)
    ratio = f"{unfused / distinct:.2f}" if unfused else "1"
    table.add_row(what, name, f"{distinct / 1e6:,.0f}", f"{requested / 1e6:,.0f}", ratio)
    return distinct


def add_modelled(table: Table, what: str, steps: tuple[Step, ...], unfused: int) -> None:
    bytes_ = moved_bytes(steps)
    table.add_row(what, "PyTorch, logits in float32 (modelled)", f"{bytes_ / 1e6:,.0f}", "", f"{unfused / bytes_:.2f}")


def main() -> None:
    table = Table("what", "implementation", "distinct MB", "requested MB", "times fewer than unfused")
    inputs = inputs_of(0)
    shape = LossShape(TOKENS, TOKENS, VOCABULARY, 2)
    unfused = add(table, "logits", "PyTorch's operators", traced(inputs, Impl.TRITON_UNFUSED), 0)
    add_modelled(table, "logits", torch_cross_entropy_steps(shape, upcast=True), unfused)
    add(table, "logits", "triton, two launches", traced(inputs, Impl.TRITON), unfused)
    add(table, "logits", "triton, one launch", in_one_launch(inputs), unfused)
    add(table, "logits", "liger-kernel", by_liger(inputs), unfused)
    for width in WIDTHS:
        inputs, what = inputs_of(width), f"width {width}"
        unfused = add(table, what, "PyTorch's operators", traced(inputs, Impl.TRITON_UNFUSED), 0)
        steps = torch_linear_cross_entropy_steps(replace(shape, width=width), upcast=True)
        add_modelled(table, what, steps, unfused)
        fused = add(table, what, "triton", traced(inputs, Impl.TRITON), unfused)
        if width <= 256:
            add(table, what, "triton, chunked", traced(inputs, Impl.TRITON, Backward.CHUNKED), unfused)
        Console().print(
            f"{what}: {unfused / fused:.2f} times fewer bytes, {moved_bytes(steps) / fused:.2f} with float32"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
