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
from typing import Any

from core.checkpoint.stored_types import ELEMENT_BYTES, why_skipped
from core.contracts.errors import InvalidParams
from core.format import format_quantity

MAX_HEADER_BYTES = 100_000_000
"""The limit of the safetensors library."""

_PREFIX_BYTES = 8
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


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a file: `begin` and `end` are byte offsets in the file. `skipped` is '' or why the tensor is not
    measured; `scales_codes` says that it holds the scales of another tensor, which is already quantized."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: Shard
    begin: int
    end: int
    scales_codes: bool = False

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.end - self.begin

    @property
    def skipped(self) -> str:
        return why_skipped(self.dtype, self.elements) or (
            "it scales a tensor that is already quantized" if self.scales_codes else ""
        )


def read_header(path: Path, field: str | None = None) -> tuple[StoredTensor, ...]:
    """The tensors of one safetensors file, in the order of their bytes.

    Raises InvalidParams for the parameter `field` if the file cannot be read, is truncated or corrupt, if its header is
    absurdly large, or if offsets overlap, leave the file or do not fit the shape.
    """
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            prefix = file.read(_PREFIX_BYTES)
            length = _header_length(path, prefix, facts.st_size, field)
            text = file.read(length)
    except OSError as error:
        raise unreadable(path, error, field) from error
    shard = Shard(path, facts.st_size, facts.st_mtime_ns, hashlib.sha256(text).hexdigest())
    entries = _entries(path, text, field)
    start = _PREFIX_BYTES + length
    tensors = [_tensor(name, entry, shard, start, field) for name, entry in entries.items() if name != "__metadata__"]
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.end))
    _check_layout(path, tensors, facts.st_size, field)
    return tuple(tensors)


def unreadable(path: Path, error: OSError, field: str | None) -> InvalidParams:
    """The error for a file that the operating system refuses to open or read."""
    if isinstance(error, PermissionError):
        return InvalidParams(f"You have no permission to read {path}: change its permissions, or copy it.", field)
    if isinstance(error, FileNotFoundError):
        return InvalidParams(
            f"{path} does not exist: give the path of a .safetensors file, its index or a folder.", field
        )
    return InvalidParams(f"{path} cannot be read ({error.strerror or error}): check the disk, or copy it.", field)


def pickle_refused(path: Path, field: str | None) -> InvalidParams:
    """The error for a pickle checkpoint, which says how to convert it."""
    if path.suffix == ".json":
        conversion = "transformers' from_pretrained and save_pretrained"
    else:
        call = f"torch.load({path.name!r}, weights_only=True), {path.with_suffix('.safetensors').name!r}"
        conversion = f"safetensors.torch.save_file({call}) or transformers' save_pretrained"
    return InvalidParams(
        f"{path} is a pickle checkpoint, which can run code when it is opened. If you trust it, convert it with "
        f"{conversion}, and open the result.",
        field,
    )


def _header_length(path: Path, prefix: bytes, size: int, field: str | None) -> int:
    if prefix.startswith(_PICKLE_BEGINNINGS):
        raise pickle_refused(path, field)
    if len(prefix) < _PREFIX_BYTES:
        raise _damaged_file(path, f"is only {size} bytes long, and a safetensors file has at least 8", field)
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES:
        raise _damaged_file(
            path,
            f"announces a header of {length:,} bytes, and at most {MAX_HEADER_BYTES:,} are allowed; it is corrupt or "
            "not a safetensors file",
            field,
        )
    if length > size - _PREFIX_BYTES:
        sizes = f"the file has {size:,} bytes, and the header alone takes {length:,}"
        raise _damaged_file(path, f"ends inside its header ({sizes})", field)
    return length


def _entries(path: Path, text: bytes, field: str | None) -> dict[str, Any]:
    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise _damaged_file(path, f"lists {twice} twice in its header", field)
        return fields

    try:
        entries: Any = json.loads(text.decode(), object_pairs_hook=without_duplicates)
        if not isinstance(entries, dict):
            raise _damaged_file(path, "has a header that lists no tensors", field)
        "".join(entries).encode()  # JSON can hold escapes that are no characters
    except (ValueError, RecursionError) as error:
        raise _damaged_file(path, "has a header that is not JSON", field) from error
    return entries


def _tensor(name: str, entry: Any, shard: Shard, start: int, field: str | None) -> StoredTensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(number) is int and 0 <= number < _MAX_INT for number in (*shape, begin, end))
        if not whole or type(dtype) is not str or begin > end or math.prod(shape) >= _MAX_INT:
            raise ValueError
    except (TypeError, KeyError, ValueError) as error:
        raise _damaged_file(shard.path, f"has an invalid entry for {name} in its header", field) from error
    tensor = StoredTensor(name, dtype, shape, shard, start + begin, start + end)
    expected = ELEMENT_BYTES.get(dtype)
    if expected is not None and tensor.bytes != expected * tensor.elements:
        raise _damaged_file(
            shard.path,
            f"has {tensor.bytes:,} bytes for {name}, but {dtype} {list(shape)} takes {expected * tensor.elements:,}",
            field,
        )
    return tensor


def _check_layout(path: Path, tensors: list[StoredTensor], size: int, field: str | None) -> None:
    before: StoredTensor | None = None
    for tensor in tensors:
        if tensor.end > size:
            missing = format_quantity(tensor.end - size, "bytes")
            raise _damaged_file(path, f"is truncated ({tensor.name} ends {missing} behind the end of the file)", field)
        if before is not None and tensor.begin < before.end:
            raise _damaged_file(path, f"is corrupt (the bytes of {before.name} and {tensor.name} overlap)", field)
        before = tensor if tensor.bytes else before


def _damaged_file(path: Path, because: str, field: str | None) -> InvalidParams:
    return InvalidParams(f"{path} {because}: download or save it again.", field)
