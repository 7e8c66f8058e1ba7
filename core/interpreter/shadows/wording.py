"""What the findings about doubtful numbers say."""

from __future__ import annotations

from typing import Literal

from core.contracts.text import EMPTY, Text, Value, tr, verbatim
from core.interpreter.ir import Operation
from core.sanitizer import kinds

Sink = Literal["value", "address", "condition"]
"""Where a doubtful number arrives."""


def reach(at: Operation, sink: Sink, tensor: str, element: list[int]) -> Text:
    """Where a doubt arrived, as the end of a sentence."""
    location, place = at.location.label, str(element)
    if sink == "condition":
        return tr("a condition at {location} depends on it", location=location)
    if sink == "address":
        return (
            tr("it is an address of {tensor} at {location} (element {element})",
               tensor=tensor, location=location, element=place)
            if element
            else tr("it is an address of {tensor} at {location}", tensor=tensor, location=location)
        )  # fmt: skip
    if element:
        return tr(
            "it reaches element {element} of what is written to {tensor} at {location}",
            element=place, tensor=tensor, location=location,
        )  # fmt: skip
    return tr("it reaches what is written to {tensor} at {location}", tensor=tensor, location=location)


def _expression(numbers: dict[str, Value]) -> Text:
    """'row * stride', with numbers where MLIR has no name."""
    if "summed" in numbers:
        return tr("the sum of {count:,} elements", count=numbers["summed"])
    a, b = (str(numbers.get(f"{each}_name") or f"{numbers[each]:,}") for each in "ab")
    return verbatim(f"{a} {numbers['symbol']} {b}") if numbers["symbol"] else verbatim(a)


def sentence(kind: str, tensor: str, numbers: dict[str, Value], details: dict[str, Value]) -> Text:
    """What happened. `numbers` are those of the operation, `details` where and in which program."""
    if kind == kinds.UNDEFINED_LANES:
        return tr(
            "The load of {tensor} in {kernel} at {location} has a mask but no `other`, so the elements that the mask "
            "leaves out are undefined: in program {program}, {reach}.",
            tensor=tensor, **details,
        )  # fmt: skip
    if kind in (kinds.ADDRESS_OVERFLOW, kinds.INTEGER_OVERFLOW):
        return tr(
            "In {kernel} at {location}, {expression} is {value:,} in program {program}, which wraps to {wrapped:,} in "
            "{bits} bits: {reach}.",
            expression=_expression(numbers), value=numbers["value"], wrapped=numbers["wrapped"], bits=numbers["bits"],
            **details,
        )  # fmt: skip
    if kind == kinds.BROKEN_HINT:
        return tr(
            "In {kernel} at {location}, a promise to the compiler does not hold ({hint}): a GPU may load {size} "
            "elements at once at {access}, and reads index {expected:,} of {tensor} in program {program}, not index "
            "{value:,}: {reach}.",
            **{name: numbers[name] for name in ("hint", "access", "size", "tensor", "expected", "value")}, **details,
        )  # fmt: skip
    if kind == kinds.DIVISION_BY_ZERO:
        return tr(
            "In {kernel} at {location}, program {program} divides the integer {value} by zero: {reach}.",
            value=numbers.get("value", ""), **details,
        )  # fmt: skip
    if kind == kinds.NEGATIVE_DIVISION:
        return tr(
            "In {kernel} at {location}, {a:,} {symbol} {b:,} is {value:,} in program {program}, because kernels round "
            "towards zero; in Python it is {floor:,}: {reach}.",
            **{name: numbers[name] for name in ("a", "b", "symbol", "value", "floor")}, **details,
        )  # fmt: skip
    if kind == kinds.TF32_ERROR:
        return tr(
            "In {kernel} at {location}, `tl.dot` rounds float32 numbers to TF32, and large products cancel: in program "
            "{program}, the result has a relative error of {relative:.2g}, with {rounded:.6g} instead of {value:.6g} "
            "at [{row}, {column}]: {reach}.",
            **{name: numbers[name] for name in ("row", "relative", "rounded", "value", "column")}, **details,
        )  # fmt: skip
    if kind == kinds.UNDEFINED_SHIFT:
        return tr(
            "In {kernel} at {location}, program {program} shifts a number of {bits} bits by {value}: {reach}.",
            bits=numbers.get("bits", ""), value=numbers.get("value", ""), **details,
        )  # fmt: skip
    if kind == kinds.UNDEFINED_CAST:
        return tr(
            "In {kernel} at {location}, program {program} casts {value} to {type}, which cannot hold it: {reach}.",
            type=numbers.get("type", ""), value=numbers.get("value", ""), **details,
        )  # fmt: skip
    return EMPTY
