"""Loops that make no progress: what they wait for, who could have ended that, and the finding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import cast

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, Value, sentences, tr, tr_plural, verbatim
from core.interpreter.condition import Relation
from core.interpreter.counting import Counter
from core.interpreter.frame import Frame, Run
from core.interpreter.ir import Location, Operation
from core.interpreter.ir import Value as Operand
from core.interpreter.waiting import Question, Waiting, number, written
from core.sanitizer import kinds
from core.trace.record import Fault, coordinates

_LONGEST_CHAIN = 3
"""Programs that wait for each other, of which a sentence tells."""


_LET_IT_END = tr("Change what the loop asks for in every iteration, so that it ends.")


class NoProgress(TilescopeError):
    """A launch that would never end, and was stopped. Its finding is among the faults, if these are recorded."""


def stopped(run: Run, fault: Fault) -> NoProgress:
    """Report the fault. Returns what ends the launch; raises it where faults are not recorded."""
    run.diagnostics.fault(fault)
    return NoProgress(tr("{kernel} was stopped, because it would never end.", kernel=run.function))


_SYMBOLS: dict[Relation, str] = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def waits_forever(waiting: Sequence[Waiting]) -> Fault:
    """The finding for programs that wait, when no other one goes on. The first of them is told of."""
    first = waiting[0]
    run, question = first.frame.run, first.question
    by_program = {each.program: each for each in waiting}
    location = first.loop.location
    chain = list(_chain(first, by_program))
    writer = _writer(first)
    if question is None:
        told = tr(
            "{location} waits forever in program {program}: no program that runs changes what it waits for.",
            location=location.label,
            program=first.name,
        )
    else:
        told = tr(
            "{location} waits forever in program {program} until {condition}: it is {value}, and no program that runs "
            "changes it.",
            location=location.label,
            program=first.name,
            condition=question.condition,
            value=written(question.value),
        )
    return Fault(
        kind=kinds.NO_PROGRESS,
        access=None if question is None else "load" if question.asked.read.name == "tt.load" else "atomic",
        buffer=-1 if question is None else question.buffer,
        file=location.file,
        line=location.line,
        program=first.program,
        index=-1 if question is None else question.index,
        count=len(waiting),
        sentence=sentences(told, *chain, _how_many(run, len(waiting))),
        iteration=first.frame.iteration,
        value="" if question is None else written(question.value),
        repair=_repair(run, waiting, question, in_a_circle=len(chain) > 1),
        other_program=None if writer is None else writer[0],
        other_file="" if writer is None else writer[1].file,
        other_line=0 if writer is None else writer[1].line,
    )


def _writer(waiting: Waiting) -> tuple[int, Location] | None:
    changes, question = waiting.frame.run.changes, waiting.question
    return None if changes is None or question is None else changes.last(question.address)


def _chain(first: Waiting, waiting: dict[int, Waiting]) -> Iterator[Text]:
    """Who changed what a program waits for, and what that program waits for itself."""
    here = first
    told = {first.program}
    for _ in range(_LONGEST_CHAIN):
        changes, writer = here.frame.run.changes, _writer(here)
        if here.question is None or changes is None:
            return
        if writer is None:
            if changes.is_complete:
                yield tr("No program has changed it.")
            return
        program, location = writer
        details: dict[str, Value] = {"program": coordinates(here.frame.run.grid, program), "location": location.label}
        there = waiting.get(program)
        if program == here.program and here is not first:
            return
        if program == here.program:
            yield tr("The program itself changed it last, at {location}.", location=location.label)
            return
        if there is None:
            yield tr("Program {program} changed it last, at {location}, and has ended.", **details)
            return
        asks = there.question
        if asks is None:
            yield tr("Program {program} changed it last, at {location}, and waits itself.", **details)
            return
        yield tr(
            "Program {program} changed it last, at {location}, and waits itself: at {other} until {condition}.",
            other=there.loop.location.label,
            condition=asks.condition,
            **details,
        )
        if program in told:
            return
        told.add(program)
        here = there


def _how_many(run: Run, count: int) -> Text:
    x, y, z = run.grid
    programs = x * y * z
    if programs == 1:
        return EMPTY
    if count == programs:
        return tr("All {count:,} programs wait.", count=count)
    return tr_plural(
        "{count:,} of {programs:,} programs waits.",
        "{count:,} of {programs:,} programs wait.",
        count=count,
        programs=programs,
    )


def _repair(run: Run, waiting: Sequence[Waiting], question: Question | None, *, in_a_circle: bool) -> Text:
    x, y, z = run.grid
    programs = x * y * z
    if question is not None and question.relation in ("eq", "ge") and question.value == programs < question.bound:
        return tr(
            "Wait for as many as there are programs: {programs:,}, not {bound:,}.",
            programs=programs,
            bound=int(question.bound),
        )
    if in_a_circle and question is not None and question.asked.read.name != "tt.load":
        return tr("Take locks in the same order in every program.")
    return tr("Release the lock, or set the flag, before the programs that wait for it need it.")


def never_ends(waiting: Waiting, iteration: int, earlier: int) -> Fault:
    """The finding for a loop whose iteration begins as an earlier one, and decides by nothing that changes."""
    location = waiting.loop.location
    told = tr(
        "{location} never ends in program {program} of {kernel}: its iteration {iteration:,} begins with the values of "
        "iteration {earlier:,}.",
        location=location.label,
        program=waiting.name,
        kernel=waiting.frame.run.function,
        iteration=iteration,
        earlier=earlier,
    )
    return endless(waiting.frame, waiting.lane, location, sentences(told, _goes_on_while(waiting)))


def counts_past(frame: Frame, lane: int, loop: Operation, counter: Counter, numbers: tuple[int, int, int]) -> Fault:
    """The finding for a while loop that counts from its start by its step, and so misses the bound."""
    start, bound, step = numbers
    told = tr(
        "{location} never comes to its end in program {program} of {kernel}: it goes on while {name} {symbol} "
        "{bound:,}, and {name} begins at {start:,} and changes by {step:,} each time.",
        location=loop.location.label,
        program=frame.describe_program(lane),
        kernel=frame.run.function,
        name=_name_of(loop.regions[0].arguments[counter.argument]) or tr("its counter"),
        symbol=_SYMBOLS[counter.relation],
        bound=bound,
        start=start,
        step=step,
    )
    return endless(frame, lane, loop.location, told)


def no_step(frame: Frame, lane: int, loop: Operation, numbers: tuple[int, int, int]) -> Fault:
    """The finding for a for-loop whose step does not lead from its start to its end."""
    low, high, step = numbers
    told = tr(
        "{location} never ends in program {program} of {kernel}: it counts from {low:,} to {high:,} in steps of "
        "{step:,}.",
        location=loop.location.label,
        program=frame.describe_program(lane),
        kernel=frame.run.function,
        low=low,
        high=high,
        step=step,
    )
    return endless(frame, lane, loop.location, told)


def endless(
    frame: Frame, lane: int, location: Location, sentence: Text, repair: Text = _LET_IT_END, value: str = ""
) -> Fault:
    """The finding for a lane that never gets beyond a place, by nothing that is in memory."""
    return Fault(
        kind=kinds.NO_PROGRESS,
        file=location.file,
        line=location.line,
        program=int(frame.programs[lane]),
        count=1,
        sentence=sentence,
        iteration=frame.iteration,
        value=value,
        repair=repair,
    )


def _goes_on_while(waiting: Waiting) -> Text:
    """What the loop asks for each time, with its values, where that is one comparison."""
    loop = waiting.loop
    comparison = next(
        (op for op in loop.regions[0].operations if loop.regions[0].terminator.operands[0] in op.results), None
    )
    if comparison is None or comparison.name not in ("arith.cmpi", "arith.cmpf"):
        return EMPTY
    values = [number(waiting.values[value.slot]) for value in comparison.operands]
    if any(value is None for value in values):
        return EMPTY
    relation = str(comparison.attributes["words"][0])[-2:]
    symbol = _SYMBOLS.get(cast(Relation, relation))
    if symbol is None:
        return EMPTY
    left, right = (written(value) for value in values if value is not None)
    name = _name_of(comparison.operands[0])
    asked = verbatim(f"{name or left} {symbol} {right}")
    if name:
        return tr(
            "It goes on while {condition}, and {name} is {value} each time.", condition=asked, name=name, value=left
        )
    return tr("It goes on while {condition}, and that holds each time.", condition=asked)


def _name_of(value: Operand) -> str:
    """The Python variable; '' if MLIR does not tell."""
    name = re.sub(r"_\d+$", "", value.name)
    return "" if re.fullmatch(r"\d+|arg\d+|c-?\w+_\w+|true|false", value.name) else name
