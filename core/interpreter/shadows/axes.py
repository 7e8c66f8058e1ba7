"""What Triton's compiler knows of a tile along each axis, as far as promises of the kernel take part in it.

It follows lib/Analysis/AxisInfo.cpp of Triton 3.7, for the operations of index arithmetic. Of any other result nothing
is known, so it never expects more than the compiler does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd, prod

from core.interpreter.ir import Block, Function, Operation, Type, Value

CONTIGUITY, DIVISIBILITY, CONSTANCY = HINTS = ("tt.contiguity", "tt.divisibility", "tt.constancy")

_LARGEST = 1 << 30
_MOST_PASSES = 8
_VECTOR_BYTES = 16
"""The most bytes that one thread loads or stores at once."""

_FEWEST_THREADS = 32
"""Those of one warp: with more of them, each has fewer elements."""

_SAME = ("arith.extsi", "arith.extui", "arith.trunci", "ttg.convert_layout", "tt.bitcast")


@dataclass(frozen=True)
class Axes:
    """By axis; a scalar has one. Every aligned group of `contiguity` elements counts up by one and begins at a multiple
    of `divisibility` (bytes for pointers), and the elements of every aligned group of `constancy` are equal. `constant`
    is the value of all elements, if it is known."""

    contiguity: tuple[int, ...]
    divisibility: tuple[int, ...]
    constancy: tuple[int, ...]
    constant: int | None = None


def tile_hints(operation: Operation) -> dict[str, tuple[int, ...]]:
    """What a kernel promises of a tile, by the name of the attribute."""
    found = {name: operation.attributes[name] for name in HINTS if name in operation.attributes}
    if len(operation.results) != 1 or not operation.result.type.rank:
        return {}
    return {name: value if isinstance(value, tuple) else (value,) for name, value in found.items()}


def vectors(function: Function, accesses: Sequence[Operation]) -> dict[Operation, tuple[int, int]]:
    """The accesses of which promises make the compiler access several elements at once: the axis, and how many."""
    if not any(map(tile_hints, function.body.walk())):
        return {}
    promised, plain = _Analysis(function, trusts=True), _Analysis(function, trusts=False)
    found = {}
    for operation in accesses:
        if operation.operands[0].type.rank:
            axis, size = promised.vector(operation)
            if size > plain.vector(operation)[1]:
                found[operation] = axis, size
    return found


class _Analysis:
    def __init__(self, function: Function, *, trusts: bool) -> None:
        self._trusts = trusts
        self._known: dict[int, Axes] = {}
        divisors = dict(function.divisors)
        for position, value in enumerate(function.arguments):
            self._known[value.slot] = replace(_nothing(value.type), divisibility=(divisors.get(position, 1),))
        self._block(function.body)

    def vector(self, operation: Operation) -> tuple[int, int]:
        """The axis along which elements are accessed together, and how many at most."""
        pointer = operation.operands[0]
        axes, width = self._of(pointer), pointer.type.element_bytes
        axis = max(range(pointer.type.rank), key=lambda axis: (axes.contiguity[axis], axis))
        multiple = max(axes.divisibility[axis] // width, 1)
        of_thread = max(prod(pointer.type.dims) // _FEWEST_THREADS, 1)
        size = min(multiple, axes.contiguity[axis], pointer.type.dims[axis], max(_VECTOR_BYTES // width, 1), of_thread)
        mask = next((each for each in operation.operands[1:] if each.type.element == "i1"), None)
        if mask is not None and mask.type.rank == pointer.type.rank:
            size = min(size, self._of(mask).constancy[axis])
        return axis, size

    def _of(self, value: Value) -> Axes:
        return self._known.get(value.slot) or _nothing(value.type)

    def _block(self, block: Block) -> list[Axes]:
        for operation in block.operations[:-1]:
            self._operation(operation)
        return [self._of(value) for value in block.terminator.operands]

    def _operation(self, operation: Operation) -> None:
        if operation.name == "scf.for":
            self._for(operation)
        elif operation.name == "scf.if":
            given = [self._block(region) for region in operation.regions]
            for value, *each in zip(operation.results, *given, strict=False):
                self._known[value.slot] = _joined(each)
        elif operation.name == "tt.call":
            (body,) = operation.regions
            for value, operand in zip(body.arguments, operation.operands, strict=True):
                self._known[value.slot] = self._of(operand)
            for value, axes in zip(operation.results, self._block(body), strict=True):
                self._known[value.slot] = axes
        elif operation.name == "scf.while":
            for region in operation.regions:
                self._block(region)
        elif len(operation.results) == 1:
            self._known[operation.result.slot] = self._with_hints(operation, self._result(operation))

    def _for(self, operation: Operation) -> None:
        (body,) = operation.regions
        low, step = (self._of(operation.operands[index]) for index in (0, 2))
        counted = gcd(low.divisibility[0], step.divisibility[0])
        self._known[body.arguments[0].slot] = Axes((1,), (counted,), (1,))
        carried = [self._of(value) for value in operation.operands[3:]]
        for number in range(_MOST_PASSES):
            last = number == _MOST_PASSES - 1
            for value, axes in zip(body.arguments[1:], carried, strict=True):
                self._known[value.slot] = _nothing(value.type) if last else axes
            yielded = self._block(body)
            joined = [_joined(pair) for pair in zip(carried, yielded, strict=True)]
            if joined == carried:
                break
            carried = joined
        for value, argument in zip(operation.results, body.arguments[1:], strict=True):
            self._known[value.slot] = self._of(argument)

    def _with_hints(self, operation: Operation, axes: Axes) -> Axes:
        hints = tile_hints(operation) if self._trusts else {}
        if not operation.result.type.rank and isinstance(operation.attributes.get(DIVISIBILITY), int):
            hints = {DIVISIBILITY: (operation.attributes[DIVISIBILITY],)}  # of a number: checked where it is made
        return Axes(
            hints.get(CONTIGUITY, axes.contiguity),
            hints.get(DIVISIBILITY, axes.divisibility),
            hints.get(CONSTANCY, axes.constancy),
            axes.constant,
        )

    def _result(self, operation: Operation) -> Axes:
        name, type_ = operation.name, operation.result.type
        given = [self._of(value) for value in operation.operands]
        if name == "arith.constant":
            return _constant(operation)
        if name == "tt.make_range":
            start, end = operation.attributes["start"], operation.attributes["end"]
            return Axes((end - start,), (_power(start),), (1,))
        if name in _SAME:
            return given[0]
        if name == "tt.splat":
            rank = type_.rank
            return Axes((1,) * rank, given[0].divisibility[:1] * rank, type_.dims, given[0].constant)
        if name == "tt.expand_dims":
            return _expanded(operation.attributes["axis"], given[0])
        if name == "tt.broadcast":
            source = operation.operands[0].type.dims
            constancy = (new if old == 1 else each for old, new, each in
                         zip(source, type_.dims, given[0].constancy, strict=True))  # fmt: skip
            return replace(given[0], constancy=tuple(constancy))
        if name in ("arith.addi", "arith.subi", "tt.addptr"):
            return _sum(name, type_, *given)
        if name == "arith.muli":
            return _product(*given)
        if name in ("arith.remsi", "arith.remui"):
            return _remainder(type_, *given)
        if name == "arith.cmpi":
            return _compared(operation.attributes["words"][0], type_, *given)
        if name == "arith.andi":
            return replace(_nothing(type_), constancy=tuple(map(gcd, given[0].constancy, given[1].constancy)))
        if name == "arith.select" and operation.operands[0].type.rank:
            return _selected(*given)
        return _nothing(type_)


def _nothing(type_: Type) -> Axes:
    ones = (1,) * max(type_.rank, 1)
    return Axes(ones, ones, ones)


def _power(number: int) -> int:
    """The largest power of two that divides a number."""
    return number & -number if number else _LARGEST


def _joined(given: Sequence[Axes]) -> Axes:
    first, *rest = given
    for each in rest:
        constant = first.constant if first.constant == each.constant else None
        first = Axes(
            tuple(map(gcd, first.contiguity, each.contiguity)),
            tuple(map(gcd, first.divisibility, each.divisibility)),
            tuple(map(gcd, first.constancy, each.constancy)),
            constant,
        )
    return first


def _constant(operation: Operation) -> Axes:
    word, type_ = operation.attributes["words"][0], operation.result.type
    if not type_.is_integer or isinstance(word, tuple | str):
        return _nothing(type_)
    rank = max(type_.rank, 1)
    return Axes((1,) * rank, (_power(int(word)),) * rank, type_.dims or (1,), int(word))


def _expanded(axis: int, given: Axes) -> Axes:
    new = _power(given.constant) if given.constant is not None else 0
    for contiguity, divisibility in zip(given.contiguity, given.divisibility, strict=True):
        new = gcd(new, 1 if contiguity > 1 else divisibility)

    def inserted(values: tuple[int, ...], value: int) -> tuple[int, ...]:
        return (*values[:axis], value, *values[axis:])

    return Axes(
        inserted(given.contiguity, 1), inserted(given.divisibility, new), inserted(given.constancy, 1), given.constant
    )


def _sum(name: str, type_: Type, left: Axes, right: Axes) -> Axes:
    width = type_.element_bytes if name == "tt.addptr" else 1
    contiguity = map(gcd, left.contiguity, right.constancy)
    if name != "arith.subi":
        contiguity = map(max, contiguity, map(gcd, left.constancy, right.contiguity))
    divisibility = (gcd(a, b * width) for a, b in zip(left.divisibility, right.divisibility, strict=True))
    return Axes(tuple(contiguity), tuple(divisibility), tuple(map(gcd, left.constancy, right.constancy)))


def _product(left: Axes, right: Axes) -> Axes:
    if 1 in (left.constant, right.constant):
        return right if left.constant == 1 else left
    divisibility = (
        min((1 if a > 1 else x) * (1 if b > 1 else y), _LARGEST)
        for a, x, b, y in zip(left.contiguity, left.divisibility, right.contiguity, right.divisibility, strict=True)
    )
    constancy = tuple(map(gcd, left.constancy, right.constancy))
    return Axes((1,) * len(constancy), tuple(divisibility), constancy)


def _remainder(type_: Type, left: Axes, right: Axes) -> Axes:
    divisibility = tuple(map(gcd, left.divisibility, right.divisibility))
    contiguity = (
        gcd(count, divisor) if type_.rank and count == size and same == size else 1
        for count, divisor, size, same in zip(
            left.contiguity, divisibility, type_.dims or (1,), right.constancy, strict=True
        )
    )
    return Axes(tuple(contiguity), divisibility, tuple(map(gcd, left.constancy, right.constancy)))


def _compared(word: str, type_: Type, left: Axes, right: Axes) -> Axes:
    if not type_.rank:
        return _nothing(type_)
    constancy = []
    for axis, size in enumerate(type_.dims):
        shared = gcd(left.divisibility[axis], right.divisibility[axis])
        same = gcd(left.constancy[axis], right.constancy[axis])
        if word[1:] in ("gt", "le") and left.constancy[axis] == size:
            same = max(same, gcd(right.contiguity[axis], shared))
        elif word[1:] in ("lt", "ge") and right.constancy[axis] == size:
            same = max(same, gcd(left.contiguity[axis], shared))
        constancy.append(same)
    return replace(_nothing(type_), constancy=tuple(constancy))


def _selected(condition: Axes, yes: Axes, no: Axes) -> Axes:
    """Elements of one or the other: groups stay whole where the condition is the same."""

    def both(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(min(gcd(x, each), gcd(y, each)) for x, y, each in zip(a, b, condition.constancy, strict=True))

    contiguity = both(yes.contiguity, no.contiguity)
    divisibility = (
        gcd(a, b) if each in (x, y) and x == y else min(gcd(a, each), gcd(b, each))
        for a, b, x, y, each in zip(
            yes.divisibility, no.divisibility, yes.contiguity, no.contiguity, contiguity, strict=True
        )
    )
    return Axes(contiguity, tuple(divisibility), both(yes.constancy, no.constancy))
