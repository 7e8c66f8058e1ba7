"""Decides about one kernel: proved, a counterexample, not decidable because of a line, or stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, Value, listed, sentences, tr
from core.interpreter.ir import Function
from core.proofs.addressing import addressing
from core.proofs.doubts import Doubt, is_told, unknowns, value_of
from core.proofs.evaluate import Reached, reached, used_sizes
from core.proofs.examples import Example, Examples
from core.proofs.family import Candidates, Seen, TensorSeen, candidates
from core.proofs.queries import Family
from core.proofs.record import Proof, Verdict
from core.proofs.search import Search
from core.proofs.solving import Clock, Solver, TooHard
from core.proofs.values import Place
from core.proofs.wording import assumptions, doubted, written
from core.sanitizer import findings, kinds
from core.trace.record import Launch

SECONDS = 4.0
"""How long one kernel may take, without the execution of a counterexample."""

_OF_QUESTION = 0.125
"""The part of the time that one question may take."""

Execute = Callable[[Sequence[Any], tuple[int, int, int]], Launch | None]
"""Executes the kernel: integers and `TensorSeen` by position, and a grid. None if that is too large."""


def prove(
    function: Function, place: tuple[str, int], seen: Sequence[Seen], execute: Execute, seconds: float = SECONDS
) -> Proof:
    """What holds for all launches of a kernel that are like those `seen`. `place` is its file and first line."""
    import z3  # noqa: F401  # loading it is no part of the time

    clock = Clock(seconds)
    try:
        accesses = reached(addressing(function), candidates(seen).arguments, clock)
        found = candidates(seen, used_sizes(accesses))
        return _Decision(function, place, found, accesses, Solver(clock, seconds * _OF_QUESTION), execute).proof()
    except (TooHard, RecursionError):  # formulas that are nested deeply
        return _stopped(function, place, clock)


def _stopped(function: Function, place: tuple[str, int], clock: Clock) -> Proof:
    sentence = tr(
        "{kernel}: stopped after {seconds:.1f} s, without a proof or a counterexample.",
        kernel=function.name,
        seconds=clock.spent,
    )
    return Proof(function.name, *place, "stopped", sentence, clock.spent)


class _Decision:
    def __init__(
        self,
        function: Function,
        place: tuple[str, int],
        found: Candidates,
        accesses: Sequence[Reached],
        solver: Solver,
        execute: Execute,
    ) -> None:
        self._function = function
        self._place = place
        self._found = found
        self._solver = solver
        self._execute = execute
        self._lost = next((access for access in accesses if self._is_lost(access)), None)
        self._examples = Examples(found, solver)
        self._search = Search(found, [access for access in accesses if not self._is_lost(access)], solver)

    def proof(self) -> Proof:
        family, doubts = self._search.proved(by_coordinate=True)
        for is_last in (False, True):
            if family is not None and self._lost is None:
                return self._proved(family)
            known = next((doubt for doubt in doubts if not unknowns(doubt)), None)
            example = None if known is None else self._examples.example(known)
            if known is not None and example is not None:
                return self._counterexample(known, example)
            if family is None and not is_last:
                family, doubts = self._search.proved(by_coordinate=False)
        if self._lost is not None:
            line = self._lost.place.line if not isinstance(self._lost.place, Place) else self._lost.line
            return self._undecided(
                line, tr("an address there, or one that depends on it, has a form that is not modelled")
            )
        unknown = next((atom for doubt in doubts for atom in unknowns(doubt)), None)
        if unknown is not None:
            return self._undecided(unknown.line, tr("an address or a mask depends on a value that is computed there"))
        if self._solver.clock.is_over or known is None:
            return self._stopped()
        return self._undecided(known.access.line, tr("neither a proof nor a counterexample was found for it"))

    def _stopped(self) -> Proof:
        return _stopped(self._function, self._place, self._solver.clock)

    def _is_lost(self, access: Reached) -> bool:
        if not isinstance(access.place, Place):
            return True
        index = access.place.buffer
        tensor, pointer = self._found.seen[0].arguments[index], self._function.arguments[index].type
        same = isinstance(tensor, TensorSeen) and tensor.element_bytes == pointer.element_bytes
        return not same or not self._found.layouts[index]

    def _proved(self, family: Family) -> Proof:
        details: dict[str, Value] = {
            "kernel": self._function.name,
            "assumptions": assumptions(self._function, self._found, family),
        }
        locks = [line.rpartition(":")[2] for line in self._search.locks]
        if locks:
            sentence = tr(
                "{kernel} stays in bounds, computes no index that wraps, and two programs store to the same element "
                "only in turns, under the lock that line {line} takes, for {assumptions}.",
                line=listed(locks),
                **details,
            )
        else:
            sentence = tr(
                "{kernel} stays in bounds, computes no index that wraps, and no two programs store to the same "
                "element, for {assumptions}.",
                **details,
            )
        return self._answer("proved", sentence)

    def _counterexample(self, doubt: Doubt, example: Example) -> Proof:
        assert isinstance(doubt.access.place, Place)
        buffer = doubt.access.place.buffer
        tensor = self._function.arguments[buffer].name
        if doubt.kind == kinds.OUT_OF_BOUNDS and not is_told(doubt.family, buffer, self._found):
            reason = tr("neither an argument nor the grid tells how large {tensor} is", tensor=tensor)
            return self._undecided(doubt.access.line, reason)
        for other in self._examples.others(doubt):
            if not self._examples.exists(other, example.sizes):
                if self._solver.clock.is_over:
                    return self._stopped()  # nothing is known of the other assumptions
                reason = tr(
                    "the launches fit several assumptions, and only some have a counterexample there: launch it with "
                    "sizes that all differ"
                )
                return self._undecided(doubt.access.line, reason)
        sizes = {symbol.name: value for symbol, value in example.sizes.items() if not symbol.name.startswith("grid.")}
        confirmed = self._confirmed(doubt, example)
        if confirmed is False:
            return self._undecided(doubt.access.line, tr("a possible counterexample did not show when it was executed"))
        details: dict[str, Value] = {
            "kernel": self._function.name,
            "what": doubted(doubt),
            "sizes": written(sizes),
            "assumptions": assumptions(self._function, self._found, doubt.family),
        }
        if example.is_smallest:
            sentence = tr(
                "{kernel} {what} if {sizes}, the smallest sizes that do. Considered: {assumptions}.", **details
            )
        else:
            sentence = tr("{kernel} {what} if {sizes}. Considered: {assumptions}.", **details)
        if confirmed:
            after = tr("It was executed with these sizes, and the fault occurred.")
        else:
            after = tr("It was not executed to its end: these sizes are too large here.")
        line = doubt.access.line if doubt.check is None else doubt.check.line
        return self._answer(
            "counterexample",
            sentences(sentence, after),
            line,
            kind=doubt.kind,
            tensor=tensor,
            sizes=sizes,
            confirmed=confirmed,
        )

    def _confirmed(self, doubt: Doubt, example: Example) -> bool | None:
        """Whether executing the kernel with the sizes shows the fault; None if it is too large for that."""
        arguments: list[Any] = []
        for index, (argument, number) in enumerate(
            zip(self._found.seen[0].arguments, self._found.arguments, strict=True)
        ):
            layout = doubt.family.layouts.get(index)
            if isinstance(argument, TensorSeen) and layout is not None:
                shape = tuple(value_of(dim, example.sizes) for dim in layout.dims)
                strides = tuple(value_of(stride, example.sizes) for stride in layout.strides)
                arguments.append(TensorSeen(argument.name, shape, strides, argument.element_bytes))
            else:
                arguments.append(argument if number is None else value_of(number, example.sizes))
        x, y, z = (value_of(side, example.sizes) for side in doubt.family.grid)
        try:
            launch = self._execute(arguments, (x, y, z))
        except TilescopeError:
            return None
        if launch is None:
            return None
        lines = {doubt.access.line, doubt.other.line if doubt.other is not None else doubt.access.line}
        return any(fault.kind == doubt.kind and f"{fault.file}:{fault.line}" in lines for fault in findings(launch))

    def _undecided(self, line: str, reason: Text) -> Proof:
        file, _, number = line.rpartition(":")
        sentence = tr(
            "{kernel}: not decidable here, because of line {line}: {reason}.",
            kernel=self._function.name,
            line=number,
            reason=reason,
        )
        return self._answer("undecided", sentence, f"{file}:{number}")

    def _answer(self, verdict: Verdict, sentence: Text, line: str = "", **more: Any) -> Proof:
        file, _, number = line.rpartition(":")
        where = (file, int(number)) if file else self._place
        return Proof(self._function.name, *where, verdict, sentence, self._solver.clock.spent, **more)
