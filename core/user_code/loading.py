"""Imports a user's file and calls one of its functions in isolation from earlier and later runs.

It compiles the text of the plan, so an edit takes effect at once and no stale bytecode is used. The file's folder comes
first on `sys.path`; modules imported from there are dropped after the run. Packages of the user may have the names of
ours.
"""

from __future__ import annotations

import importlib
import inspect
import linecache
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.contracts.errors import InvalidParams, MissingRequirement, RunFailed, TilescopeError
from core.contracts.text import Text, listed, quoted, tr
from core.outside import first_line
from core.user_code import names
from core.user_code.paths import shown
from core.user_code.source import Source
from core.user_code.stack import users_stack

SCRIPT = "__main__"
"""In place of a function: the file itself, run as a script."""


def call(source: Source, function: str, arguments: Sequence[str] = ()) -> None:
    """Import `source` and call its `function`, without arguments; or run it as a script.

    `arguments` are `sys.argv[1:]`.

    Raises InvalidParams if the file does not import or the function cannot be called, RunFailed for an exception of
    the function, and passes on errors of the tracer.
    """
    if function == SCRIPT:
        _run_script(source, arguments)
        return
    with loaded(source, arguments) as module:
        target = _target(source, module, function)
        with blamed(source, function):
            target()


@contextmanager
def loaded(source: Source, arguments: Sequence[str] = ()) -> Iterator[types.ModuleType]:
    """The file as a module, imported as if it were alone, until the block ends. Raises InvalidParams if it does not
    import."""
    with as_if_alone(source.path, arguments), _source_in_memory(source):
        yield _imported(source)


def _run_script(source: Source, arguments: Sequence[str]) -> None:
    """Run the file as `python FILE ARGUMENTS` would. Raises RunFailed for what it raises; `sys.exit()` ends it."""
    module, kept = _new_module(source, SCRIPT), sys.modules[SCRIPT]
    with as_if_alone(source.path, arguments), _source_in_memory(source), blamed(source, tr("the script")):
        sys.modules[SCRIPT] = module
        try:
            exec(compile(source.text, str(source.path), "exec", dont_inherit=True), module.__dict__)
        except SystemExit as exit:
            if exit.code not in (None, 0):
                raise
        finally:
            sys.modules[SCRIPT] = kept


@contextmanager
def blamed(source: Source, subject: Text | str) -> Iterator[None]:
    """What the block raises becomes RunFailed, a sentence with the line of the file. `subject` is the function that is
    called. Errors that are sentences already, such as those of the tracer, pass. All get the user's own stack."""
    try:
        yield
    except MissingRequirement as error:
        raise _with_stack(MissingRequirement(_with_location(source, error)), error) from error
    except TilescopeError as error:
        error.stack = users_stack(error)
        raise
    except BaseException as error:
        raise _with_stack(RunFailed(_failure(source, subject, error)), error) from error


def _with_stack(sentence: TilescopeError, error: BaseException) -> TilescopeError:
    """The error as it is told, with the stack of the one that was raised."""
    sentence.stack = users_stack(error)
    return sentence


@contextmanager
def as_if_alone(path: Path, arguments: Sequence[str]) -> Iterator[None]:
    """Set up `sys` as for a script at that path, and restore it in any case."""
    folder = str(path.parent)
    before = set(sys.modules)
    kept = (sys.argv, sys.dont_write_bytecode)
    sys.argv, sys.dont_write_bytecode = [str(path), *arguments], True
    importlib.invalidate_caches()
    linecache.cache.pop(str(path), None)
    try:
        with names.kept_apart(path.parent):
            yield
    finally:
        sys.argv, sys.dont_write_bytecode = kept
        for name in [name for name in sys.modules if name not in before]:
            if _lies_in(sys.modules[name], folder):
                del sys.modules[name]


@contextmanager
def _source_in_memory(source: Source) -> Iterator[None]:
    """Let Triton find the source of the file's kernels as it was planned, even if the file is changed or removed."""
    path = str(source.path)
    lines = source.text.splitlines(keepends=True)
    linecache.cache[path] = (len(source.text), None, lines, path)  # without a time, it is not compared with the file
    try:
        yield
    finally:
        linecache.cache.pop(path, None)


def _lies_in(module: types.ModuleType, folder: str) -> bool:
    """Whether a module comes from the folder. Installed packages do not count, as they do not change between runs."""
    file = getattr(module, "__file__", None)
    path = Path(file) if isinstance(file, str) else Path()
    return path.is_relative_to(folder) and "site-packages" not in path.relative_to(folder).parts


def _imported(source: Source) -> types.ModuleType:
    module = _new_module(source, _module_name(source.path))
    sys.modules[module.__name__] = module
    try:
        exec(compile(source.text, str(source.path), "exec", dont_inherit=True), module.__dict__)
    except MissingRequirement as error:
        raise _with_stack(MissingRequirement(_with_location(source, error)), error) from error
    except TilescopeError as error:
        error.stack = users_stack(error)
        raise
    except BaseException as error:
        failure = _failure(source, tr("importing the file"), error)
        raise _with_stack(InvalidParams(failure, "file"), error) from error
    return module


def _new_module(source: Source, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = str(source.path)
    return module


def _module_name(path: Path) -> str:
    return path.stem if path.stem not in sys.modules else f"{path.stem}__traced"


def _target(source: Source, module: types.ModuleType, function: str) -> Callable[[], Any]:
    target = getattr(module, function, None)
    if not callable(target):
        names = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        others = tr("It has {names}.", names=listed(names)) if names else tr("It has no functions.")
        file, name = shown(source.path), quoted(function)
        if target is None:
            problem = tr("{file} has no function {name}. {others}", file=file, name=name, others=others)
        else:
            problem = tr("{file} defines {name}, but not as a function. {others}", file=file, name=name, others=others)
        raise InvalidParams(problem, "function")
    try:
        required = [
            name
            for name, parameter in inspect.signature(target).parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):
        required = []  # a callable without a signature: calling it will show
    if required:
        raise InvalidParams(
            tr(
                "{function} in {file} needs arguments ({arguments}): give every argument a default, or name a function "
                "that calls it.",
                function=function,
                file=shown(source.path),
                arguments=listed(required),
            ),
            "function",
        )
    return target  # type: ignore[no-any-return]


def _file_and_line(source: Source, error: BaseException) -> str:
    """The file, with the line at which the error left it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shown(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(source.path)), None)
    return shown(source.path) if line is None else f"{shown(source.path)}:{line}"


def _with_location(source: Source, error: TilescopeError) -> Text:
    """An error of the tracer, with the line of the file."""
    return tr("{location}: {sentence}", location=_file_and_line(source, error), sentence=error.text)


def _failure(source: Source, subject: Text | str, error: BaseException) -> Text:
    """What the file's code raised, where. `subject` is the function, or the import."""
    location, kind = _file_and_line(source, error), type(error).__name__
    message = first_line(error)
    if isinstance(error, SystemExit):
        return tr(
            "{location}: {subject} called sys.exit({code}): let it return instead.",
            location=location,
            subject=subject,
            code=message,
        )
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error):
        return tr("{location}: {subject} ran out of memory: use smaller tensors.", location=location, subject=subject)
    if _lacks_source(error, message):
        return tr(
            "{location}: {subject} needs the source of a kernel that cannot be read: its file was changed or removed "
            "during the run, or the kernel was not defined in a file. Save the file and run again.",
            location=location,
            subject=subject,
        )
    if isinstance(error, RecursionError):
        return tr("{location}: {subject} exceeded the recursion limit.", location=location, subject=subject)
    if not message:
        return tr("{location}: {subject} raised {error}.", location=location, subject=subject, error=kind)
    return tr(
        "{location}: {subject} raised {error}: {message}.",
        location=location,
        subject=subject,
        error=kind,
        message=message,
    )


def _lacks_source(error: BaseException, message: str) -> bool:
    """Whether Python or Triton could not find the text of a function."""
    if isinstance(error, OSError):
        return error.errno is None and "source code" in message
    return isinstance(error, ValueError) and message.startswith("@jit functions")
