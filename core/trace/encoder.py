"""Encodes launches as rows and arrays; `core.trace.file` describes the format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from core.language import ENGLISH
from core.trace.affine import Affine, Term
from core.trace.mask import Condition, Mask
from core.trace.record import Access, Buffer, Fault, Launch

KINDS = ("load", "store", "atomic")
RELATIONS = ("<", "==", "!=", "array")
COLUMNS = {"accesses": 18, "terms": 2, "conditions": 6, "arrays": 4}
"""Columns of each table."""

_INT32 = np.iinfo(np.int32)


class Encoder:
    """Collects launches. Shared parts (arrays, the terms of an offset, masks) are written once."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._tables: dict[str, list[tuple[int, ...]]] = {name: [] for name in COLUMNS}
        self._sizes: list[int] = []
        self._numbers: list[np.ndarray] = []
        self._bits: list[np.ndarray] = []
        self._filled = [0, 0]
        self._watched: dict[str, np.ndarray] = {}
        self._known: dict[tuple[Any, ...], Any] = {}
        self._alive: list[Any] = []
        self._launches = 0

    def add(self, launch: Launch) -> None:
        index, self._launches = self._launches, self._launches + 1
        x, y, z = launch.grid
        self.rows.append(
            {
                "row": "launch",
                "function": launch.function,
                "file": launch.file,
                "first_line": launch.first_line,
                "source": launch.source,
                "ttir": launch.ttir,
                "grid_x": x,
                "grid_y": y,
                "grid_z": z,
                "config": launch.config,
                **({} if launch.product_flops is None else {"product_flops": launch.product_flops}),
                "launched_at": launch.launched_at,
                **({} if launch.addresses_only is None else {"addresses_only": launch.addresses_only}),
            }
        )
        self.rows += [_buffer_row(index, buffer) for buffer in launch.buffers]
        self.rows += [{"row": "printed", "launch": index, "text": text} for text in launch.printed]
        self.rows += [_fault_row(index, fault) for fault in launch.faults]
        for name, watched in launch.watched.items():
            number = len(self._watched) // 2
            self.rows.append({"row": "watched", "launch": index, "name": name, "truncated": watched.truncated})
            self._watched[f"watched.{number}.programs"] = watched.programs
            self._watched[f"watched.{number}.values"] = np.asarray(watched.values)
        for access in launch.accesses:
            self._tables["accesses"].append(self._access(index, access))

    def arrays(self) -> dict[str, np.ndarray]:
        """The collected arrays, by the names of the format."""
        is_small = all(array.min() >= _INT32.min and array.max() <= _INT32.max for array in self._numbers if array.size)
        tables = {
            name: np.array(rows, dtype=np.int64).reshape(-1, COLUMNS[name]) for name, rows in self._tables.items()
        }
        return {
            **tables,
            "sizes": np.array(self._sizes, dtype=np.int64),
            "numbers": _joined(self._numbers, np.dtype(np.int32 if is_small else np.int64)),
            "bits": _joined(self._bits, np.dtype(np.uint8)),
            **self._watched,
        }

    def _access(self, launch: int, access: Access) -> tuple[int, ...]:
        return (
            launch,
            KINDS.index(access.kind),
            access.buffer,
            self._path(access.file),
            access.line,
            access.element_bytes,
            access.order,
            self._array(access.programs),
            *self._value(access.offset),
            *self._mask(access.mask),
            *self._list(access.iteration),
            *self._list(access.shape),
        )

    def _path(self, path: str) -> int:
        known = self._known.get(("path", path))
        if known is None:
            known = self._known[("path", path)] = sum(row["row"] == "path" for row in self.rows)
            self.rows.append({"row": "path", "path": path})
        return int(known)

    def _list(self, numbers: Iterable[int]) -> tuple[int, int]:
        numbers = tuple(int(n) for n in numbers)
        first = self._known.setdefault(("list", numbers), len(self._sizes))
        if first == len(self._sizes):
            self._sizes += numbers
        return first, len(numbers)

    def _value(self, value: int | Affine) -> tuple[int, int, int, int]:
        """Rank (-1 for a number), constant, first term and number of terms."""
        if not isinstance(value, Affine):
            return -1, int(value), 0, 0
        key = ("terms", *map(id, value.terms))
        first = self._known.get(key)
        if first is None:
            rows = [self._term(term) for term in value.terms]
            first = self._known[key] = len(self._tables["terms"])
            self._tables["terms"] += rows
            self._alive.append(value.terms)
        return value.rank, int(value.constant), int(first), len(value.terms)

    def _term(self, term: Term) -> tuple[int, int]:
        return term.axes, self._array(term.array)

    def _mask(self, mask: Mask | None) -> tuple[int, int]:
        """First condition (-1 without a mask) and number of conditions."""
        if mask is None:
            return -1, 0
        key = ("conditions", *map(id, mask.conditions))
        first = self._known.get(key)
        if first is None:
            rows = [self._condition(condition) for condition in mask.conditions]
            first = self._known[key] = len(self._tables["conditions"])
            self._tables["conditions"] += rows
            self._alive.append(mask.conditions)
        return int(first), len(mask.conditions)

    def _condition(self, condition: Condition) -> tuple[int, ...]:
        if condition.difference is None:
            return RELATIONS.index("array"), -1, 0, 0, 0, self._array(condition.array)
        return RELATIONS.index(condition.relation), *self._value(condition.difference), -1

    def _array(self, array: np.ndarray) -> int:
        """The number of an array; the same object is written once."""
        known = self._known.get(("array", id(array)))
        if known is not None:
            return int(known)
        boolean = array.dtype == np.bool_
        pool = self._bits if boolean else self._numbers
        pool.append(array)
        row = (int(boolean), self._filled[boolean], *self._list(array.shape))
        self._filled[boolean] += array.size
        self._alive.append(array)
        self._known[("array", id(array))] = len(self._tables["arrays"])
        self._tables["arrays"].append(row)
        return len(self._tables["arrays"]) - 1


def _joined(arrays: Sequence[np.ndarray], dtype: np.dtype[Any]) -> np.ndarray:
    """All elements in one array: each array is copied once, since a trace may take much of the memory."""
    joined = np.empty(sum(array.size for array in arrays), dtype=dtype)
    first = 0
    for array in arrays:
        joined[first : first + array.size].reshape(array.shape)[...] = array
        first += array.size
    return joined


def _fault_row(launch: int, fault: Fault) -> dict[str, Any]:
    values = {item.name: getattr(fault, item.name) for item in fields(fault)}
    row = {name: value for name, value in values.items() if value is not None}
    lists = {name: " ".join(map(str, getattr(fault, name))) for name in ("iteration", "element")}
    text = {"sentence": fault.sentence.in_language(ENGLISH), "text": json.dumps(fault.sentence.plain())}
    repair = {"repair": json.dumps(fault.repair.plain())}
    return {"row": "fault", "launch": launch, **row, **lists, **text, **repair}


def _buffer_row(launch: int, buffer: Buffer) -> dict[str, Any]:
    lists = {name: " ".join(map(str, getattr(buffer, name))) for name in ("shape", "strides")}
    return {"row": "buffer", "launch": launch, **asdict(buffer), **lists}
