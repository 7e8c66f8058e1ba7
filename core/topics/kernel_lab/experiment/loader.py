"""Imports a user's file and calls one of its functions in isolation from earlier and later runs.

It compiles the text of the plan, so an edit takes effect at once and no stale bytecode is used. The file's folder comes
first on `sys.path`; modules imported from there are dropped after the run.
"""

from __future__ import annotations

import importlib
import inspect
import linecache
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.contracts.errors import InvalidParams, MissingRequirement, RunFailed, TilescopeError
from core.contracts.text import Text, listed, quoted, tr
from core.outside import first_line
from core.topics.kernel_lab.plan import shown
from core.topics.kernel_lab.source import Source

_OUR_PACKAGES = ("kernels", "gui", "tests", "main")
"""Packages of this project that a user's package of the same name shadows. `core` is in use and cannot be shadowed."""


def call(source: Source, function: str) -> None:
    """Import `source` and call its `function`, without arguments.

    Raises InvalidParams if the file does not import or the function cannot be called, RunFailed for an exception of
    the function, and passes on errors of the tracer.
    """
    with _as_if_alone(source.path), _source_in_memory(source):
        module = _imported(source)
        target = _target(source, module, function)
        try:
            target()
        except MissingRequirement as error:
            raise MissingRequirement(_with_location(source, error)) from error
        except TilescopeError:
            raise
        except BaseException as error:
            raise RunFailed(_failure(source, function, error)) from error


@contextmanager
def _as_if_alone(path: Path) -> Iterator[None]:
    """Set up `sys` as for a script at that path, and restore it in any case."""
    folder = str(path.parent)
    before = set(sys.modules)
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_shadowed(name, path.parent)}
    kept = (sys.path[:], sys.argv, sys.dont_write_bytecode)
    sys.path.insert(0, folder)
    sys.argv, sys.dont_write_bytecode = [str(path)], True
    importlib.invalidate_caches()
    linecache.cache.pop(str(path), None)
    try:
        yield
    finally:
        sys.path[:], sys.argv, sys.dont_write_bytecode = kept
        for name in [name for name in sys.modules if name not in before or name in ours]:
            if _lies_in(sys.modules[name], folder):
                del sys.modules[name]
        sys.modules.update(ours)


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


def _is_shadowed(module: str, folder: Path) -> bool:
    top = module.partition(".")[0]
    if top not in _OUR_PACKAGES or not ((folder / top).is_dir() or (folder / f"{top}.py").is_file()):
        return False
    return not _lies_in(sys.modules[module], str(folder))


def _lies_in(module: types.ModuleType, folder: str) -> bool:
    """Whether a module comes from the folder. Installed packages do not count, as they do not change between runs."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and Path(file).is_relative_to(folder) and "site-packages" not in file


def _imported(source: Source) -> types.ModuleType:
    module = types.ModuleType(_module_name(source.path))
    module.__file__ = str(source.path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(source.text, str(source.path), "exec", dont_inherit=True), module.__dict__)
    except MissingRequirement as error:
        raise MissingRequirement(_with_location(source, error)) from error
    except TilescopeError:
        raise
    except BaseException as error:
        raise InvalidParams(_failure(source, tr("importing the file"), error), "file") from error
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
            problem = tr("{file} has no function {name}: {others}", file=file, name=name, others=others)
        else:
            problem = tr("{file} defines {name}, but not as a function: {others}", file=file, name=name, others=others)
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
