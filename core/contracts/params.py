"""Parameters of a topic: one declaration, from which the form, `--set` and validation come.

A topic subclasses `Params` and declares its fields with `number`, `choice`, `switch` and `text`; combinations that
are impossible are refused in a pydantic `model_validator(mode="after")` that raises `InvalidParams`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from core.contracts.errors import InvalidParams, UnknownName
from core.contracts.text import EMPTY, Text, as_text, listed, quoted, tr, tr_in, verbatim
from core.units import unit_label

Scalar = int | float | bool | str


@dataclass(frozen=True)
class FieldSpec:
    """What a form, a help text or a validator needs to know about one parameter.

    `choices` is empty for a free number, and `choice_labels` names those that are not their own label; `scale` is
    'log2' where doubling is the natural step. A text is the path of a file where `file_filter` (such as
    'Python (*.py)') is not empty; `max_length` is in characters, and `if_empty` says what an empty text stands for.
    `view_only` says that it changes what is shown of a run, not what is run.
    """

    name: str
    label: Text
    kind: type[int] | type[float] | type[bool] | type[str]
    default: Scalar
    help: Text
    group: Text
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    scale: str = "linear"
    choices: tuple[Scalar, ...] = ()
    choice_labels: Mapping[Scalar, Text] = field(default_factory=dict)
    file_filter: Text | str = ""
    max_length: int | None = None
    if_empty: Text = EMPTY
    view_only: bool = False

    def choice_label(self, value: Scalar) -> Text:
        """What a choice is called."""
        return self.choice_labels.get(value) or verbatim(value)


def number(
    default: float,
    *,
    label: Text,
    help: Text,
    minimum: float,
    maximum: float,
    step: float = 1,
    unit: str = "",
    scale: str = "linear",
    group: Text = EMPTY,
    view_only: bool = False,
) -> Any:
    """A bounded int or float field; the annotation on the model decides which."""
    return Field(
        default,
        ge=minimum,
        le=maximum,
        json_schema_extra=_declared(
            label=label, help=help, unit=unit, step=step, scale=scale, group=group, view_only=view_only
        ),
    )


def choice(
    default: Scalar,
    *choices: Scalar,
    label: Text,
    help: Text,
    labels: Mapping[Any, Text] | None = None,
    unit: str = "",
    group: Text = EMPTY,
    view_only: bool = False,
) -> Any:
    """A field with a few allowed values; `labels` names those that are not their own label, such as 'bf16'."""
    return Field(
        default,
        json_schema_extra=_declared(
            label=label,
            help=help,
            unit=unit,
            choices=choices,
            choice_labels=labels or {},
            group=group,
            view_only=view_only,
        ),
    )


def switch(default: bool, *, label: Text, help: Text, group: Text = EMPTY, view_only: bool = False) -> Any:
    """A yes-or-no field."""
    return Field(default, json_schema_extra=_declared(label=label, help=help, group=group, view_only=view_only))


def text(
    default: str,
    *,
    label: Text,
    help: Text,
    file_filter: Text | str = "",
    group: Text = EMPTY,
    max_length: int = 4096,
    if_empty: Text = EMPTY,
    view_only: bool = False,
) -> Any:
    """A free text; the path of a file where `file_filter` says which files to offer."""
    return Field(
        default,
        max_length=max_length,
        json_schema_extra=_declared(
            label=label, help=help, group=group, file_filter=file_filter, if_empty=if_empty, view_only=view_only
        ),
    )


class Params(BaseModel):
    """Base of every topic's parameters: frozen, closed, validated as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    @cache
    def specs(cls) -> tuple[FieldSpec, ...]:
        """The fields in declaration order."""
        return tuple(_spec(name, info) for name, info in cls.model_fields.items())

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Params from raw values (strings of `--set`, widget values, JSON).

        Raises UnknownName for a parameter that does not exist and InvalidParams for an invalid value, each with one
        sentence.
        """
        for name in values:
            if name not in cls.model_fields:
                raise _unknown(name, tuple(cls.model_fields))
        for spec in cls.specs():
            if spec.choices and spec.name in values and _coerced(spec, values[spec.name]) not in spec.choices:
                raise InvalidParams(
                    tr(
                        "{name} = {value} is not a choice: use one of {choices}.",
                        name=spec.name,
                        value=_shown(values[spec.name]),
                        choices=listed(str(item) for item in spec.choices),
                    ),
                    spec.name,
                )
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _invalid(cls, error.errors()[0]) from None

    def changed(self, **changes: Any) -> Self:
        """A copy with some values replaced, validated again."""
        return type(self).parse({**self.model_dump(), **changes})

    def needs_same_run_as(self, other: Params) -> bool:
        """Whether a run with the other parameters is also the run with these: only `view_only` ones may differ."""
        return type(other) is type(self) and all(
            getattr(self, spec.name) == getattr(other, spec.name) for spec in self.specs() if not spec.view_only
        )

    def needed_for_run(self) -> dict[str, Scalar]:
        """The values that decide what is run, as JSON values: all but the `view_only` ones."""
        shown = {spec.name for spec in self.specs() if spec.view_only}
        return self.model_dump(mode="json", exclude=shown)


def _declared(**facts: Any) -> Any:
    """What `FieldSpec` needs besides the type and the bounds of a field. pydantic keeps it and does not read it."""
    return facts


def _spec(name: str, info: Any) -> FieldSpec:
    extra = info.json_schema_extra or {}
    bounds = {type(m).__name__: m for m in info.metadata}
    return FieldSpec(
        name=name,
        label=as_text(extra.get("label", name)),
        kind=info.annotation,
        default=info.default,
        help=as_text(extra.get("help", "")),
        group=as_text(extra.get("group", "")),
        unit=extra.get("unit", ""),
        minimum=bounds["Ge"].ge if "Ge" in bounds else None,
        maximum=bounds["Le"].le if "Le" in bounds else None,
        step=extra.get("step"),
        scale=extra.get("scale", "linear"),
        choices=tuple(extra.get("choices", ())),
        choice_labels=extra.get("choice_labels", {}),
        file_filter=extra.get("file_filter", ""),
        max_length=bounds["MaxLen"].max_length if "MaxLen" in bounds else None,
        if_empty=extra.get("if_empty", EMPTY),
        view_only=extra.get("view_only", False),
    )


def _coerced(spec: FieldSpec, value: Any) -> Any:
    try:
        return spec.kind(value)
    except (TypeError, ValueError, OverflowError):
        return value


def _shown(value: Any) -> str:
    """The value, shortened to fit into a sentence."""
    try:
        text = str(value)
    except ValueError:  # an integer of more digits than Python converts
        text = type(value).__name__
    return text if len(text) <= 40 else f"{text[:37]}..."


def _unknown(name: str, known: tuple[str, ...]) -> UnknownName:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return UnknownName(
            tr(
                "There is no parameter {name}: did you mean {close}? The parameters are {known}.",
                name=quoted(name),
                close=close[0],
                known=listed(known),
            )
        )
    return UnknownName(
        tr("There is no parameter {name}. The parameters are {known}.", name=quoted(name), known=listed(known))
    )


def _invalid(cls: type[Params], details: ErrorDetails) -> InvalidParams:
    """One sentence about the first error that pydantic reports."""
    field = str(details["loc"][0]) if details["loc"] else None
    spec = next((s for s in cls.specs() if s.name == field), None)
    if spec is None:
        return InvalidParams(verbatim(details["msg"]), field)
    if details["type"] == "string_too_long":
        too_long = tr(
            "{name} is longer than {limit:,} characters: give a shorter one.",
            name=spec.name,
            limit=spec.max_length or 0,
        )
        return InvalidParams(too_long, field)
    value = _shown(details["input"])
    if details["type"] == "string_unicode":
        not_unicode = tr(
            "{name} = {value} cannot be used: it has bytes that are not UTF-8. Rename the file or folder, or give "
            "another text.",
            name=spec.name,
            value=value,
        )
        return InvalidParams(not_unicode, field)
    return InvalidParams(
        tr("{name} = {value} cannot be used: {rule}.", name=spec.name, value=value, rule=_rule(spec, details["type"])),
        field,
    )


def _limit(value: float) -> str:
    """Without an exponent, which nobody types."""
    return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:g}"


def _rule(spec: FieldSpec, complaint: str) -> Text:
    """What a value of the parameter must be."""
    kinds = {int: tr("a whole number"), float: tr("a number"), bool: tr("true or false"), str: tr("text")}
    kind = kinds[spec.kind]
    if spec.minimum is None:
        return tr("it must be {kind}", kind=kind)
    assert spec.maximum is not None
    low, high = _limit(spec.minimum), _limit(spec.maximum)
    if spec.unit:
        high_with_unit = tr_in("quantity", "{number} {unit}", number=high, unit=unit_label(spec.unit))
    else:
        high_with_unit = verbatim(high)
    if complaint in ("greater_than_equal", "less_than_equal"):
        return tr("it must lie between {low} and {high}", low=low, high=high_with_unit)
    return tr("it must be {kind} between {low} and {high}", kind=kind, low=low, high=high_with_unit)
