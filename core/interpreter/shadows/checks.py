"""Which operations are checked, and for what: what can do no harm, or is meant, costs nothing.

A result that wraps may be meant: hashes and random numbers mix bits, and unsigned numbers have no type of their own in
the IR. So the overflow of a number that is no offset is only looked for where nothing speaks for either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from core.interpreter.ir import Function, Operation, Value
from core.interpreter.ops.address_only import ACCESS, CHECKED
from core.interpreter.shadows.flow import Edge, reached
from core.interpreter.shadows.tf32 import in_tf32

ACCESSES = {"tt.load": "load", "tt.store": "store", "tt.atomic_rmw": "atomic", "tt.atomic_cas": "atomic"}

_SUMS = ("arith.addi", "arith.subi", "arith.muli")
_DIVISIONS = ("arith.divsi", "arith.remsi")
_UNSIGNED = {"arith.uitofp", "arith.divui", "arith.remui", "arith.shrui", "arith.maxui", "arith.minui", "arith.extui"}
_UNSIGNED |= {"tt.mulhiui", "arith.fptoui", "arith.mului_extended"}
_MIXING = {"tt.mulhiui", "arith.mulsi_extended", "arith.mului_extended", "arith.shli", "arith.fptoui", "arith.divui"}
_MIXING |= {"arith.remui", "arith.shrui", "tt.elementwise_inline_asm", "tt.extern_elementwise"}

_HASH_MULTIPLIER = 1 << 20
"""Odd constants from here on multiply hashes and random numbers: only an odd factor loses no bits. Units (1,000,000)
are even."""


def access_kind(operation: Operation) -> str | None:
    """'load', 'store' or 'atomic' for an access, as in a full trace or one of addresses only."""
    if operation.name == ACCESS:
        return str(operation.attributes["kind"])
    name = operation.attributes["operation"] if operation.name == CHECKED else operation.name
    return ACCESSES.get(name)


def constants_of(function: Function) -> dict[int, Any]:
    """The values of the function's constants, by slot."""
    found = (operation for operation in function.body.walk() if operation.name == "arith.constant")
    return {operation.result.slot: operation.attributes["words"][0] for operation in found}


class Checks:
    """The checks of one function."""

    def __init__(self, function: Function, edges: Sequence[Edge]) -> None:
        self._operations = list(function.body.walk())
        self._constants = constants_of(function)
        self._edges = edges
        pointers = [op.operands[0] for op in self._operations if access_kind(op) is not None]
        self._leading = self._before(pointers, ("offset",))
        self._meant = self._after(self._unsigned() | self._mixed())
        self._mended = self._with_mended_sign()

    def of(self, operation: Operation) -> tuple[str, ...]:
        """The names of the checks that an operation needs; none if it can do no harm."""
        name, results = operation.name, operation.results
        if len(results) != 1 or results[0].type.bits == 1:
            return ()
        if name == "tt.dot":
            return ("tf32",) if in_tf32(operation) else ()
        if name in _SUMS and results[0].type.bits <= 32:
            if results[0].slot in self._leading:
                return ("overflow",)
            return () if self._may_be_meant(operation) else ("wrap",)
        if name == "arith.trunci":
            return ("overflow",) if results[0].slot in self._leading and results[0].type.bits <= 32 else ()
        if name == "tt.reduce" and _is_sum(operation) and results[0].type.bits <= 32:
            return () if self._may_be_meant(operation) else ("sum",)
        if name in ("arith.divsi", "arith.remsi", "arith.divui", "arith.remui"):
            divisor = () if self._constants.get(operation.operands[1].slot, 0) else ("divisor",)
            signed = name in _DIVISIONS and _slots(operation.operands) not in self._mended
            return (*divisor, "negative") if signed else divisor
        if name in ("arith.shli", "arith.shrsi", "arith.shrui"):
            return () if operation.operands[1].slot in self._constants else ("shift",)
        return ("cast",) if name in ("arith.fptosi", "arith.fptoui") else ()

    def _may_be_meant(self, operation: Operation) -> bool:
        return any(value.slot in self._meant for value in (*operation.operands, *operation.results))

    def _before(self, values: Iterable[Value], stays: Sequence[str]) -> set[int]:
        """The slots that flow into the values, by edges that leave one of `stays`."""
        back = [(b.slot, a.slot) for a, b, kept in self._edges if kept in stays]
        return reached(back, [value.slot for value in values])

    def _after(self, slots: Iterable[int]) -> set[int]:
        """The slots, and the integers that depend on them."""
        ahead = [(a.slot, b.slot) for a, b, _ in self._edges if a.type.is_integer and b.type.is_integer]
        return reached(ahead, slots)

    def _unsigned(self) -> set[int]:
        """What is an operand of an operation on unsigned numbers, or flows there."""
        used = [op.operands for op in self._operations if op.name in _UNSIGNED or _changes_sign(op)]
        wide = [value for operands in used for value in operands if value.type.is_integer and value.type.bits > 1]
        return self._before([value for value in wide if value.slot not in self._constants], ("offset", "wrapped"))

    def _mixed(self) -> set[int]:
        """The results of operations that mix bits."""
        return {value.slot for op in self._operations if self._mixes(op) for value in op.results}

    def _mixes(self, operation: Operation) -> bool:
        """Whether a result is one of bits rather than a number."""
        given = [self._constants.get(value.slot) for value in operation.operands]
        if operation.name == "arith.xori":
            return operation.result.type.bits > 1 and -1 not in given
        if operation.name == "arith.muli":
            return any(isinstance(each, int) and each % 2 and abs(each) >= _HASH_MULTIPLIER for each in given)
        return operation.name in _MIXING or _changes_sign(operation)

    def _with_mended_sign(self) -> set[tuple[int, ...]]:
        """Operands of divisions whose remainder is compared with 0, or gets the divisor added: C's rounding is known
        there, and corrected."""
        divided = {op.result.slot: op.operands for op in self._operations if op.name in _DIVISIONS}
        mended = set()
        for operation in self._operations:
            for place, value in enumerate(operation.operands):
                operands = divided.get(value.slot)
                if operands is None or len(operation.operands) != 2:
                    continue
                other = operation.operands[1 - place]
                is_zero = self._constants.get(other.slot) == 0
                if (operation.name == "arith.cmpi" and is_zero) or (
                    operation.name == "arith.addi" and self._same(other, operands[1])
                ):
                    mended.add(_slots(operands))
        return mended

    def _same(self, a: Value, b: Value) -> bool:
        known = self._constants.get(a.slot)
        return a.slot == b.slot or (known is not None and known == self._constants.get(b.slot))


def _slots(values: Iterable[Value]) -> tuple[int, ...]:
    return tuple(value.slot for value in values)


def _changes_sign(operation: Operation) -> bool:
    """A cast between int32 and uint32, say: what the type was before is not in the IR."""
    if operation.name not in ("tt.bitcast", "arith.bitcast"):
        return False
    return operation.operands[0].type == operation.result.type


def _is_sum(operation: Operation) -> bool:
    """A reduction that adds up integers."""
    (combine,) = operation.regions
    return [each.name for each in combine.operations[:-1]] == ["arith.addi"] and operation.result.type.is_integer
