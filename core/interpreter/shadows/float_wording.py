"""What the findings about NaN, infinity and casts out of range say, and how each is mended."""

from __future__ import annotations

import torch

from core.contracts.text import Text, Value, tr, verbatim
from core.interpreter.ir import Operation, Type
from core.interpreter.values import torch_dtype
from core.sanitizer import kinds

_SYMBOLS = {"addf": "+", "subf": "-", "mulf": "*", "divf": "/", "precise_divf": "/", "remf": "%"}


def number(value: float) -> str:
    return f"{value:.7g}"


def type_name(type_: Type) -> str:
    """'float16'."""
    return str(torch_dtype(type_.element)).removeprefix("torch.")


def expression(operation: Operation, numbers: dict[str, float]) -> Text:
    """'inf - inf', 'exp(100)'."""
    name = operation.name.split(".")[-1]
    if operation.name in ("tt.reduce", "tt.scan"):
        (combine,) = operation.regions
        count, low, high = operation.operands[0].type.dims[operation.attributes["axis"]], numbers["a"], numbers["b"]
        if [each.name for each in combine.operations[:-1]] == ["arith.addf"]:
            return tr("the sum of {count:,} elements from {low} to {high}",
                      count=count, low=number(low), high=number(high))  # fmt: skip
        return tr("the reduction of {count:,} elements from {low} to {high}",
                  count=count, low=number(low), high=number(high))  # fmt: skip
    if operation.name == "tt.dot":
        count = operation.operands[0].type.dims[-1]
        return tr("the dot product of {count:,} elements up to {a} and {b} in magnitude",
                  count=count, a=number(numbers["a"]), b=number(numbers["b"]))  # fmt: skip
    given = [number(numbers[each]) for each in "abc" if each in numbers]
    signed = [given[0], *(f"({each})" if each.startswith("-") else each for each in given[1:])]
    if name in _SYMBOLS:
        return verbatim(f" {_SYMBOLS[name]} ".join(signed))
    if name == "fma":
        return verbatim("{} * {} + {}".format(*signed))
    symbol = str(operation.attributes.get("symbol", name)).removeprefix("__nv_").removeprefix("precise_")
    return verbatim(f"{symbol}({', '.join(given)})")


def sentence(kind: str, operation: Operation, numbers: dict[str, float], details: dict[str, Value]) -> Text:
    """What happened. `numbers` are operands 'a', 'b', 'c' and the result 'value'."""
    if kind == kinds.CAST_OVERFLOW:
        target = operation.result.type
        return tr(
            "In {kernel} at {location}, program {program} casts {value} to {type}, whose largest number is {largest}, "
            "so that it becomes {result}: {reach}.",
            value=number(numbers["a"]), type=type_name(target), result=number(numbers["value"]),
            largest=number(torch.finfo(torch_dtype(target.element)).max), **details,
        )  # fmt: skip
    made = expression(operation, numbers)
    if kind == kinds.NAN_BORN:
        return tr(
            "In {kernel} at {location}, {expression} is NaN in program {program}: {reach}.", expression=made, **details
        )
    return tr(
        "In {kernel} at {location}, {expression} is {value} in {type} in program {program}: {reach}.",
        expression=made, value=number(numbers["value"]), type=type_name(operation.results[0].type), **details,
    )  # fmt: skip


def turned_into_nan(operation: Operation) -> Text:
    """How an infinity did harm, as the end of a sentence."""
    return tr("it makes the result at {location} NaN", location=operation.location.label)


def repair(kind: str, operation: Operation) -> Text:
    """How to mend it."""
    name = operation.name.split(".")[-1]
    if kind == kinds.CAST_OVERFLOW:
        return tr("Scale or clamp the number before the cast, or cast to a type with a larger range.")
    if name in ("exp", "exp2"):
        return tr("Subtract the largest number of the row before `tl.exp`.")
    if name in ("log", "log2", "sqrt", "rsqrt", "precise_sqrt"):
        return tr("Keep the argument positive: add a small number, or use `tl.maximum`.")
    if name in ("divf", "precise_divf", "remf") and kind == kinds.NAN_BORN:
        return tr("Keep infinities out of the operands and 0 out of the divisor, or choose with `tl.where`.")
    if name in ("divf", "precise_divf", "remf"):
        return tr("Keep the divisor from being 0: add a small number to it, or choose with `tl.where`.")
    if kind == kinds.NAN_BORN and name == "subf":
        return tr('Choose a finite number where both are infinite: `tl.where(m == -float("inf"), 0.0, m)`.')
    if kind == kinds.NAN_BORN:
        return tr("Keep infinities out of the operands, or choose the result with `tl.where`.")
    return tr("Scale the operands, or compute in a type with a larger range.")
