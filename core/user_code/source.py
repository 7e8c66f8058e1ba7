"""Parses a Python file without running it: its functions, its Triton kernels, and which functions can be called."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.files import read_regular, reason_of

_LARGEST_FILE_BYTES = 4 << 20
_KERNEL_DECORATORS = ("jit", "autotune", "heuristics")


@dataclass(frozen=True)
class Function:
    """A function at the top level of a file. `launches`: it, or a function that it uses, launches a kernel."""

    name: str
    line: int
    last_line: int
    required_arguments: tuple[str, ...]
    launches: bool = False
    is_kernel: bool = False
    is_async: bool = False

    @property
    def can_be_called(self) -> bool:
        """Callable without arguments: no kernel, not asynchronous, every argument with a default."""
        return not (self.is_kernel or self.is_async or self.required_arguments)


@dataclass(frozen=True)
class Source:
    """The text of a file and its top level.

    `names` are all names bound there, imports included; `has_star_import` says that there may be more. `is_script`:
    it does something by itself, as it calls functions at its top level or under `if __name__ == "__main__"`.
    """

    path: Path
    text: str
    functions: tuple[Function, ...]
    names: frozenset[str]
    has_star_import: bool
    is_script: bool = False

    @property
    def kernels(self) -> tuple[Function, ...]:
        return tuple(function for function in self.functions if function.is_kernel)

    @property
    def launching(self) -> frozenset[str]:
        """The names of functions that launch a kernel, or use one that does."""
        return frozenset(function.name for function in self.functions if function.launches)

    @property
    def candidates(self) -> tuple[Function, ...]:
        """The functions that a run can call: those that launch a kernel, else all that can be called."""
        functions = tuple(function for function in self.functions if function.can_be_called)
        return tuple(function for function in functions if function.launches) or functions


def read_source(path: Path) -> Source:
    """Read and parse the file without running it. Raises InvalidParams with one sentence, and the line if known."""
    try:
        if path.is_dir():
            raise InvalidParams(tr("{path} is a folder: give the path of a Python file.", path=str(path)), "file")
        data = read_regular(path, _LARGEST_FILE_BYTES)
    except FileNotFoundError:
        raise InvalidParams(tr("{path} does not exist: check the path.", path=str(path)), "file") from None
    except OSError as error:
        raise InvalidParams(
            tr("{path} cannot be read ({reason}): choose another file.", path=str(path), reason=reason_of(error)),
            "file",
        ) from error
    return _parsed(path, data)


def text_of(path: Path) -> str:
    """The text of a file that is no valid Python; '' if it cannot be read as UTF-8."""
    try:
        return read_regular(path, _LARGEST_FILE_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return ""


@lru_cache(maxsize=8)
def _parsed(path: Path, data: bytes) -> Source:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python repeats these warnings when the file runs
            tree = ast.parse(text, str(path))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        location = f"{path}:{line}"
        raise InvalidParams(
            tr(
                "{location} is not {encoding} text: save the file as UTF-8, or check the path.",
                location=location,
                encoding=encoding,
            ),
            "file",
        ) from error
    except SyntaxError as error:
        where = f"{path}:{error.lineno}" if error.lineno else str(path)
        raise InvalidParams(
            tr("{location} is not valid Python: {reason}.", location=where, reason=error.msg), "file"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or tr("its nesting is too deep")
        raise InvalidParams(
            tr("{path} cannot be parsed as Python: {reason}.", path=str(path), reason=reason), "file"
        ) from error
    bound = frozenset(_names(tree))
    star = any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree))
    script = any(isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) for node in _top_level(tree.body))
    return Source(path, text, tuple(_functions(tree)), bound, star, script)


def _top_level(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run on import, including those inside if, try, with and loops."""
    for node in body:
        yield node
        for block in ("body", "orelse", "finalbody"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _top_level(getattr(node, block, []))
        for handler in getattr(node, "handlers", []):
            yield from _top_level(handler.body)


def _names(tree: ast.Module) -> Iterator[str]:
    for node in _top_level(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.For | ast.With):
            yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _functions(tree: ast.Module) -> Iterator[Function]:
    definitions = {
        node.name: node for node in _top_level(tree.body) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    launching = _launching(tree)
    for name, node in definitions.items():
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        required = positional[: len(positional) - len(arguments.defaults)]
        required += [
            arg for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None
        ]
        yield Function(
            name,
            node.lineno,
            node.end_lineno or node.lineno,
            tuple(arg.arg for arg in required),
            launches=name in launching,
            is_kernel=_is_kernel(node),
            is_async=isinstance(node, ast.AsyncFunctionDef),
        )


def _is_kernel(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(_last_name(decorator) in _KERNEL_DECORATORS for decorator in node.decorator_list)


def _last_name(node: ast.expr) -> str:
    """'jit' for `jit`, `triton.jit` and `triton.jit(...)`."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _launching(tree: ast.Module) -> set[str]:
    """Top-level functions and classes that contain `kernel[grid](...)`, or use another such function by name."""
    uses: dict[str, set[str]] = {}
    launching: set[str] = set()
    for node in _top_level(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = list(ast.walk(node))
            uses[node.name] = {n.id for n in inside if isinstance(n, ast.Name)} - {node.name}
            if any(isinstance(n, ast.Call) and isinstance(n.func, ast.Subscript) for n in inside):
                launching.add(node.name)
    while grown := {name for name, used in uses.items() if name not in launching and used & launching}:
        launching |= grown
    return launching
