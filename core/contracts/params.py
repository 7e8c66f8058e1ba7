"""Parameters of a topic: one declaration, from which the form, `--set` and validation come.

A topic subclasses `Params` and declares its fields with `number`, `choice`, `switch` and `text`; combinations that
cannot be are refused in a pydantic `model_validator(mode="after")` that raises `InvalidParams`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from core.contracts.errors import InvalidParams, UnknownName

Scalar = int | float | bool | str


@dataclass(frozen=True)
class FieldSpec:
    """What a form, a help text or a validator needs to know of one parameter.

    `choices` is empty for a free number; `scale` is 'log2' where doubling is the natural step. A text is the path of a
    file where `file_filter` (such as 'Python (*.py)') is not empty; `max_length` is in characters. `view_only` says
    that it changes what is shown of a run, not what is run.
    """

    name: str
    label: str
    kind: type[int] | type[float] | type[bool] | type[str]
    default: Scalar
    help: str
    group: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    scale: str = "linear"
    choices: tuple[Scalar, ...] = ()
    file_filter: str = ""
    max_length: int | None = None
    view_only: bool = False


def number(
    default: float,
    *,
    label: str,
    help: str,
    minimum: float,
    maximum: float,
    step: float = 1,
    unit: str = "",
    scale: str = "linear",
    group: str = "",
    view_only: bool = False,
) -> Any:
    """A bounded int or float field; the annotation on the model decides which."""
    return Field(
        default,
        ge=minimum,
        le=maximum,
        title=label,
        description=help,
        json_schema_extra={"unit": unit, "step": step, "scale": scale, "group": group, "view_only": view_only},
    )


def choice(
    default: Scalar,
    *choices: Scalar,
    label: str,
    help: str,
    unit: str = "",
    group: str = "",
    view_only: bool = False,
) -> Any:
    """A field with a few allowed values."""
    return Field(
        default,
        title=label,
        description=help,
        json_schema_extra={"unit": unit, "choices": list(choices), "group": group, "view_only": view_only},
    )


def switch(default: bool, *, label: str, help: str, group: str = "", view_only: bool = False) -> Any:
    """A yes-or-no field."""
    return Field(default, title=label, description=help, json_schema_extra={"group": group, "view_only": view_only})


def text(
    default: str,
    *,
    label: str,
    help: str,
    file_filter: str = "",
    group: str = "",
    max_length: int = 4096,
    view_only: bool = False,
) -> Any:
    """A free text; the path of a file where `file_filter` says which files to offer."""
    return Field(
        default,
        max_length=max_length,
        title=label,
        description=help,
        json_schema_extra={"group": group, "file_filter": file_filter, "view_only": view_only},
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

        Raises UnknownName for a parameter that does not exist and InvalidParams for a value that
        cannot be, each with one sentence.
        """
        for name in values:
            if name not in cls.model_fields:
                raise UnknownName(_unknown_sentence(name, tuple(cls.model_fields)))
        for spec in cls.specs():
            if spec.choices and spec.name in values and _coerced(spec, values[spec.name]) not in spec.choices:
                raise InvalidParams(
                    f"{spec.name} = {_shown(values[spec.name])} is not a choice: "
                    f"use one of {', '.join(str(c) for c in spec.choices)}.",
                    spec.name,
                )
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _invalid(cls, error.errors()[0]) from None

    def changed(self, **changes: Any) -> Self:
        """A copy with some values replaced, validated again."""
        return type(self).parse({**self.model_dump(), **changes})

    def asks_for_the_run_of(self, other: Params) -> bool:
        """Whether a run of the other parameters is the run of these: all but `view_only` ones are the same."""
        return type(other) is type(self) and all(
            getattr(self, spec.name) == getattr(other, spec.name) for spec in self.specs() if not spec.view_only
        )


def _spec(name: str, info: Any) -> FieldSpec:
    extra = info.json_schema_extra or {}
    bounds = {type(m).__name__: m for m in info.metadata}
    return FieldSpec(
        name=name,
        label=info.title or name,
        kind=info.annotation,
        default=info.default,
        help=info.description or "",
        group=extra.get("group", ""),
        unit=extra.get("unit", ""),
        minimum=bounds["Ge"].ge if "Ge" in bounds else None,
        maximum=bounds["Le"].le if "Le" in bounds else None,
        step=extra.get("step"),
        scale=extra.get("scale", "linear"),
        choices=tuple(extra.get("choices", ())),
        file_filter=extra.get("file_filter", ""),
        max_length=bounds["MaxLen"].max_length if "MaxLen" in bounds else None,
        view_only=extra.get("view_only", False),
    )


def _coerced(spec: FieldSpec, value: Any) -> Any:
    try:
        return spec.kind(value)
    except (TypeError, ValueError):
        return value


def _shown(value: Any) -> str:
    """A value short enough to stand in a sentence."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _unknown_sentence(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"There is no parameter {name!r}: {hint}The parameters are {', '.join(known)}."


def _invalid(cls: type[Params], details: ErrorDetails) -> InvalidParams:
    """One sentence for pydantic's first complaint."""
    field = str(details["loc"][0]) if details["loc"] else None
    spec = next((s for s in cls.specs() if s.name == field), None)
    if spec is None:
        return InvalidParams(details["msg"], field)
    if details["type"] == "string_too_long":
        return InvalidParams(f"{spec.name} is longer than {spec.max_length:,} characters: give a shorter one.", field)
    unit = f" {spec.unit}" if spec.unit else ""
    if spec.minimum is not None and details["type"] in ("greater_than_equal", "less_than_equal"):
        rule = f"it must lie between {spec.minimum:g} and {spec.maximum:g}{unit}"
    else:
        kinds = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        rule = f"it must be {kinds[spec.kind]}"
        if spec.minimum is not None:
            rule += f" between {spec.minimum:g} and {spec.maximum:g}{unit}"
    return InvalidParams(f"{spec.name} = {_shown(details['input'])} cannot be used: {rule}.", field)
