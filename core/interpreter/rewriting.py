"""Rewrites every operation of a function, those of nested regions first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from core.interpreter.ir import Block, Function, Operation

Rewrite = Callable[[Operation], Sequence[Operation]]
"""Maps an operation to those that take its place."""


def rewritten(function: Function, rewrite: Rewrite) -> Function:
    """The function with `rewrite` applied to every operation."""
    return replace(function, body=_block(function.body, rewrite))


def _block(block: Block, rewrite: Rewrite) -> Block:
    operations: list[Operation] = []
    for operation in block.operations:
        if operation.regions:
            operation = replace(operation, regions=tuple(_block(region, rewrite) for region in operation.regions))
        operations += rewrite(operation)
    return Block(block.arguments, tuple(operations))
