"""The operations of TTIR that proofs model, as functions of an operation and its operands; None where one is not known.

Unsigned division, comparison and extension are modelled where the operands cannot be negative: that is a check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.interpreter.ir import Location, Operation
from core.proofs import terms
from core.proofs.terms import Formula, Poly, Symbol
from core.proofs.values import AXES, NO_CHECKS, Bit, Check, Checks, Int, Place, Value, chosen, moved, reshaped

Model = Callable[[Operation, Sequence[Value]], Value | None]

MODELLED: dict[str, Model] = {}


def line_of(location: Location) -> str:
    """'FILE:LINE' of the innermost line."""
    return f"{location.file}:{location.line}"


def _models(*names: str) -> Callable[[Model], Model]:
    def register(model: Model) -> Model:
        MODELLED.update(dict.fromkeys(names, model))
        return model

    return register


def _fits(value: Poly, operation: Operation, known: Checks, bits: int = 0) -> Int:
    """An integer result, which must fit its type."""
    bits = bits or operation.result.type.bits
    if bits >= 64 or value.constant is not None:
        return Int(value, known)
    return Int(value, known | {Check(value, bits, line_of(operation.location), operation)})


def _checks(operands: Sequence[Value]) -> Checks:
    return NO_CHECKS.union(*(operand.checks for operand in operands))


@_models("arith.constant")
def _constant(operation: Operation, operands: Sequence[Value]) -> Value | None:
    word, type_ = operation.attributes["words"][0], operation.result.type
    if isinstance(word, tuple) or not type_.is_integer:
        return None
    if type_.element == "i1":
        return Bit(terms.TRUE if word else terms.FALSE)
    number = int(word, 16) if isinstance(word, str) else int(word)
    half = 1 << (type_.bits - 1)
    return Int(terms.number((number + half) % (2 * half) - half))


@_models("tt.get_program_id")
def _program_id(operation: Operation, operands: Sequence[Value]) -> Value | None:
    return Int(terms.of(Symbol("program", operation.attributes["words"][0])))


@_models("tt.get_num_programs")
def _num_programs(operation: Operation, operands: Sequence[Value]) -> Value | None:
    return Int(terms.of(grid_size(operation.attributes["words"][0])))


def grid_size(axis: str) -> Symbol:
    """How many programs the grid has along 'x', 'y' or 'z'."""
    return Symbol("size", f"grid.{axis}")


@_models("tt.make_range")
def _make_range(operation: Operation, operands: Sequence[Value]) -> Value | None:
    start, end = operation.attributes["start"], operation.attributes["end"]
    position = terms.of(AXES[0]) if end - start > 1 else terms.ZERO
    return Int(position + terms.number(start))


@_models("tt.splat", "tt.broadcast", "ttg.convert_layout", "arith.index_cast")
def _same(operation: Operation, operands: Sequence[Value]) -> Value | None:
    return operands[0]


@_models("tt.expand_dims")
def _expand_dims(operation: Operation, operands: Sequence[Value]) -> Value | None:
    axis, rank = operation.attributes["axis"], operation.result.type.rank
    return moved(operands[0], tuple(i if i < axis else i + 1 for i in range(rank - 1)))


@_models("tt.trans")
def _trans(operation: Operation, operands: Sequence[Value]) -> Value | None:
    order = tuple(operation.attributes["order"])
    return moved(operands[0], tuple(order.index(axis) for axis in range(len(order))))


@_models("tt.reshape", "tt.unsplat")
def _reshape(operation: Operation, operands: Sequence[Value]) -> Value | None:
    if operation.attributes.get("allow_reorder"):
        return None
    return reshaped(operands[0], operation.operands[0].type, operation.result.type)


@_models("tt.addptr")
def _addptr(operation: Operation, operands: Sequence[Value]) -> Value | None:
    pointer, offset = operands
    if not isinstance(pointer, Place) or not isinstance(offset, Int):
        return None
    return Place(pointer.buffer, pointer.value + offset.value, pointer.checks | offset.checks)


@_models("tt.bitcast")
def _bitcast(operation: Operation, operands: Sequence[Value]) -> Value | None:
    """A pointer to elements of another type but as many bytes, as to those of torch.bool."""
    same = operation.operands[0].type.element_bytes == operation.result.type.element_bytes
    return operands[0] if isinstance(operands[0], Place) and same else None


def _sum_or_product(operation: Operation, operands: Sequence[Value]) -> Value | None:
    a, b = operands
    if not isinstance(a, Int) or not isinstance(b, Int):
        return None
    combine: dict[str, Callable[[Poly, Poly], Poly]] = {
        "arith.addi": Poly.__add__,
        "arith.subi": Poly.__sub__,
        "arith.muli": Poly.__mul__,
    }
    return _fits(combine[operation.name](a.value, b.value), operation, _checks(operands))


_FUNCTIONS = {
    "arith.divsi": "div",
    "arith.remsi": "rem",
    "arith.floordivsi": "floordiv",
    "arith.minsi": "min",
    "arith.maxsi": "max",
}
_UNSIGNED = {"arith.divui": "div", "arith.remui": "rem", "arith.minui": "min", "arith.maxui": "max"}


def _function(operation: Operation, operands: Sequence[Value]) -> Value | None:
    a, b = operands
    if not isinstance(a, Int) or not isinstance(b, Int):
        return None
    checks = _checks(operands)
    if operation.name in _UNSIGNED:
        checks |= _not_negative(operation, a, b)
    name = _FUNCTIONS.get(operation.name) or _UNSIGNED[operation.name]
    return Int(terms.applied(name, a.value, b.value), checks)


def _not_negative(operation: Operation, *operands: Int) -> Checks:
    """Checks that numbers are 0 or more, which is what fits 0 bits."""
    line = line_of(operation.location)
    return frozenset(Check(operand.value, 0, line) for operand in operands if operand.value.constant is None)


for _name in ("arith.addi", "arith.subi", "arith.muli"):
    MODELLED[_name] = _sum_or_product
for _name in (*_FUNCTIONS, *_UNSIGNED):
    MODELLED[_name] = _function


@_models("arith.shli", "arith.shrsi", "arith.shrui")
def _shift(operation: Operation, operands: Sequence[Value]) -> Value | None:
    a, b = operands
    if not isinstance(a, Int) or not isinstance(b, Int) or b.value.constant is None or not 0 <= b.value.constant < 31:
        return None
    power = 1 << b.value.constant
    if operation.name == "arith.shli":
        return _fits(a.value.times(power), operation, _checks(operands))
    checks = _checks(operands) | (_not_negative(operation, a) if operation.name == "arith.shrui" else NO_CHECKS)
    return Int(terms.applied("floordiv", a.value, terms.number(power)), checks)


_COMPARED: dict[str, Callable[[Poly, Poly], Formula]] = {
    "lt": terms.less,
    "le": terms.at_most,
    "gt": lambda a, b: terms.less(b, a),
    "ge": lambda a, b: terms.at_most(b, a),
}


@_models("arith.cmpi")
def _cmpi(operation: Operation, operands: Sequence[Value]) -> Value | None:
    word = operation.attributes["words"][0]
    a, b = operands
    if not isinstance(a, Int) or not isinstance(b, Int):
        return None
    checks = _checks(operands)
    if word in ("eq", "ne"):
        same = terms.equal(a.value, b.value)
        return Bit(same if word == "eq" else terms.negated(same), checks)
    if word[0] == "u":
        checks |= _not_negative(operation, a, b)
    return Bit(_COMPARED[word[1:]](a.value, b.value), checks)


@_models("arith.andi", "arith.ori", "arith.xori")
def _logic(operation: Operation, operands: Sequence[Value]) -> Value | None:
    a, b = operands
    checks = _checks(operands)
    if isinstance(a, Bit) and isinstance(b, Bit):
        if operation.name == "arith.andi":
            return Bit(terms.all_of((a.value, b.value)), checks)
        either = terms.any_of((a.value, b.value))
        if operation.name == "arith.ori":
            return Bit(either, checks)
        return Bit(terms.all_of((either, terms.negated(terms.all_of((a.value, b.value))))), checks)
    if isinstance(a, Int) and isinstance(b, Int) and operation.name == "arith.andi":
        ones = b.value.constant
        if ones is not None and ones >= 0 and (ones + 1) & ones == 0:
            size = terms.number(ones + 1)
            return Int(a.value - terms.applied("floordiv", a.value, size) * size, checks)
    return None


@_models("arith.select")
def _select(operation: Operation, operands: Sequence[Value]) -> Value | None:
    condition, yes, no = operands
    return chosen(condition, yes, no) if isinstance(condition, Bit) else None


@_models("arith.extsi", "arith.extui", "arith.trunci")
def _width(operation: Operation, operands: Sequence[Value]) -> Value | None:
    (a,) = operands
    if isinstance(a, Bit):
        one = 1 if operation.name == "arith.extui" else -1
        return Int(terms.applied("select", a.value, terms.number(one), terms.ZERO), a.checks)
    if not isinstance(a, Int) or operation.result.type.element == "i1":
        return None
    if operation.name == "arith.extui":
        return Int(a.value, a.checks | _not_negative(operation, a))
    return _fits(a.value, operation, a.checks) if operation.name == "arith.trunci" else a
