"""Evaluates a kernel once, for one program with symbolic coordinates: what it reaches, and under which conditions.

Loaded values, and results of operations that are not modelled, are unknown numbers that remember their line. They
may have any value, so what is shown with them holds. 64-bit arithmetic is taken as exact; what wraps in fewer bits is
kept as a `Check` of the addresses and masks that depend on it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.interpreter.ir import Block, Function, Location, Operation
from core.interpreter.ir import Value as Slot
from core.proofs import terms
from core.proofs.locks import Lock, taken
from core.proofs.loops import Growth, growths
from core.proofs.modelled import MODELLED, line_of
from core.proofs.solving import Clock
from core.proofs.terms import TRUE, Formula, Poly, Symbol
from core.proofs.values import NO_CHECKS, Bit, Check, Checks, Int, Nowhere, Place, Value, chosen
from core.trace.record import AccessKind

_ACCESSES: dict[str, tuple[AccessKind, int]] = {
    "tt.load": ("load", 1),
    "tt.store": ("store", 2),
    "tt.atomic_rmw": ("atomic", 2),
    "tt.atomic_cas": ("atomic", 9),
}
"""Operations that reach memory, and which operand is their mask."""


@dataclass(frozen=True)
class Reached:
    """A load, store or atomic of one element. `place` is Nowhere if the pointer is unknown.

    `when` is under which conditions the element is reached. `relies_on` are numbers that must not wrap, each group
    under a condition that relies on earlier groups only. `shape` is the tile. `held` are the locks that the program
    has taken.
    """

    kind: AccessKind
    place: Place | Nowhere
    when: Formula
    relies_on: tuple[tuple[Formula, Checks], ...]
    shape: tuple[int, ...]
    location: Location
    held: tuple[Lock, ...] = ()

    @property
    def line(self) -> str:
        return line_of(self.location)


def reached(function: Function, arguments: Sequence[Poly | None], clock: Clock | None = None) -> tuple[Reached, ...]:
    """Every access of a kernel. `arguments` are numbers by position; None for pointers and for what is no integer.

    Formulas may be too large to write down or nested too deeply: `addressing` makes a function without these. Raises
    TooHard when the time of `clock` is over.
    """
    evaluation = _Evaluation(clock)
    for index, (slot, argument) in enumerate(zip(function.arguments, arguments, strict=True)):
        if slot.type.pointer:
            evaluation.values[slot.slot] = Place(index, terms.ZERO)
        elif argument is not None:
            one_bit = slot.type.element == "i1"
            known = Bit(terms.negated(terms.equal(argument, terms.ZERO))) if one_bit else Int(argument)
            evaluation.values[slot.slot] = known
        else:
            evaluation.values[slot.slot] = Nowhere(line_of(function.location))
    evaluation.block(function.body)
    return tuple(evaluation.reached)


def used_sizes(accesses: Iterable[Reached]) -> dict[int, frozenset[str]]:
    """By tensor, the names of the sizes that its addresses are computed with."""
    found: dict[int, frozenset[str]] = {}
    for access in accesses:
        if isinstance(access.place, Place):
            atoms = access.place.value.atoms()
            names = frozenset(atom.name for atom in atoms if isinstance(atom, Symbol) and atom.kind == "size")
            found[access.place.buffer] = found.get(access.place.buffer, frozenset()) | names
    return found


class _Evaluation:
    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self.values: dict[int, Value] = {}
        self.reached: list[Reached] = []
        self._path: list[Formula] = []
        self._relies_on: list[tuple[Formula, Checks]] = []
        self._numbers = itertools.count(1)
        self._is_rehearsal = False
        self._held: tuple[Lock, ...] = ()

    def block(self, block: Block) -> list[Value]:
        """Evaluates a block; returns the operands of its terminator."""
        for operation in block.operations[:-1]:
            self._operation(operation)
        return [self.values[slot.slot] for slot in block.terminator.operands]

    def _unknown(self, slot: Slot, location: Location) -> Value:
        line = line_of(location)
        if slot.type.pointer or slot.type.space or not slot.type.is_integer:
            return Nowhere(line)
        symbol = terms.of(Symbol("unknown", slot.name, next(self._numbers), line))
        return Bit(Formula("unknown", (symbol,))) if slot.type.element == "i1" else Int(symbol)

    def _operation(self, operation: Operation) -> None:
        if self._clock is not None:
            self._clock.require_time()
        if operation.name in _ACCESSES:
            self._access(operation)
        if operation.name == "scf.for":
            self._for(operation)
        elif operation.name == "scf.if":
            self._if(operation)
        elif operation.name == "scf.while":
            self._while(operation)
        elif operation.name == "tt.call":
            self._call(operation)
        else:
            self._results(operation)

    def _results(self, operation: Operation) -> None:
        model = MODELLED.get(operation.name)
        operands = [self.values[slot.slot] for slot in operation.operands]
        if model is not None and len(operation.results) == 1 and not any(isinstance(v, Nowhere) for v in operands):
            result = model(operation, operands)
            if result is not None:
                self.values[operation.result.slot] = result
                return
        known = next((value for value in operands if isinstance(value, Nowhere)), None)
        for slot in operation.results:
            unknown = self._unknown(slot, operation.location)
            keeps = isinstance(unknown, Nowhere) and slot.type.pointer and known is not None
            self.values[slot.slot] = known if keeps and known is not None else unknown
        if any(_ACCESSES.keys() & {inner.name} for region in operation.regions for inner in region.walk()):
            self._lost(operation)
        if operation.name.startswith(("tt.descriptor_", "ttg.async_copy", "ttng.")):
            self._lost(operation)

    def _lost(self, operation: Operation) -> None:
        """An access of an operation that is not modelled."""
        if not self._is_rehearsal:
            line = line_of(operation.location)
            self.reached.append(Reached("store", Nowhere(line), TRUE, (), (), operation.location))

    def _access(self, operation: Operation) -> None:
        if self._is_rehearsal:
            return
        kind, mask_index = _ACCESSES[operation.name]
        place = self.values[operation.operands[0].slot]
        when, relies_on = list(self._path), list(self._relies_on)
        if mask_index < len(operation.operands):
            mask = self.values[operation.operands[mask_index].slot]
            if isinstance(mask, Bit):
                relies_on.append((terms.all_of(when), mask.checks))
                when.append(mask.value)
        if not isinstance(place, Place):
            place = Nowhere(place.line if isinstance(place, Nowhere) else line_of(operation.location))
        relies_on.append((terms.all_of(when), place.checks))
        shape, needed = operation.operands[0].type.dims, tuple((under, each) for under, each in relies_on if each)
        self._held = tuple(lock for lock in self._held if kind == "load" or lock.place != place)
        self.reached.append(Reached(kind, place, terms.all_of(when), needed, shape, operation.location, self._held))

    def _call(self, operation: Operation) -> None:
        (body,) = operation.regions
        for slot, operand in zip(body.arguments, operation.operands, strict=True):
            self.values[slot.slot] = self.values[operand.slot]
        for slot, value in zip(operation.results, self.block(body), strict=True):
            self.values[slot.slot] = value

    def _if(self, operation: Operation) -> None:
        condition = self.values[operation.operands[0].slot]
        assert isinstance(condition, Bit)
        branches: list[list[Value]] = []
        for region, when in zip(operation.regions, (condition.value, terms.negated(condition.value)), strict=False):
            branches.append(self._under(when, condition.checks, region))
        for index, slot in enumerate(operation.results):
            yes, no = (branch[index] for branch in branches)
            self.values[slot.slot] = chosen(condition, yes, no) or self._unknown(slot, operation.location)

    def _under(self, when: Formula, checks: Checks, block: Block) -> list[Value]:
        self._relies_on.append((terms.all_of(self._path), checks))
        self._path.append(when)
        held = self._held
        results = self.block(block)
        self._held = tuple(lock for lock in held if lock in self._held)
        self._path.pop()
        self._relies_on.pop()
        return results

    def _while(self, operation: Operation) -> None:
        before, after = operation.regions
        for slot in before.arguments:
            self.values[slot.slot] = self._unknown(slot, operation.location)
        going, *_ = self.block(before)
        for slot, operand in zip(after.arguments, before.terminator.operands[1:], strict=True):
            self.values[slot.slot] = self.values[operand.slot]
        assert isinstance(going, Bit)
        self._under(going.value, going.checks, after)
        for slot in operation.results:
            self.values[slot.slot] = self._unknown(slot, operation.location)
        lock = taken(operation, self.values)
        if lock is not None:
            self._held = (*self._held, lock)

    def _for(self, operation: Operation) -> None:
        """The counter is `low + step * count`; what grows by the same each time is its first value plus a multiple."""
        (body,) = operation.regions
        low, high, stride = (self.values[slot.slot] for slot in operation.operands[:3])
        initial = [self.values[slot.slot] for slot in operation.operands[3:]]
        assert isinstance(low, Int)
        assert isinstance(high, Int)
        assert isinstance(stride, Int)
        first = next(self._numbers)
        count = terms.of(Symbol("step", "count", first, line_of(operation.location)))
        facts = [terms.at_most(terms.ZERO, count)]
        if stride.value.constant is not None:
            counter = low.value + count.times(stride.value.constant)
        else:
            counter = terms.of(Symbol("step", body.arguments[0].name, next(self._numbers), line_of(operation.location)))
            facts += [terms.at_most(low.value, counter), terms.equal(counter - low.value, stride.value * count)]
            facts.append(terms.less(terms.ZERO, stride.value))
        facts.append(terms.less(counter, high.value))
        checks = low.checks | high.checks | stride.checks
        self.values[body.arguments[0].slot] = Int(counter, low.checks | stride.checks)
        growth = self._growth(operation, initial, first)
        for slot, value, step in zip(body.arguments[1:], initial, growth, strict=True):
            self.values[slot.slot] = self._grown(slot, value, step, count, operation)
        self._under(terms.all_of(facts), checks, body)
        span = high.value - low.value
        trips = terms.applied("max", terms.ZERO, _ceiling(span, stride.value))
        for slot, value, step in zip(operation.results, initial, growth, strict=True):
            self.values[slot.slot] = self._grown(slot, value, step, trips, operation, checks)

    def _growth(self, operation: Operation, initial: Sequence[Value], first: int) -> list[Growth | None]:
        (body,) = operation.regions
        marks = [Symbol("step", slot.name, next(self._numbers)) for slot in body.arguments[1:]]
        for slot, value, mark in zip(body.arguments[1:], initial, marks, strict=True):
            if isinstance(value, Place):
                self.values[slot.slot] = Place(value.buffer, terms.of(mark))
            else:
                integer = isinstance(value, Int)
                self.values[slot.slot] = Int(terms.of(mark)) if integer else self._unknown(slot, operation.location)
        outer, self._is_rehearsal = self._is_rehearsal, True
        yielded = self.block(body)
        self._is_rehearsal = outer
        return growths(initial, marks, yielded, first)

    def _grown(
        self,
        slot: Slot,
        value: Value,
        growth: Growth | None,
        times: Poly,
        operation: Operation,
        checks: Checks = NO_CHECKS,
    ) -> Value:
        if growth is None or not isinstance(value, Int | Place):
            return self._unknown(slot, operation.location)
        now, checks = value.value + growth.step * times, value.checks | checks | growth.relied_on(times)
        if isinstance(value, Place):
            return Place(value.buffer, now, checks)
        fits = slot.type.bits >= 64
        return Int(now, checks if fits else checks | {Check(now, slot.type.bits, line_of(operation.location))})


def _ceiling(span: Poly, step: Poly) -> Poly:
    return terms.applied("floordiv", span + step - terms.number(1), step)
