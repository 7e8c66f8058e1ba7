"""Finds kernels whose programs must run one after another instead of all at once."""

from __future__ import annotations

from functools import lru_cache

from core.interpreter.ir import Block, Function, Operation, Value

_Roots = dict[int, frozenset[int]]
"""Maps the slot of a pointer to the slots of the arguments that it may come from."""


@lru_cache(maxsize=256)
def runs_serially(function: Function) -> bool:
    """True if a program may wait for another, or if programs may choose between tensors."""
    return waits_for_others(function) or _chooses_tensors(function)


def waits_for_others(function: Function) -> bool:
    """True if a loop may wait for another program, by an atomic or a volatile load."""
    for loop in function.body.walk():
        if loop.name == "scf.while":
            for operation in (op for region in loop.regions for op in region.walk()):
                if operation.name.startswith("tt.atomic_") or operation.attributes.get("isVolatile") is True:
                    return True
    return False


def _chooses_tensors(function: Function) -> bool:
    """True if a branch selects a pointer to one tensor or another. A program that runs alone has only one of them."""
    roots: _Roots = {value.slot: frozenset((value.slot,)) for value in function.arguments if value.type.pointer}
    return _block_chooses(function.body, roots)


def _block_chooses(block: Block, roots: _Roots) -> bool:
    for operation in block.operations:
        pointers = [value for value in operation.operands if value.type.pointer]
        for region in operation.regions:
            for argument, source in zip(
                (v for v in region.arguments if v.type.pointer), pointers, strict=False
            ):  # loops carry pointers, and calls pass them, in order
                roots[argument.slot] = _of(source, roots)
            if _block_chooses(region, roots):
                return True
        if any(value.type.pointer for value in operation.results) and _differs(operation, pointers, roots):
            return True
    return False


def _differs(operation: Operation, pointers: list[Value], roots: _Roots) -> bool:
    """Record where the results point to; True if a branch or a select can change it."""
    results = [value for value in operation.results if value.type.pointer]
    if operation.name == "scf.if":
        yielded = [[v for v in region.terminator.operands if v.type.pointer] for region in operation.regions]
        choices = [list(values) for values in zip(*yielded, strict=True)]
    elif operation.name == "arith.select":
        choices = [pointers]
    else:
        for index, result in enumerate(results):
            roots[result.slot] = _of(pointers[min(index, len(pointers) - 1)], roots) if pointers else frozenset()
        return False
    for result, values in zip(results, choices, strict=True):
        sources = {_of(value, roots) for value in values}
        roots[result.slot] = frozenset().union(*sources)
        if len(roots[result.slot]) > 1:
            return True
    return False


def _of(value: Value, roots: _Roots) -> frozenset[int]:
    return roots.get(value.slot, frozenset())
