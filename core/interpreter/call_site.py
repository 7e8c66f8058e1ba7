"""Where a kernel was launched, and what the caller passed, as code: `q[:, 1:]` for the parameter `q_ptr`.

It is read from the call that the user's frame is executing: Python knows its place in the source to the column. Names
are checked against the values that arrived; if one differs, nothing is said.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from core.outside import cut

MOST_CHARACTERS = 200
"""Of the code of an argument."""

_MOST_CALLERS = 8
"""How far a parameter that a function only passes on is followed to its callers."""

_OURS = f"{Path(__file__).parents[1]}{os.sep}"
_LAUNCHERS = ("torch", "triton", "contextlib")
"""Their frames lie between a launch and the code that asked for it."""


@dataclass(frozen=True)
class CallSite:
    """`location` is 'FILE:LINE'; `arguments` is the code of each argument, by parameter. Empty if unknown."""

    location: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)


def call_site(orders: Sequence[Sequence[str]], values: Mapping[str, Any]) -> CallSite:
    """The call that led here. `values` is what arrived, by parameter; positional arguments were passed in the first of
    the `orders` of parameters that fits them."""
    frame = outside_frame(sys._getframe(1))
    if frame is None:
        return CallSite()
    location = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    for parameters in orders:
        found = _arguments(frame, parameters)
        if all(_fits(frame, code, values[name]) for name, code in found.items() if name in values):
            codes = {name: _followed(frame, code, values.get(name)) for name, code in found.items()}
            return CallSite(location, {name: cut(ast.unparse(code), MOST_CHARACTERS) for name, code in codes.items()})
    return CallSite(location)


def outside_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame that is neither ours nor a launcher's; None if there is none."""
    ours = (_OURS, *_launchers())
    while frame is not None and frame.f_code.co_filename.startswith(ours):
        frame = frame.f_back
    return frame


@lru_cache(maxsize=1)
def _launchers() -> tuple[str, ...]:
    modules = (sys.modules.get(name) for name in _LAUNCHERS)
    files = [Path(module.__file__) for module in modules if module is not None and module.__file__]
    return tuple(f"{file.parent}{os.sep}" if file.name == "__init__.py" else str(file) for file in files)


def _arguments(frame: FrameType, parameters: Sequence[str]) -> dict[str, ast.expr]:
    """The code of each argument of the call that a frame is executing, by parameter."""
    call = _call(frame)
    if call is None:
        return {}
    positional: list[ast.expr] = []
    for argument in call.args:
        if isinstance(argument, ast.Starred):
            sequence = _value(frame, argument.value)
            if not isinstance(sequence, list | tuple):
                return {}
            positional += [_item(argument.value, index) for index in range(len(sequence))]
        else:
            positional.append(argument)
    if len(positional) > len(parameters):
        return {}
    return {**dict(zip(parameters, positional, strict=False)), **dict(_keywords(frame, call))}


def _keywords(frame: FrameType, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value
        elif isinstance(mapping := _value(frame, keyword.value), dict):
            yield from ((name, _item(keyword.value, name)) for name in mapping if isinstance(name, str))


def _item(code: ast.expr, key: int | str) -> ast.expr:
    return ast.Subscript(code, ast.Constant(key), ast.Load())


_UNKNOWN = object()


def _value(frame: FrameType, code: ast.expr) -> Any:
    """What a name means in a frame, or an item of what a name means, which no code is run for."""
    if isinstance(code, ast.Name):
        return frame.f_locals.get(code.id, frame.f_globals.get(code.id, _UNKNOWN))
    if isinstance(code, ast.Subscript) and isinstance(code.slice, ast.Constant):
        container, key = _value(frame, code.value), code.slice.value
        if type(container) is dict:
            return container.get(key, _UNKNOWN)
        if type(container) in (list, tuple) and type(key) is int and -len(container) <= key < len(container):
            return container[key]
    return _UNKNOWN


def _fits(frame: FrameType, code: ast.expr, value: Any) -> bool:
    """Whether the code can have given the value: a name has to mean the very object. Numbers may be converted."""
    known = _value(frame, code)
    return known is _UNKNOWN or known is value or not hasattr(value, "data_ptr")


def _followed(frame: FrameType, code: ast.expr, value: Any) -> ast.expr:
    """What the caller of a function passed, where the function only passes its parameter on."""
    current: FrameType | None = frame
    for _ in range(_MOST_CALLERS):
        if current is None or not hasattr(value, "data_ptr") or not _is_parameter(current.f_code, code):
            break
        current = outside_frame(current.f_back)
        call = None if current is None else _call(current)
        if current is None or call is None:
            break
        passed = [*call.args, *(keyword.value for keyword in call.keywords)]
        same = next((each for each in passed if _value(current, each) is value), None)
        if same is None:
            break
        code = same
    return code


def _is_parameter(code: CodeType, expression: ast.expr) -> bool:
    if isinstance(expression, ast.Subscript):
        expression = expression.value
        return isinstance(expression, ast.Name) and expression.id in code.co_varnames[_named(code) : _all(code)]
    return isinstance(expression, ast.Name) and expression.id in code.co_varnames[: _named(code)]


def _named(code: CodeType) -> int:
    return code.co_argcount + code.co_kwonlyargcount


def _all(code: CodeType) -> int:
    """The number of parameters, *args and **kwargs included."""
    return _named(code) + bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)


def _call(frame: FrameType) -> ast.Call | None:
    return _parsed(frame.f_code, frame.f_lasti // 2)


@lru_cache(maxsize=1024)
def _parsed(code: CodeType, instruction: int) -> ast.Call | None:
    """The call at an instruction; None if its source is unknown, or if it is no call."""
    first, last, begin, end = next(islice(code.co_positions(), instruction, None), (None,) * 4)
    if first is None or last is None or begin is None or end is None:
        return None
    lines = [linecache.getline(code.co_filename, number).encode() for number in range(first, last + 1)]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    try:
        parsed = ast.parse(b"(" + b"".join(lines) + b"\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return parsed if isinstance(parsed, ast.Call) else None
