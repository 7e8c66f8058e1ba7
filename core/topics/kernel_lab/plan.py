"""The plan of the kernel-lab page: the file's text, its functions, and the function that a run would call."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, Value, listed, quoted, tr, tr_plural
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.source import Function, Source, read_source, text_of

MAIN = "main"
PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Plan:
    """What a run would execute. `problem` is the sentence that says why a run is impossible, or empty; `blames` is the
    parameter at fault.

    `path` is None if the file cannot be found, `source` if it is not valid Python: `unparsed` is its text then, if it
    can be read. `function` is '' if none can be chosen.
    """

    params: KernelLabParams
    path: Path | None = None
    source: Source | None = None
    function: str = ""
    problem: Text = EMPTY
    blames: str | None = None
    unparsed: str = ""

    @property
    def text(self) -> str:
        """The file's text, '' if it cannot be read."""
        return self.unparsed if self.source is None else self.source.text

    @property
    def kernels(self) -> tuple[Function, ...]:
        return () if self.source is None else self.source.kernels

    @property
    def candidates(self) -> tuple[Function, ...]:
        """The functions that a run can call."""
        return () if self.source is None else self.source.candidates


def plan(params: KernelLabParams) -> Plan:
    """Parse the file without running it. Does not raise: an error is in `problem`."""
    path: Path | None = None
    source: Source | None = None
    try:
        path = resolved(params.file)
        source = read_source(path)
        return Plan(params, path, source, chosen(source, params.function.strip()))
    except InvalidParams as error:
        unparsed = text_of(path) if path is not None and source is None else ""
        return Plan(params, path, source, problem=error.text, blames=error.field, unparsed=unparsed)


def check(params: KernelLabParams) -> None:
    """Raises InvalidParams for a file that cannot be read or a function that cannot be called."""
    planned = plan(params)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)


def chosen(source: Source, function: str) -> str:
    """The function to call. Raises InvalidParams if there is none, or if the choice is ambiguous."""
    if not function:
        return _default(source)
    defined = {f.name: f for f in source.functions}
    if function in defined:
        _check_callable(source, defined[function])
    elif function not in source.names and not source.has_star_import:
        close = difflib.get_close_matches(function, defined, n=1)
        name, file = quoted(function), str(source.path)
        if close:
            problem = tr(
                "{file} has no function {name}: did you mean {close}? {others}",
                file=file,
                name=name,
                close=close[0],
                others=_callable_functions(source),
            )
        else:
            problem = tr(
                "{file} has no function {name}: {others}", file=file, name=name, others=_callable_functions(source)
            )
        raise InvalidParams(problem, "function")
    return function


def _default(source: Source) -> str:
    candidates = [function.name for function in source.candidates]
    if MAIN in candidates:
        return MAIN
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise InvalidParams(
            tr(
                "{file} has {number} functions that could be called: name one of {names}.",
                file=str(source.path),
                number=len(candidates),
                names=listed(candidates),
            ),
            "function",
        )
    raise InvalidParams(
        tr(
            "{file} has no function that can be called without arguments: add one that makes the tensors and launches "
            "the kernel.",
            file=str(source.path),
        ),
        "function",
    )


def _check_callable(source: Source, function: Function) -> None:
    name, location = function.name, f"{source.path}:{function.line}"
    if function.is_kernel:
        raise InvalidParams(
            tr(
                "{name} ({location}) is a Triton kernel: name a function that launches it. {others}",
                name=name,
                location=location,
                others=_callable_functions(source),
            ),
            "function",
        )
    if function.is_async:
        raise InvalidParams(
            tr("{name} ({location}) is asynchronous: name a regular function.", name=name, location=location),
            "function",
        )
    if function.required_arguments:
        raise InvalidParams(
            tr_plural(
                "{name} ({location}) needs the argument {arguments}: give every argument a default, or name a function "
                "that calls it.",
                "{name} ({location}) needs the arguments {arguments}: give every argument a default, or name a "
                "function that calls it.",
                count=len(function.required_arguments),
                name=name,
                location=location,
                arguments=listed(function.required_arguments),
            ),
            "function",
        )


def _callable_functions(source: Source) -> Text:
    names = [function.name for function in source.functions if function.can_be_called]
    return tr("It has {names}.", names=listed(names)) if names else tr("It has no function that can be called.")


def resolved(file: str) -> Path:
    """The absolute path of `file`: relative to the current folder if it exists there, else to the project.

    Raises InvalidParams for a text that cannot be a path.
    """
    if not file.strip():
        raise InvalidParams(tr("No file is set: give the path of a Python file with Triton kernels."), "file")
    try:
        path = Path(file).expanduser()
        if path.is_absolute() or path.exists():
            return path.resolve()
        return (PROJECT / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidParams(
            tr("{path} is not a valid path ({reason}): give another path.", path=quoted(file), reason=str(error)),
            "file",
        ) from error


def shown(path: str | Path) -> str:
    """The path relative to the project if it lies inside, else unchanged."""
    path = Path(path)
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)


def in_project(sentence: Text) -> Text:
    """The sentence with its paths relative to the project."""
    values = tuple((name, _in_project(value)) for name, value in sentence.values)
    return replace(sentence, message=sentence.message.replace(f"{PROJECT}{os.sep}", ""), values=values)


def _in_project(value: Value) -> Value:
    if isinstance(value, Text):
        return in_project(value)
    return value.replace(f"{PROJECT}{os.sep}", "") if isinstance(value, str) else value
