"""The parameters of a comparison's cases: what can be set, and swept."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, listed, quoted, tr, verbatim

Value = int | str
Case = Mapping[str, Value]
"""The value of every axis, by name."""

MOST_VALUES = 64
"""Values of one axis in a sweep."""


@dataclass(frozen=True)
class Axis:
    """One parameter. It has `choices`, or is a whole number between `minimum` and `maximum`. `help` is one sentence for
    a user who does not know it."""

    name: str
    label: Text
    help: Text = EMPTY
    default: Value = 1
    minimum: int = 1
    maximum: int = 1 << 20
    choices: tuple[Value, ...] = ()
    choice_labels: Mapping[Value, Text] = field(default_factory=dict)

    def choice_label(self, value: Value) -> Text:
        """What a value is called."""
        return self.choice_labels.get(value) or verbatim(value)

    def value(self, text: str, field: str) -> Value:
        """The value that the text names. Raises InvalidParams for none, which blames the parameter `field`."""
        text = text.strip()
        if self.choices:
            chosen = next((choice for choice in self.choices if str(choice) == text), None)
            if chosen is None:
                raise InvalidParams(
                    tr(
                        "{name} = {value} is not a choice: use one of {choices}.",
                        name=self.name,
                        value=text[:40],
                        choices=listed(map(str, self.choices)),
                    ),
                    field,
                )
            return chosen
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
            raise InvalidParams(self._rule(text), field)
        if not self.minimum <= int(text) <= self.maximum:
            raise InvalidParams(self._rule(text), field)
        return int(text)

    def _rule(self, text: str) -> Text:
        return tr(
            "{name} = {value} cannot be used: it must be a whole number between {low:,} and {high:,}.",
            name=self.name,
            value=text[:40],
            low=self.minimum,
            high=self.maximum,
        )


def axis_named(axes: Sequence[Axis], name: str, field: str) -> Axis:
    """The axis of that name. Raises InvalidParams, listing those that exist."""
    found = next((axis for axis in axes if axis.name == name), None)
    if found is not None:
        return found
    known, close = [axis.name for axis in axes], difflib.get_close_matches(name, [axis.name for axis in axes], n=1)
    if close:
        problem = tr(
            "{name} is no parameter of this comparison: did you mean {close}? It has {known}.",
            name=quoted(name),
            close=close[0],
            known=listed(known),
        )
    else:
        problem = tr(
            "{name} is no parameter of this comparison. It has {known}.", name=quoted(name), known=listed(known)
        )
    raise InvalidParams(problem, field)


def parse_case(axes: Sequence[Axis], text: str, field: str) -> dict[str, Value]:
    """Values from 'name=value, name=value'. Raises InvalidParams with one sentence."""
    values: dict[str, Value] = {}
    for part in filter(None, (part.strip() for part in text.replace(";", ",").split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            raise InvalidParams(
                tr(
                    "{part} sets nothing: write name=value, for example {example}.",
                    part=quoted(part),
                    example=_example(axes),
                ),
                field,
            )
        axis = axis_named(axes, name.strip(), field)
        values[axis.name] = axis.value(value, field)
    return values


def parse_sweep(axes: Sequence[Axis], text: str, field: str) -> tuple[Axis, tuple[Value, ...]] | None:
    """The axis and its values from 'name=a,b,c'; None for an empty text. Raises InvalidParams with one sentence."""
    if not text.strip():
        return None
    name, equals, listing = text.partition("=")
    texts = [part.strip() for part in listing.split(",") if part.strip()]
    if not equals or not texts:
        example = f"{_example(axes)},{_next(axes)}"
        problem = tr(
            "{text} is no sweep: write a parameter and its values, for example {example}.",
            text=quoted(text[:80]),
            example=example,
        )
        raise InvalidParams(problem, field)
    axis = axis_named(axes, name.strip(), field)
    if len(texts) > MOST_VALUES:
        raise InvalidParams(
            tr("A sweep has at most {limit} values, not {count}.", limit=MOST_VALUES, count=len(texts)), field
        )
    return axis, tuple(dict.fromkeys(axis.value(value, field) for value in texts))


def case_text(case: Case) -> str:
    """The values as the user writes them: 'seq_len=512, heads=4'."""
    return ", ".join(f"{name}={value}" for name, value in case.items())


def _example(axes: Sequence[Axis]) -> str:
    return f"{axes[0].name}={axes[0].default}" if axes else "n=1024"


def _next(axes: Sequence[Axis]) -> str:
    first = axes[0] if axes else Axis("n", EMPTY, default=1024)
    others = [choice for choice in first.choices if choice != first.default]
    return str(others[0] if others else 2 * int(first.default) if not first.choices else first.default)
