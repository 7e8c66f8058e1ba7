"""How a result is stored and sent: its arrays as an .npz, the rest as JSON inside. Nothing in it can execute.

A dataclass is taken apart into JSON values and arrays; pydantic puts it together again from the annotations of its
class, which checks the types.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import tokenize
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, TypeVar
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from core.contracts.text import Text

T = TypeVar("T")
_HEADER = "__result__"
_MEMBER = "array:"
_REFERENCE = "__array__"
MAX_UNPACKED_BYTES = 4 << 30
"""A few megabytes of zip can hold any number of zeros: its directory is checked before anything is unpacked."""

DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    BadZipFile,
    lzma.LZMAError,
    tokenize.TokenError,
    zlib.error,
)
"""What reading a zip, an .npy header, JSON or an index can raise if the bytes are damaged."""


class _NumpyArray:
    """Tells pydantic that a field holds a numpy array as it is."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.is_instance_schema(np.ndarray)


Array = Annotated[NDArray[Any], _NumpyArray()]
"""An array in a result; the docstring of its class gives shape, dtype and unit."""


def plain(value: Any, path: str = "", text_of: Callable[[Text], Any] = Text.plain) -> Any:
    """The value as JSON values and arrays, with texts as `text_of` gives them.

    Raises TypeError, naming the place, for anything else.
    """
    if value is None or (isinstance(value, str | bool | int | float) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{path or 'the value'} is an array of objects, not of numbers")
        return value
    if isinstance(value, Text):
        return text_of(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name), _join(path, item.name), text_of) for item in fields(value)}
    if isinstance(value, Mapping):
        return {_key(name, path): plain(item, _join(path, str(name)), text_of) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, _join(path, str(index)), text_of) for index, item in enumerate(value)]
    raise TypeError(f"{path or 'the value'} is {type(value).__name__}: a result holds numpy arrays and plain values")


def typed(kind: type[T], tree: Any) -> T:
    """The inverse of `plain` for a class. Raises ValueError if the tree does not fit the class."""
    adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]  # a class is hashable
    value: T = adapter.validate_python(tree)
    return value


def pack(tree: Mapping[str, Any], *, compress: bool) -> bytes:
    """A tree of JSON values and arrays as the bytes of an .npz."""
    arrays: dict[str, NDArray[Any]] = {}
    header = json.dumps(_referring(tree, "", arrays))
    buffer = io.BytesIO()
    write = np.savez_compressed if compress else np.savez
    write(buffer, **{_HEADER: np.array(header)}, **{_MEMBER + name: array for name, array in arrays.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, Any]:
    """The inverse of `pack`; of an archive without references, `arrays` holds the arrays by name.

    Raises ValueError for anything else.
    """
    try:
        stored = members(data)
        header = json.loads(str(stored.pop(_HEADER)))
        arrays = {name.removeprefix(_MEMBER): array for name, array in stored.items()}
        if "format" not in header:
            return {**header, "arrays": arrays}
        tree: dict[str, Any] = _resolved(header, arrays)
    except DAMAGE as error:
        raise ValueError(f"not an archive of a result: {error}") from error
    return tree


def members(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name. Raises one of DAMAGE, also for one that would unpack to more than it may."""
    with ZipFile(io.BytesIO(data)) as directory:
        if sum(member.file_size for member in directory.infolist()) > MAX_UNPACKED_BYTES:
            raise ValueError("it would unpack to more than it may")
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def nested(named: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted names as a tree: {'a.b': 1} is {'a': {'b': 1}}."""
    tree: dict[str, Any] = {}
    for name, value in named.items():
        *parents, last = name.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = value
    return tree


def without_arrays(tree: Any) -> Any:
    """The tree without its arrays, and without branches that held only arrays."""
    if isinstance(tree, Mapping):
        kept = {name: without_arrays(value) for name, value in tree.items() if not isinstance(value, np.ndarray)}
        return {name: value for name, value in kept.items() if value != {} or tree[name] == {}}
    if isinstance(tree, list):
        return [without_arrays(item) for item in tree if not isinstance(item, np.ndarray)]
    return tree


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _referring(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """The tree with a reference in place of each array; the array goes to `arrays` under a name made from its path."""
    if isinstance(value, np.ndarray):
        member = re.sub(r"[^\w.-]", "_", path)
        while member in arrays:  # names of a mapping are free: two may read the same
            member += "_"
        arrays[member] = value
        return {_REFERENCE: member}
    if isinstance(value, Mapping):
        return {name: _referring(item, _join(path, name), arrays) for name, item in value.items()}
    if isinstance(value, list):
        return [_referring(item, _join(path, str(index)), arrays) for index, item in enumerate(value)]
    return value


def _resolved(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_REFERENCE}:
            return arrays[value[_REFERENCE]]
        return {name: _resolved(item, arrays) for name, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, arrays) for item in value]
    return value


def _key(name: Any, path: str) -> str:
    if isinstance(name, Enum):
        name = name.value
    if not isinstance(name, str | int):
        raise TypeError(f"{path or 'the value'} has a key of type {type(name).__name__}: a result has names")
    return str(name)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
