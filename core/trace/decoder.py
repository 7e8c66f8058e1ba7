"""Decodes rows and arrays to launches; `core.trace.file` describes the format. Raises for any inconsistency."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.contracts.text import Text
from core.trace.affine import Affine, IntArray, Integer, Term
from core.trace.encoder import COLUMNS, KINDS, RELATIONS
from core.trace.mask import Condition, Mask
from core.trace.record import Access, Buffer, Fault, Launch, Watched


class Decoder:
    """Decodes one trace. Raises ValueError, LookupError or TypeError for anything else."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]) -> None:
        self._rows = rows
        self._arrays = arrays
        self._tables = {name: _table(arrays[name], columns) for name, columns in COLUMNS.items()}
        self._sizes: list[int] = arrays["sizes"].tolist()
        self._pools = (arrays["numbers"].astype(np.int64), arrays["bits"].astype(np.bool_))
        self._paths = [_text(row["path"]) for row in self._of("path")]
        self._cache: dict[tuple[str, int, int, int], Any] = {}

    def launches(self) -> list[Launch]:
        heads = list(self._of("launch"))
        buffers: list[list[Buffer]] = [[] for _ in heads]
        faults: list[list[Fault]] = [[] for _ in heads]
        watched: list[list[Watched]] = [[] for _ in heads]
        printed: list[list[str]] = [[] for _ in heads]
        accesses: list[list[Access]] = [[] for _ in heads]
        for row in self._of("buffer"):
            buffers[_index(row["launch"], heads)].append(_buffer(row))
        for row in self._of("fault"):
            faults[_index(row["launch"], heads)].append(_fault(row))
        for row in self._of("printed"):
            printed[_index(row["launch"], heads)].append(_text(row["text"]))
        for number, row in enumerate(self._of("watched")):
            watched[_index(row["launch"], heads)].append(self._watched(number, row))
        grids = [tuple(int(row[f"grid_{axis}"]) for axis in "xyz") for row in heads]
        for columns in self._tables["accesses"]:
            launch = _index(columns[0], heads)
            x, y, z = grids[launch]
            accesses[launch].append(self._access(columns, buffers[launch], x * y * z))
        return [
            Launch(
                function=_text(head["function"]),
                file=_text(head["file"]),
                first_line=int(head["first_line"]),
                source=_text(head["source"]),
                ttir=_text(head["ttir"]),
                grid=(grid[0], grid[1], grid[2]),
                buffers=tuple(b),
                accesses=tuple(a),
                watched={w.name: w for w in seen},
                config=_text(head["config"]),
                faults=tuple(f),
                printed=tuple(p),
                product_flops=int(head["product_flops"]) if "product_flops" in head else None,
                launched_at=_text(head.get("launched_at", "")),
                addresses_only=bool(head["addresses_only"]) if "addresses_only" in head else None,
            )
            for head, grid, b, a, seen, f, p in zip(
                heads, grids, buffers, accesses, watched, faults, printed, strict=True
            )
        ]

    def _of(self, kind: str) -> list[Mapping[str, Any]]:
        return [row for row in self._rows if row["row"] == kind]

    def _access(self, row: list[int], buffers: list[Buffer], programs: int) -> Access:
        _, kind, buffer, path, line, element_bytes, order, ids, *rest = row
        offset, mask = self._value(*rest[:4]), self._mask(rest[4], rest[5])
        access = Access(
            kind=KINDS[_index(kind, KINDS)],  # type: ignore[arg-type]
            buffer=_index(buffer, buffers),
            file=self._paths[_index(path, self._paths)],
            line=line,
            iteration=self._list(rest[6], rest[7]),
            programs=self._array(ids, 0),
            shape=self._list(rest[8], rest[9]),
            offset=offset,
            mask=mask,
            element_bytes=element_bytes,
            order=order,
        )
        _check(access, programs)
        return access

    def _list(self, first: int, count: int) -> tuple[int, ...]:
        if first < 0 or count < 0 or first + count > len(self._sizes):
            raise ValueError("a list lies outside")
        return tuple(self._sizes[first : first + count])

    def _value(self, rank: int, constant: int, first: int, count: int) -> Integer:
        if rank < 0:
            return constant
        key = ("terms", rank, first, count)
        if key not in self._cache:
            rows = self._tables["terms"]
            self._cache[key] = tuple(self._term(*rows[_index(first + i, rows)]) for i in range(count))
        return Affine(rank, constant, self._cache[key])

    def _term(self, axes: int, number: int) -> Term:
        array = self._array(number, 0)
        key = ("term", axes, number, 0)
        if key not in self._cache:
            self._cache[key] = Term(axes, array, int(array.min()), int(array.max()))
        term: Term = self._cache[key]
        return term

    def _mask(self, first: int, count: int) -> Mask | None:
        if first < 0:
            return None
        key = ("mask", first, count, 0)
        if key not in self._cache:
            rows = self._tables["conditions"]
            conditions = tuple(self._condition(rows[_index(first + i, rows)]) for i in range(count))
            if not conditions:
                raise ValueError("a mask without conditions")
            self._cache[key] = Mask(conditions)
        mask: Mask = self._cache[key]
        return mask

    def _condition(self, row: list[int]) -> Condition:
        relation = RELATIONS[_index(row[0], RELATIONS)]
        if relation == "array":
            return Condition(relation, None, self._array(row[5], 1))
        difference = self._value(*row[1:5])
        if not isinstance(difference, Affine) or not difference.terms:
            raise ValueError("a condition on a constant")
        return Condition(relation, difference)

    def _array(self, number: int, pool: int) -> Any:
        key = ("array", number, pool, 0)
        if key not in self._cache:
            kind, first, offset, axes = self._tables["arrays"][_index(number, self._tables["arrays"])]
            shape = self._list(offset, axes)
            size = int(np.prod(shape, dtype=np.int64))
            if kind != pool or min(shape, default=0) < 0 or first < 0 or first + size > len(self._pools[pool]):
                raise ValueError("an array lies outside")
            self._cache[key] = self._pools[pool][first : first + size].reshape(shape)
        return self._cache[key]

    def _watched(self, number: int, row: Mapping[str, Any]) -> Watched:
        programs = self._arrays[f"watched.{number}.programs"].astype(np.int64)
        values = self._arrays[f"watched.{number}.values"]
        if programs.ndim != 1 or values.ndim < 2 or len(values) != len(programs):
            raise ValueError("watched values without their programs")
        return Watched(_text(row["name"]), programs, values, bool(row["truncated"]))


def _check(access: Access, programs: int) -> None:
    """Check that the arrays of an access fit its programs and its tile."""
    ids: IntArray = access.programs
    if ids.ndim != 1 or (ids.size and not (ids.min() >= 0 and ids.max() < programs)):
        raise ValueError("an access by programs that the grid does not have")
    full = (len(ids), *access.shape)
    parts = list(access.offset.terms) if isinstance(access.offset, Affine) else []
    for condition in access.mask.conditions if access.mask is not None else ():
        parts += condition.difference.terms if condition.difference is not None else ()
        if condition.difference is None and np.broadcast_shapes(condition.array.shape, full) != full:
            raise ValueError("a mask of another shape than its tile")
    for term in parts:
        axes = sum(1 << axis for axis, size in enumerate(term.array.shape) if size != 1)
        if np.broadcast_shapes(term.array.shape, full) != full or axes & ~term.axes:
            raise ValueError("an offset of another shape than its tile")


def _table(array: np.ndarray, columns: int) -> list[list[int]]:
    if array.ndim != 2 or array.shape[1] != columns or array.dtype != np.int64:
        raise ValueError("a table of another shape")
    rows: list[list[int]] = array.tolist()
    return rows


def _index(number: Any, of: Sequence[Any]) -> int:
    """`number` as an index. Negative numbers are refused, since they would count from the end."""
    if not 0 <= int(number) < len(of):
        raise IndexError(f"number {number} of {len(of)}")
    return int(number)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _buffer(row: Mapping[str, Any]) -> Buffer:
    return Buffer(
        _text(row["name"]),
        _text(row["dtype"]),
        int(row["element_bytes"]),
        int(row["size_bytes"]),
        int(row["data_ptr"]),
        tuple(map(int, row["shape"].split())),
        tuple(map(int, row["strides"].split())),
        _text(row.get("argument", "")),
        _text(row.get("made_at", "")),
        int(row.get("storage", -1)),
    )


def _fault(row: Mapping[str, Any]) -> Fault:
    """The rows of older versions lack the fields that came later."""
    fields = {"access": None} | {name: row[name] for name in Fault.__dataclass_fields__ if name in row}
    for name in ("kind", "file", "sentence"):
        _text(fields[name])
    fields["sentence"] = Text.of(json.loads(_text(row["text"]))) if "text" in row else Text(fields["sentence"])
    if "repair" in fields:
        fields["repair"] = Text.of(json.loads(_text(fields["repair"])))
    for name in {"iteration", "element"} & fields.keys():
        fields[name] = tuple(int(number) for number in _text(fields[name]).split())
    return Fault(**fields)
