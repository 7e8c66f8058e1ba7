"""Reads and checks the header of a GGUF file before any of the data behind it is read.

The format (github.com/ggml-org/ggml, docs/gguf.md), little-endian: the letters GGUF, the version, the numbers of
tensors and of metadata entries; the entries (name, type, value); per tensor its name, its sizes with the fastest first,
its type and its offset; then the bytes, from the next multiple of the alignment on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from core.checkpoint.gguf_files import types
from core.checkpoint.gguf_files.cursor import Cursor
from core.checkpoint.header import (
    MAX_TENSORS,
    Shard,
    StoredTensor,
    check_layout,
    damaged_file,
    in_order_of_bytes,
    too_many_tensors,
    unreadable,
)
from core.checkpoint.incomplete import FIRST_BYTES, what_else
from core.contracts.errors import InvalidParams
from core.contracts.text import Text, tr
from core.files import open_regular

Value = int | float | bool | str | tuple[int, ...]
Metadata = Mapping[str, Value]
"""The scalars, short texts and short lists of integers of a file. Vocabularies are skipped."""

_MAGIC, _VERSIONS = b"GGUF", (2, 3)
_FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_INTEGERS = (0, 1, 2, 3, 4, 5, 10, 11)
_TEXT, _LIST = 8, 9
_MAX_DIMENSIONS = 4  # of ggml
_MAX_SIZE = 2**63
_MAX_NAME_BYTES, _MAX_ENTRIES = 1 << 16, 1 << 16
_KEPT_TEXT_BYTES, _KEPT_INTEGERS = 1 << 12, 1 << 12
_MAX_NESTING = 4
_MAX_ITEMS = 1 << 22  # texts in lists: the largest vocabularies have a million tokens and merges
_DEFAULT_ALIGNMENT, _LARGEST_ALIGNMENT = 32, 1 << 20
_ALIGNMENT = "general.alignment"


def read_gguf(path: Path, field: str | None = None) -> tuple[tuple[StoredTensor, ...], Metadata]:
    """The tensors of one GGUF file in the order of their bytes, with shapes as numpy has them, and its metadata.

    Raises InvalidParams for the parameter `field` if the file cannot be read, is truncated or corrupt, has absurd
    counts, or if tensors overlap or leave the file.
    """
    try:
        with open_regular(path) as file:
            facts = os.fstat(file.fileno())
            if text_in_place := what_else(path, file.read(FIRST_BYTES)):
                raise InvalidParams(text_in_place, field)
            file.seek(0)
            header = _Header(path, Cursor(file, path, facts.st_size, field), field)
            metadata, entries = header.read()
    except OSError as error:
        raise unreadable(path, error, field) from error
    shard = Shard(path, facts.st_size, facts.st_mtime_ns, header.cursor.hash)
    tensors = in_order_of_bytes([replace(tensor, shard=shard) for tensor in entries])
    tensors = _with_unknown_sizes(tensors, facts.st_size)
    check_layout(path, tensors, facts.st_size, field)
    return tuple(tensors), metadata


class _Header:
    """The header behind a cursor. `read` goes through it once."""

    def __init__(self, path: Path, cursor: Cursor, field: str | None) -> None:
        self.cursor = cursor
        self._path, self._field = path, field
        self._items = 0

    def read(self) -> tuple[Metadata, list[StoredTensor]]:
        self._check_version()
        tensor_count, entry_count = self.cursor.count(), self.cursor.count()
        if tensor_count > MAX_TENSORS:
            raise too_many_tensors(self._path, self._field)
        if entry_count > _MAX_ENTRIES:
            text = tr(
                "{file} announces {count:,} metadata entries, and at most {limit:,} are allowed.",
                file=str(self._path),
                count=entry_count,
                limit=_MAX_ENTRIES,
            )
            raise self._damaged(text)
        metadata: dict[str, Value] = {}
        for _ in range(entry_count):
            name = self._name()
            value = self._value(name, int(self.cursor.number("I")))
            if value is not None:
                metadata[name] = value
        entries: dict[str, StoredTensor] = {}
        for _ in range(tensor_count):
            tensor = self._tensor()
            if tensor.name in entries:
                twice = tr("{file} lists {tensor} twice in its header.", file=str(self._path), tensor=tensor.name)
                raise self._damaged(twice)
            entries[tensor.name] = tensor
        start = self._aligned(metadata)
        return metadata, [
            replace(tensor, begin=start + tensor.begin, end=start + tensor.end) for tensor in entries.values()
        ]

    def _check_version(self) -> None:
        if self.cursor.bytes(len(_MAGIC)) != _MAGIC:
            raise self._damaged(
                tr("{file} is not a GGUF file: it does not begin with the letters GGUF.", file=str(self._path))
            )
        version = int(self.cursor.number("I"))
        if version in _VERSIONS:
            return
        if int.from_bytes(version.to_bytes(4, "little"), "big") in _VERSIONS:
            text = tr(
                "{file} is a big-endian GGUF file: convert it with gguf-convert-endian of the package gguf.",
                file=str(self._path),
            )
        else:
            text = tr(
                "{file} is of version {version} of GGUF, and versions 2 and 3 are read: convert the model again with "
                "llama.cpp.",
                file=str(self._path),
                version=version,
            )
        raise InvalidParams(text, self._field)

    def _name(self) -> str:
        length = self.cursor.count()
        try:
            if length > _MAX_NAME_BYTES:
                raise ValueError
            return self.cursor.bytes(length).decode()
        except ValueError as error:
            raise self._damaged(tr("{file} has a name in its header that is no text.", file=str(self._path))) from error

    def _value(self, name: str, kind: int, nesting: int = 0) -> Value | None:
        """A value of the metadata; None for one that is skipped."""
        cursor = self.cursor
        if kind in _FORMS:
            return cursor.number(_FORMS[kind])
        if kind == _TEXT:
            length = cursor.count()
            if length > _KEPT_TEXT_BYTES:
                cursor.skip(length)
                return None
            return cursor.bytes(length).decode(errors="replace")
        if kind != _LIST or nesting == _MAX_NESTING:
            raise self._invalid(name)
        of, count = int(cursor.number("I")), cursor.count()
        if of in _INTEGERS and count <= _KEPT_INTEGERS:
            return tuple(int(cursor.number(_FORMS[of])) for _ in range(count))
        if of in _WIDTHS:
            cursor.skip(count * _WIDTHS[of])
        else:
            self._items += count
            if self._items > _MAX_ITEMS:
                raise self._invalid(name)
            for _ in range(count):
                self._value(name, of, nesting + 1)
        return None

    def _tensor(self) -> StoredTensor:
        """A tensor whose bytes are counted from the begin of the data."""
        name = self._name()
        dimensions = int(self.cursor.number("I"))
        if dimensions > _MAX_DIMENSIONS:
            raise self._invalid(name)
        shape = tuple(self.cursor.count() for _ in range(dimensions))[::-1]
        dtype, begin = types.type_name(int(self.cursor.number("I"))), self.cursor.count()
        if math.prod(shape) >= _MAX_SIZE or any(size >= _MAX_SIZE for size in (*shape, begin)):
            raise self._invalid(name)
        known = types.stored_bytes(dtype, math.prod(shape))
        block = types.block_type(dtype)
        if block is not None and (not shape or shape[-1] % block.block):
            text = tr(
                "{file} has rows of {columns:,} weights for {tensor}, which are no whole blocks of {dtype}.",
                file=str(self._path),
                columns=shape[-1] if shape else 1,
                tensor=name,
                dtype=dtype,
            )
            raise self._damaged(text)
        return StoredTensor(name, dtype, shape, Shard(self._path, 0, 0, ""), begin, begin + (known or 0))

    def _aligned(self, metadata: Metadata) -> int:
        """Where the data begins."""
        alignment = metadata.get(_ALIGNMENT, _DEFAULT_ALIGNMENT)
        if type(alignment) is not int or not 0 < alignment <= _LARGEST_ALIGNMENT:
            raise self._invalid(_ALIGNMENT)
        return -(-self.cursor.place // alignment) * alignment

    def _invalid(self, name: str) -> InvalidParams:
        return self._damaged(
            tr("The header of {file} has an invalid entry for {tensor}.", file=str(self._path), tensor=name)
        )

    def _damaged(self, text: Text) -> InvalidParams:
        return damaged_file(text, self._field)


def _with_unknown_sizes(tensors: list[StoredTensor], size: int) -> list[StoredTensor]:
    """Tensors of unknown types end where the next one begins."""
    begins = [tensor.begin for tensor in tensors[1:]]
    return [
        replace(tensor, end=max(tensor.begin, end))
        if types.stored_bytes(tensor.dtype, tensor.elements) is None
        else tensor
        for tensor, end in zip(tensors, [*begins, size], strict=False)
    ]
