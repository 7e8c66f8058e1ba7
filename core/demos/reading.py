"""Reads a demo from TOML: bounded, every field checked, and one sentence for the first thing that is wrong."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from core.contracts.errors import TilescopeError
from core.contracts.place import Place
from core.contracts.text import Text, listed, quoted, tr, verbatim
from core.demos.checking import check_demo
from core.demos.demo import DEFAULT_S, LEAST_S, MAX_CAPTION, MAX_STEPS, MOST_S, Demo, Step, nth_step
from core.demos.texts import written
from core.files import read_regular, reason_of

FORMAT = 1
"""What this version writes, and the newest that it reads."""

MAX_FILE_BYTES = 1 << 20

_Value = bool | int | float | Annotated[str, Field(max_length=65_536)]
_Texts = dict[str, Annotated[str, Field(min_length=1, max_length=MAX_CAPTION)]]


class InvalidDemo(TilescopeError):
    """A demo that cannot be played; the sentence names it and what is wrong."""


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _StepFields(_Closed):
    page: Annotated[str, Field(max_length=100)]
    set: dict[str, _Value] = Field(default_factory=dict)
    card: Annotated[str, Field(max_length=100)] = ""
    select: dict[str, int | Annotated[str, Field(max_length=1000)]] = Field(default_factory=dict)
    alone: bool = False
    run: bool = True
    seconds: float = Field(DEFAULT_S, ge=LEAST_S, le=MOST_S, strict=False)
    caption: _Texts = Field(min_length=1)


class _DemoFields(_Closed):
    format: int
    title: _Texts = Field(min_length=1)
    steps: list[_StepFields] = Field(min_length=1, max_length=MAX_STEPS)


def read_demo(path: Path) -> Demo:
    """The demo in a file. Raises InvalidDemo with one sentence."""
    try:
        text = read_regular(path, MAX_FILE_BYTES).decode("utf-8")
    except OSError as error:
        raise _invalid(path.name, reason_of(error)) from error
    except UnicodeDecodeError as error:
        raise _invalid(path.name, tr("it is no text in UTF-8")) from error
    return parse_demo(text, path.stem)


def parse_demo(text: str, name: str) -> Demo:
    """The demo in a text, checked against the pages. Raises InvalidDemo with one sentence."""
    try:
        contents = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise _invalid(name, tr("it is no TOML: {reason}", reason=verbatim(error))) from error
    version = contents.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise _invalid(name, tr("it is from a newer version of Tilescope, which you need to play it"))
    if version != FORMAT or isinstance(version, bool):
        raise _invalid(name, tr("it has to begin with format = {format}", format=FORMAT))
    try:
        fields = _DemoFields.model_validate(contents)
    except ValidationError as error:
        raise _invalid(name, _complaint(error.errors()[0])) from error
    try:
        demo = _demo(fields, name)
        check_demo(demo)
    except TilescopeError as error:
        raise InvalidDemo(
            tr("The demo {name} cannot be played. {problem}", name=quoted(name), problem=error.text)
        ) from error
    return demo


def _demo(fields: _DemoFields, name: str) -> Demo:
    steps = []
    for number, step in enumerate(fields.steps, start=1):
        place = Place(step.page, step.set, step.card, step.select)
        try:
            caption = written(step.caption)
            if step.alone and not step.card:
                raise InvalidDemo(tr("“alone” needs a picture: name it with “card”."))
        except TilescopeError as error:
            raise TilescopeError(nth_step(number, error.text)) from error
        steps.append(Step(place, caption, step.run, step.alone, step.seconds))
    return Demo(name, written(fields.title), tuple(steps))


def _complaint(details: ErrorDetails) -> Text:
    """Where in the file something is wrong, and what: the rest of a sentence."""
    where = details["loc"]
    if len(where) > 2 and where[0] == "steps":
        problem = _of_field(str(where[2]), details, tuple(_StepFields.model_fields))
        return tr("in step {number}, {problem}", number=int(where[1]) + 1, problem=problem)
    return _of_field(str(where[0]), details, tuple(_DemoFields.model_fields))


def _of_field(name: str, details: ErrorDetails, known: tuple[str, ...]) -> Text:
    if details["type"] == "missing":
        return tr("{name} is missing", name=quoted(name))
    if details["type"] == "extra_forbidden":
        close = difflib.get_close_matches(name, known, n=1)
        if close:
            return tr("there is no field {name}, did you mean {close}", name=quoted(name), close=quoted(close[0]))
        return tr("there is no field {name}, the fields are {known}", name=quoted(name), known=listed(known))
    return tr("{name} must be {what}", name=quoted(name), what=_MUST_BE[name])


_MUST_BE: Mapping[str, Text] = {
    "title": tr(
        'a text in each language, such as {{ en = "Title" }}, of at most {limit} characters', limit=MAX_CAPTION
    ),
    "caption": tr(
        'a text in each language, such as {{ en = "Caption" }}, of at most {limit} characters', limit=MAX_CAPTION
    ),
    "steps": tr("1 to {limit} tables [[steps]]", limit=MAX_STEPS),
    "page": tr("the name of a page"),
    "set": tr("a table of parameters and their values"),
    "card": tr("the name of a picture"),
    "select": tr("a table of whole numbers and texts"),
    "alone": tr("true or false"),
    "run": tr("true or false"),
    "seconds": tr("a number from {least:g} to {most:g}", least=LEAST_S, most=MOST_S),
}
"""What each field can be. `format` is checked before all others."""


def _invalid(name: str, reason: Text) -> InvalidDemo:
    return InvalidDemo(tr("The demo {name} cannot be played: {reason}.", name=quoted(name), reason=reason))
