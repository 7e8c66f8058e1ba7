"""Which values of a function flow into which others, through operations, loops, branches and calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from core.interpreter.ir import Block, Function, Operation, Value

SHAPES = frozenset(
    f"tt.{name}"
    for name in ("splat", "unsplat", "broadcast", "expand_dims", "reshape", "trans", "cat", "join", "split")
) | {"ttg.convert_layout", "gluon.set_auto_layout"}
"""Operations that move elements. They move a shadow as they move its value."""

LINEAR = SHAPES | {"arith.addi", "arith.subi", "arith.muli", "arith.extsi", "arith.extui", "arith.trunci"}
LINEAR |= {"arith.index_cast", "tt.addptr", "arith.select"}
"""Operations after which a wrapped offset is still wrong. Others (bits, remainders) use a number as a hash."""

BITS = {"arith.shli", "arith.shrsi", "arith.shrui", "arith.remsi", "arith.remui", "arith.divui", "arith.uitofp"}
BITS |= {"arith.andi", "arith.ori", "arith.xori", "arith.bitcast", "tt.bitcast", "tt.mulhiui", "tt.ptr_to_int"}
BITS |= {"tt.elementwise_inline_asm", "tt.extern_elementwise"}
"""Operations on the bits of a number, after which nobody can say whether a wrapped one is meant."""

Stays = Literal["offset", "wrapped", "doubt"]
"""What an operation leaves doubtful: all marks, all but those of wrapped offsets, or neither these nor those of other
integers that wrap."""

ELEMENTWISE = ("arith.", "math.", "tt.fp_to_fp", "tt.bitcast", "tt.addptr", "tt.precise_", "tt.clampf", "tt.mulhiui",
               "tt.extern_elementwise", "tt.elementwise_inline_asm", "tt.int_to_ptr", "tt.ptr_to_int")  # fmt: skip
"""Prefixes of operations whose every element depends on the same elements of the operands."""

_OTHERS = SHAPES | {"tt.reduce", "tt.scan", "tt.dot", "tt.load", "tt.gather", "tt.histogram"}

Edge = tuple[Value, Value, Stays]
"""From, to, and what stays doubtful."""


def stays(operation: Operation) -> Stays:
    """What is still doubtful of a result whose operands were."""
    if operation.name in LINEAR:
        return "offset"
    return "doubt" if operation.name in BITS and operation.operands[0].type.bits > 1 else "wrapped"


def is_elementwise(operation: Operation) -> bool:
    return operation.name.startswith(ELEMENTWISE) and operation.name != "arith.constant" and not operation.regions


def moves(operation: Operation) -> bool:
    """Whether a shadow can follow what an operation makes of its operands, or whether it ends there."""
    return not operation.results or operation.name in _OTHERS or is_elementwise(operation)


def reached(edges: Sequence[tuple[int, int]], sources: Iterable[int]) -> set[int]:
    """The slots that the sources flow to, themselves included."""
    following: dict[int, list[int]] = defaultdict(list)
    for source, target in edges:
        following[source].append(target)
    known = set(sources)
    waiting = list(known)
    while waiting:
        for slot in following[waiting.pop()]:
            if slot not in known:
                known.add(slot)
                waiting.append(slot)
    return known


def edges_of(function: Function) -> list[Edge]:
    """All edges."""
    return list(_block(function.body))


def _block(block: Block) -> Iterator[Edge]:
    for operation in block.operations:
        yield from _operation(operation)
        if operation.name in _CONTROL or operation.name == "lanes.blocks":
            for region in operation.regions:
                yield from _block(region)


def _operation(operation: Operation) -> Iterator[Edge]:
    if operation.name in _CONTROL:
        yield from ((a, b, "offset") for a, b in _CONTROL[operation.name](operation))
    elif operation.name == "tt.load":
        yield from ((value, operation.result, "wrapped") for value in operation.operands[2:])
    elif operation.name in _OTHERS or is_elementwise(operation):
        for index, value in enumerate(operation.operands):
            decides = operation.name == "arith.select" and index == 0
            yield from ((value, result, "wrapped" if decides else stays(operation)) for result in operation.results)


def _for(operation: Operation) -> Iterator[tuple[Value, Value]]:
    (body,) = operation.regions
    yield operation.operands[0], body.arguments[0]
    for start, argument, yielded, result in zip(
        operation.operands[3:], body.arguments[1:], body.terminator.operands, operation.results, strict=True
    ):
        yield from ((start, argument), (yielded, argument), (argument, result), (start, result))


def _if(operation: Operation) -> Iterator[tuple[Value, Value]]:
    for region in operation.regions:
        yield from zip(region.terminator.operands, operation.results, strict=False)


def _while(operation: Operation) -> Iterator[tuple[Value, Value]]:
    before, after = operation.regions
    yield from zip(operation.operands, before.arguments, strict=True)
    yield from zip(after.terminator.operands, before.arguments, strict=True)
    for given, argument, result in zip(before.terminator.operands[1:], after.arguments, operation.results, strict=True):
        yield from ((given, argument), (given, result), (argument, result), (result, argument))


def _call(operation: Operation) -> Iterator[tuple[Value, Value]]:
    (callee,) = operation.regions
    yield from zip(operation.operands, callee.arguments, strict=True)
    yield from zip(callee.terminator.operands, operation.results, strict=True)


_CONTROL = {"scf.for": _for, "scf.if": _if, "scf.while": _while, "tt.call": _call}
