"""Finds kernels whose programs wait for each other, so that they cannot simply run all at once."""

from __future__ import annotations

from functools import lru_cache

from core.interpreter.ir import Function, Operation


@lru_cache(maxsize=256)
def reads_data(function: Function) -> bool:
    """True if a kernel is executed with its data even where only addresses are asked for.

    That is so if programs wait for values that others write, or if data passes through shared memory.
    """
    uses = any(value.type.space for operation in function.body.walk() for value in operation.operands)
    return uses or waits_for_others(function)


@lru_cache(maxsize=256)
def waits_for_others(function: Function) -> bool:
    """True if a loop may wait for another program."""
    return any(map(is_wait, function.body.walk()))


def is_wait(loop: Operation) -> bool:
    """True for a loop with an atomic or a volatile load."""
    return loop.name == "scf.while" and any(
        operation.name.startswith("tt.atomic_") or operation.attributes.get("isVolatile") is True
        for region in loop.regions
        for operation in region.walk()
    )
