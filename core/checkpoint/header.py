"""Reads and checks the header of a safetensors file before any of the data behind it is read.

The format (github.com/huggingface/safetensors): 8 bytes little-endian with the length of a JSON object; the object,
which maps each tensor's name to its dtype, its shape and the two offsets of its bytes behind the header; the bytes. No
torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.checkpoint.incomplete import FIRST_BYTES, how_to_get, what_else, what_is_there
from core.checkpoint.roles import Role, role_of
from core.checkpoint.stored_types import ELEMENT_BYTES, Packed, why_skipped
from core.contracts.errors import InvalidParams
from core.contracts.text import Text, sentences, tr
from core.files import open_regular, reason_of
from core.format import quantity

MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library."""

MAX_TENSORS = 200_000
"""Of one file or one checkpoint. The largest public checkpoints have about half as many."""

MAX_DIMENSIONS = 64
"""The limit of torch."""

_MAX_PAIRS = 8 * MAX_TENSORS
_MAX_VALUES = 25 * MAX_TENSORS
_PREFIX_BYTES = 8
_PIECE_BYTES = 1 << 20
_MAX_INT = 2**63
_PICKLE_BEGINNINGS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class Shard:
    """One file, as it was when its header was read. If `size` or `mtime_ns` differ, the file has changed."""

    path: Path
    size: int
    mtime_ns: int
    header_hash: str

    @property
    def identity(self) -> str:
        """Identifies the file independently of its path: 24 hexadecimal digits of a hash of size, time and header."""
        text = f"{self.size} {self.mtime_ns} {self.header_hash}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)  # a checkpoint may have 200,000
class StoredTensor:
    """A tensor of a file: `begin` and `end` are byte offsets in the file. `skipped` says why the tensor is not
    measured, and is empty if it is. `packed` says what it holds of a weight that is already quantized."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: Shard
    begin: int
    end: int
    packed: Packed = Packed.NOTHING

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.end - self.begin

    @property
    def role(self) -> Role:
        return role_of(self.name, self.shape)

    @property
    def skipped(self) -> Text:
        return why_skipped(self.dtype, self.elements, self.packed)


def read_header(path: Path, field: str | None = None) -> tuple[StoredTensor, ...]:
    """The tensors of one safetensors file, in the order of their bytes.

    Raises InvalidParams for the parameter `field` if the file cannot be read, is truncated or corrupt, if its header is
    absurdly large, or if offsets overlap, leave the file or do not fit the shape.
    """
    try:
        with open_regular(path) as file:
            facts = os.fstat(file.fileno())
            first_bytes = file.read(FIRST_BYTES)
            if text_in_place := what_else(path, first_bytes):
                raise InvalidParams(text_in_place, field)
            length = _header_length(path, first_bytes[:_PREFIX_BYTES], facts.st_size, field)
            file.seek(_PREFIX_BYTES)
            text = _header_text(path, file, length, field)
    except OSError as error:
        raise unreadable(path, error, field) from error
    shard = Shard(path, facts.st_size, facts.st_mtime_ns, hashlib.sha256(text).hexdigest())
    entries = _entries(path, text, field)
    start = _PREFIX_BYTES + length
    tensors = [_tensor(name, entry, shard, start, field) for name, entry in entries.items() if name != "__metadata__"]
    tensors = in_order_of_bytes(tensors)
    check_layout(path, tensors, facts.st_size, field)
    return tuple(tensors)


def in_order_of_bytes(tensors: list[StoredTensor]) -> list[StoredTensor]:
    """Sorted by numpy, which lets other threads run meanwhile: Python's sort of 200,000 tensors holds them up."""
    begins = np.fromiter((tensor.begin for tensor in tensors), np.uint64, len(tensors))
    ends = np.fromiter((tensor.end for tensor in tensors), np.uint64, len(tensors))
    return [tensors[index] for index in np.lexsort((ends, begins)).tolist()]


def unreadable(path: Path, error: OSError, field: str | None) -> InvalidParams:
    """The error for a file that the operating system refuses to open or read."""
    if isinstance(error, PermissionError):
        text = tr("You have no permission to read {file}: change its permissions, or copy it.", file=str(path))
        return InvalidParams(text, field)
    if isinstance(error, FileNotFoundError):
        text = tr(
            "{file} does not exist: give the path of a .safetensors file, its index or a model folder.", file=str(path)
        )
        return InvalidParams(text, field)
    reason = reason_of(error)
    return InvalidParams(
        tr("{file} cannot be read ({reason}): check the disk, or copy the file.", file=str(path), reason=reason), field
    )


def too_many_tensors(path: Path, field: str | None) -> InvalidParams:
    """The error for a file that lists more tensors than any checkpoint has."""
    text = tr(
        "{file} lists more than {limit:,} tensors, which is more than a checkpoint has: check the path.",
        file=str(path),
        limit=MAX_TENSORS,
    )
    return InvalidParams(text, field)


def pickle_refused(path: Path, field: str | None) -> InvalidParams:
    """The error for a pickle checkpoint, which says how to convert it."""
    if path.suffix == ".json":
        conversion = tr("Hugging Face Transformers' from_pretrained and save_pretrained")
    else:
        call = f"torch.load({path.name!r}, weights_only=True), {path.with_suffix('.safetensors').name!r}"
        conversion = tr("safetensors.torch.save_file({call}) or Hugging Face Transformers' save_pretrained", call=call)
    return InvalidParams(
        tr(
            "{file} is a pickle checkpoint, which can run code when it is opened. If you trust it, convert it with "
            "{conversion}, and open the result.",
            file=str(path),
            conversion=conversion,
        ),
        field,
    )


def _header_length(path: Path, prefix: bytes, size: int, field: str | None) -> int:
    if prefix.startswith(_PICKLE_BEGINNINGS):
        raise pickle_refused(path, field)
    if len(prefix) < _PREFIX_BYTES:
        text = tr("{file} is only {size} bytes long, and a safetensors file has at least 8.", file=str(path), size=size)
        raise damaged_file(text, field)
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES:
        text = tr(
            "{file} announces a header of {length:,} bytes, and at most {limit:,} are allowed: it is corrupt or not a "
            "safetensors file.",
            file=str(path),
            length=length,
            limit=MAX_HEADER_BYTES,
        )
        raise damaged_file(text, field)
    if length > size - _PREFIX_BYTES:
        text = tr(
            "{file} ends inside its header: the file has {size:,} bytes, and the header alone takes {length:,}.",
            file=str(path),
            size=size,
            length=length,
        )
        raise InvalidParams(sentences(text, how_to_get([path])), field)
    return length


def _header_text(path: Path, file: BinaryIO, length: int, field: str | None) -> bytes:
    """The header, counted while it is read: to parse one of millions of entries would take minutes and gigabytes.

    In pieces, because other threads wait while Python works on one.
    """
    pieces: list[bytes] = []
    pairs = values = 0
    while length > 0 and (piece := file.read(min(length, _PIECE_BYTES))):
        pieces.append(piece)
        length -= len(piece)
        pairs += piece.count(b":")
        values += piece.count(b",")
        if pairs > _MAX_PAIRS or values > _MAX_VALUES:
            raise too_many_tensors(path, field)
    return b"".join(pieces)


def _entries(path: Path, text: bytes, field: str | None) -> dict[str, Any]:
    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise damaged_file(tr("{file} lists {tensor} twice in its header.", file=str(path), tensor=twice), field)
        return fields

    try:
        entries: Any = json.loads(text.decode(), object_pairs_hook=without_duplicates)
        if not isinstance(entries, dict):
            raise damaged_file(tr("The header of {file} is not a list of tensors.", file=str(path)), field)
        if len(entries) > MAX_TENSORS + 1:
            raise too_many_tensors(path, field)
        "".join(entries).encode()  # JSON can hold escapes that are no characters
    except (ValueError, RecursionError) as error:
        raise damaged_file(tr("The header of {file} is not JSON.", file=str(path)), field) from error
    return entries


def _tensor(name: str, entry: Any, shard: Shard, start: int, field: str | None) -> StoredTensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        if len(shape) > MAX_DIMENSIONS:
            text = tr(
                "The header of {file} gives {tensor} {dimensions:,} dimensions, and at most {limit} are allowed.",
                file=str(shard.path),
                tensor=name,
                dimensions=len(shape),
                limit=MAX_DIMENSIONS,
            )
            raise damaged_file(text, field)
        whole = all(type(number) is int and 0 <= number < _MAX_INT for number in (*shape, begin, end))
        if not whole or type(dtype) is not str or begin > end or math.prod(shape) >= _MAX_INT:
            raise ValueError
    except (TypeError, KeyError, ValueError) as error:
        text = tr("The header of {file} has an invalid entry for {tensor}.", file=str(shard.path), tensor=name)
        raise damaged_file(text, field) from error
    tensor = StoredTensor(name, dtype, shape, shard, start + begin, start + end)
    expected = ELEMENT_BYTES.get(dtype)
    if expected is not None and tensor.bytes != expected * tensor.elements:
        text = tr(
            "{file} has {size:,} bytes for {tensor}, but {dtype} {shape} takes {expected:,}.",
            file=str(shard.path),
            size=tensor.bytes,
            tensor=name,
            dtype=dtype,
            shape=str(list(shape)),
            expected=expected * tensor.elements,
        )
        raise damaged_file(text, field)
    return tensor


def check_layout(path: Path, tensors: list[StoredTensor], size: int, field: str | None) -> None:
    previous: StoredTensor | None = None
    for tensor in tensors:
        if tensor.end > size:
            text = tr(
                "{file} is truncated: {tensor} ends {missing} behind the end of the file.",
                file=str(path),
                tensor=tensor.name,
                missing=quantity(tensor.end - size, "bytes"),
            )
            raise InvalidParams(
                sentences(text, what_is_there([tensor.end for tensor in tensors], size), how_to_get([path])), field
            )
        if previous is not None and tensor.begin < previous.end:
            text = tr(
                "{file} is corrupt: the bytes of {first} and {second} overlap.",
                file=str(path),
                first=previous.name,
                second=tensor.name,
            )
            raise damaged_file(text, field)
        previous = tensor if tensor.bytes else previous


def damaged_file(text: Text, field: str | None) -> InvalidParams:
    return InvalidParams(sentences(text, tr("Download the file again, or save it again.")), field)
