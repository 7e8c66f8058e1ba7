"""Reads the values of a header one after another. Lengths come from the file, so none is believed."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import BinaryIO

from core.checkpoint.header import MAX_HEADER_BYTES, damaged_file
from core.checkpoint.incomplete import how_to_get
from core.contracts.errors import InvalidParams
from core.contracts.text import sentences, tr

_PIECE_BYTES = 1 << 20


class Cursor:
    """A place in the header of a file of `size` bytes. Every method raises InvalidParams for the parameter `field` if
    the header ends before its value, or is larger than any header is."""

    def __init__(self, file: BinaryIO, path: Path, size: int, field: str | None) -> None:
        self.place = 0
        self._data = bytearray()
        self._file, self._path, self._size, self._field = file, path, size, field

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        self.skip(count)
        return bytes(self._data[self.place - count : self.place])

    def skip(self, count: int) -> None:
        """Go over `count` bytes, which are read, since they belong to the header."""
        end = self.place + count
        if end > self._size:
            raise self._ended()
        if end > MAX_HEADER_BYTES:
            text = tr(
                "The header of {file} takes more than {limit:,} bytes, which is more than a header has.",
                file=str(self._path),
                limit=MAX_HEADER_BYTES,
            )
            raise damaged_file(text, self._field)
        while len(self._data) < end:
            piece = self._file.read(max(_PIECE_BYTES, end - len(self._data)))
            if not piece:
                raise self._ended()
            self._data += piece
        self.place = end

    def number(self, form: str) -> int | float | bool:
        """The next number, little-endian, in the `form` of the module struct: one letter."""
        value: int | float | bool = struct.unpack(f"<{form}", self.bytes(struct.calcsize(f"<{form}")))[0]
        return value

    def count(self) -> int:
        """The next 64-bit length."""
        return int(self.number("Q"))

    @property
    def hash(self) -> str:
        """A hash of what was read so far."""
        return hashlib.sha256(self._data[: self.place]).hexdigest()

    def _ended(self) -> InvalidParams:
        text = tr("{file} ends inside its header: it has {size:,} bytes.", file=str(self._path), size=self._size)
        return InvalidParams(sentences(text, how_to_get([self._path])), self._field)
