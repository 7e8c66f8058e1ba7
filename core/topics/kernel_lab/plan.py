"""The plan of the kernel-lab page: the file's text, its functions, and the function that a run would call."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass
from pathlib import Path

from core.contracts.errors import InvalidParams
from core.contracts.text import EMPTY, Text, listed, quoted, tr, tr_plural
from core.topics.kernel_lab.params import KernelLabParams
from core.user_code.loading import SCRIPT
from core.user_code.paths import resolved
from core.user_code.source import Function, Source, read_source, text_of
from core.user_code.test_file import TESTS

MAIN = "main"
"""The function that is called if none is named and there are several."""


@dataclass(frozen=True)
class Plan:
    """What a run would execute. `problem` is the sentence that says why a run is impossible, or empty; `blames` is the
    parameter at fault.

    `path` is None if the file cannot be found, `source` if it is not valid Python: `unparsed` is its text then, if it
    can be read. `function` is '' if none can be chosen, and SCRIPT for the file itself, TESTS for its tests, with
    `arguments` as the command line.
    """

    params: KernelLabParams
    path: Path | None = None
    source: Source | None = None
    function: str = ""
    problem: Text = EMPTY
    blames: str | None = None
    unparsed: str = ""
    arguments: tuple[str, ...] = ()

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
        arguments = _arguments(params.arguments)
        function = params.function.strip() or (SCRIPT if arguments else "")
        return Plan(params, path, source, chosen(source, function), arguments=arguments)
    except InvalidParams as error:
        unparsed = text_of(path) if path is not None and source is None else ""
        return Plan(params, path, source, problem=error.text, blames=error.field, unparsed=unparsed)


def _arguments(text: str) -> tuple[str, ...]:
    """The command line of a script, split as a shell does. Raises InvalidParams for an open quote."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidParams(
            tr("The arguments {text} cannot be split: close the quote.", text=quoted(text)), "arguments"
        ) from error


def check(params: KernelLabParams) -> None:
    """Raises InvalidParams for a file that cannot be read or a function that cannot be called."""
    planned = plan(params)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)


def chosen(source: Source, function: str) -> str:
    """The function to call. Raises InvalidParams if there is none, or if the choice is ambiguous."""
    if not function:
        return _default(source)
    if function in (SCRIPT, TESTS):
        return function
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
                "{file} has no function {name}. {others}", file=file, name=name, others=_callable_functions(source)
            )
        raise InvalidParams(problem, "function")
    return function


def _default(source: Source) -> str:
    candidates = [function.name for function in source.candidates]
    if MAIN in candidates:
        return MAIN
    if len(candidates) == 1 and (candidates[0] in source.launching or not source.is_script):
        return candidates[0]
    if source.is_script:
        return SCRIPT
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
