"""ttng: tensor memory and tcgen05, products whose sum lies there. They end when a commit has been waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.body import Step
from core.interpreter.frame import Frame
from core.interpreter.ir import Operation, Value
from core.interpreter.ops.contractions import product
from core.interpreter.ops.gluon.barriers import ready
from core.interpreter.ops.gluon.predicates import where
from core.interpreter.ops.gluon.units import issued, units_of, using
from core.interpreter.ops.gluon.wgmma import accumulator, operand, registers
from core.interpreter.ops.registry import StepPlanner, step
from core.interpreter.ops.scaled import scaled_product
from core.interpreter.scratchpad import View, allocate
from core.interpreter.values import to_predicate, to_torch


@step("ttng.tmem_alloc")
def _alloc(operation: Operation, _planner: StepPlanner) -> Step:
    result = operation.results[0]
    source = operation.operands[0] if operation.operands else None

    def run(frame: Frame) -> None:
        view = allocate(result.name, result.type, operation.location, frame.programs)
        if source is not None:
            view.write(frame.programs, to_torch(frame.values[source.slot], source.type))
        frame.values[result.slot] = view

    return run


@step("ttng.tmem_load")
def _load(operation: Operation, _planner: StepPlanner) -> Step:
    if "redOp" in operation.attributes:
        raise TilescopeError(
            tr(
                "{location} reduces while it loads from tensor memory, which Tilescope does not execute in Gluon "
                "kernels: load, then reduce.",
                location=operation.location.label,
            )
        )
    slot, result = operation.operands[0].slot, operation.results[0].slot

    def run(frame: Frame) -> None:
        view: View = frame.values[slot]
        using(frame, "reads", view, operation.location)
        frame.values[result] = view.read(frame.programs)

    return run


@step("ttng.tmem_store")
def _store(operation: Operation, _planner: StepPlanner) -> Step:
    tensors = [value for value in operation.operands if value.type.shape is not None]
    target = next(value for value in tensors if value.type.space)
    source = next(value for value in tensors if not value.type.space)
    predicate = next(
        (value for value in operation.operands if value.type.element == "i1" and value is not source), None
    )

    def run(frame: Frame) -> None:
        view: View = frame.values[target.slot]
        using(frame, "writes", view, operation.location)
        view.write(frame.programs, to_torch(frame.values[source.slot], source.type))

    return where(predicate, operation.operands, run)


@step("ttng.tmem_copy")
def _copy(operation: Operation, _planner: StepPlanner) -> Step:
    """From shared to tensor memory, in order with the products."""
    source, target, *rest = operation.operands

    def run(frame: Frame) -> None:
        read: View = frame.values[source.slot]
        written: View = frame.values[target.slot]
        using(frame, "reads", read, operation.location)
        written.allocation.written(written.kind, *written.span)
        tile = read.read(frame.programs)
        written.write(frame.programs, tile.reshape(tile.shape[0], *written.shape))
        _goes_on(frame, operation, [read], written)
        _signal(operation, frame, rest)

    return run


@step("ttng.tc_gen5_mma")
def _mma(operation: Operation, _planner: StepPlanner) -> Step:
    """Operands: a, b, accumulator, whether to add to it, a predicate, barriers with their predicates."""
    a, b, c, keeps, predicate, *rest = _without_tokens(operation)
    multiply = product(registers(a.type), registers(b.type), registers(c.type))
    return _product(operation, (a, b), c, keeps, predicate, rest, multiply)


@step("ttng.tc_gen5_mma_scaled")
def _mma_scaled(operation: Operation, _planner: StepPlanner) -> Step:
    a, b, c, a_scale, b_scale, keeps, predicate, *rest = _without_tokens(operation)
    lhs, rhs = str(operation.attributes["lhs"]), str(operation.attributes["rhs"])
    multiply = scaled_product(operation, lhs, rhs)

    def of_views(left: Any, right: Any, left_scale: Any, right_scale: Any, start: Any) -> torch.Tensor:
        return multiply(left, left_scale, right, right_scale, to_torch(start, registers(c.type)))

    return _product(operation, (a, b, a_scale, b_scale), c, keeps, predicate, rest, of_views)


def _without_tokens(operation: Operation) -> list[Value]:
    return [value for value in operation.operands if not value.type.element.startswith("!")]


def _product(
    operation: Operation,
    inputs: tuple[Value, ...],
    c: Value,
    keeps: Value,
    predicate: Value,
    barriers: list[Value],
    multiply: Callable[..., torch.Tensor],
) -> Step:
    def run(frame: Frame) -> None:
        values = frame.values
        tiles = [_input(frame, value, operation) for value in inputs]
        target: View = values[c.slot]
        start = accumulator(frame, c, values[keeps.slot])
        target.allocation.written(target.kind, *target.span)
        target.write(frame.programs, multiply(*tiles, start))
        _goes_on(frame, operation, [values[value.slot] for value in inputs], target)
        _signal(operation, frame, barriers)

    done = where(predicate, operation.operands, run)

    def with_token(frame: Frame) -> None:
        done(frame)
        for result in operation.results:
            frame.values[result.slot] = 0

    return with_token


def _input(frame: Frame, value: Value, operation: Operation) -> Any:
    """An operand. What earlier products and copies leave in tensor memory needs no wait: they run in order."""
    held = frame.values[value.slot]
    return held.read(frame.programs) if value.type.space == "tensor" else operand(frame, value, operation)


def _goes_on(frame: Frame, operation: Operation, read: list[Any], written: View) -> None:
    """Remember what an operation uses until a commit that follows has been waited for."""
    units = units_of(frame)
    for view in read:
        if isinstance(view, View):
            units.uncommitted.append(issued(frame, "reads", view, operation.location))
    units.uncommitted.append(issued(frame, "writes", written, operation.location))


def _signal(operation: Operation, frame: Frame, rest: list[Value]) -> None:
    """Commit to the barriers among `rest` whose predicates are true."""
    barriers = [value for value in rest if value.type.space]
    predicates = [value for value in rest if not value.type.space]
    for index, barrier in enumerate(barriers):
        kept = frame.values[predicates[index].slot] if index < len(predicates) else True
        taken = to_predicate(kept)
        if taken is True or (not isinstance(taken, bool) and np.asarray(taken.array).all()):
            _commit_to(operation, frame, barrier.slot)
        elif not isinstance(taken, bool) and np.asarray(taken.array).any():
            raise TilescopeError(
                tr(
                    "{location} signals a barrier in some programs only, which Tilescope does not execute in Gluon "
                    "kernels: write it as a branch.",
                    location=operation.location.label,
                )
            )


def _commit_to(operation: Operation, frame: Frame, slot: int) -> None:
    barrier = ready(operation, frame, slot)
    units = units_of(frame)
    open_ = units.uncommitted = [pending for pending in units.uncommitted if not pending.done]
    ticket = barrier.ticket()
    for pending in open_:
        if len(pending.rows) == len(barrier.rows):
            pending.tickets.append(ticket)
    barrier.arrive(1)


@step("ttng.tc_gen5_commit")
def _commit(operation: Operation, _planner: StepPlanner) -> Step:
    barrier, *rest = operation.operands
    predicate = next((value for value in rest if value.type.element == "i1" and not value.type.space), None)
    return where(predicate, operation.operands, lambda frame: _commit_to(operation, frame, barrier.slot))
