"""The header of a safetensors file, read and checked before anything behind it is touched.

The format (github.com/huggingface/safetensors): 8 bytes little-endian, the length of a JSON object; the object, from
tensor name to dtype, shape and the two offsets of its bytes behind the header; the bytes. No torch.
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

LARGEST_HEADER_BYTES = 100_000_000
"""The limit that the safetensors library sets itself."""

_PREFIX_BYTES = 8
_MOST = 2**63
_PICKLE_BEGINNINGS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class Shard:
    """One file, as it was when its header was read. A file whose `size` or `mtime_ns` differ is another one."""

    path: Path
    size: int
    mtime_ns: int
    header_hash: str

    @property
    def identity(self) -> str:
        """What the file is known by, wherever it lies: 24 hexadecimal digits of size, time and header."""
        text = f"{self.size} {self.mtime_ns} {self.header_hash}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a file: `begin` and `end` are bytes from the file's start. `skipped` is '' or why it is not
    measured; `scales_codes` says that it belongs to another tensor, which is quantized already."""

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
            "it scales a tensor that is quantized already" if self.scales_codes else ""
        )


def read_header(path: Path, field: str | None = None) -> tuple[StoredTensor, ...]:
    """The tensors of one safetensors file, in the order of their bytes.

    Raises InvalidParams for the parameter `field`, with one sentence, for a file that cannot be read, is truncated or
    corrupt, has a header of absurd size, or offsets that overlap, leave the file or do not fit the shape.
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
    """The sentence for a file that the system does not give."""
    if isinstance(error, PermissionError):
        return InvalidParams(f"{path} may not be read by you: change its permissions, or copy it.", field)
    if isinstance(error, FileNotFoundError):
        return InvalidParams(f"There is no {path}: give the path of a .safetensors file, its index or a folder.", field)
    return InvalidParams(f"{path} cannot be read ({error.strerror or error}): check the disk, or copy it.", field)


def pickled(path: Path, field: str | None) -> InvalidParams:
    """The refusal of a pickle checkpoint, with the way around it."""
    if path.suffix == ".json":
        how = "transformers' from_pretrained and save_pretrained"
    else:
        call = f"torch.load({path.name!r}, weights_only=True), {path.with_suffix('.safetensors').name!r}"
        how = f"safetensors.torch.save_file({call}) or transformers' save_pretrained"
    return InvalidParams(
        f"{path} is a pickle checkpoint, which can run code when it is opened: convert it where you trust it, with "
        f"{how}, and open the result.",
        field,
    )


def _header_length(path: Path, prefix: bytes, size: int, field: str | None) -> int:
    if prefix.startswith(_PICKLE_BEGINNINGS):
        raise pickled(path, field)
    if len(prefix) < _PREFIX_BYTES:
        raise _damaged(path, f"is {size} bytes long, and a safetensors file begins with 8", field)
    length = int.from_bytes(prefix, "little")
    if length > LARGEST_HEADER_BYTES:
        raise _damaged(
            path,
            f"announces a header of {length:,} bytes, where {LARGEST_HEADER_BYTES:,} is the most there can be: it is "
            "no safetensors file, or a corrupt one",
            field,
        )
    if length > size - _PREFIX_BYTES:
        raise _damaged(path, f"ends inside its header ({size:,} bytes, and the header alone takes {length:,})", field)
    return length


def _entries(path: Path, text: bytes, field: str | None) -> dict[str, Any]:
    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise _damaged(path, f"names {twice} twice in its header", field)
        return fields

    try:
        entries: Any = json.loads(text.decode(), object_pairs_hook=each_once)
        if not isinstance(entries, dict):
            raise _damaged(path, "has a header that lists no tensors", field)
        "".join(entries).encode()  # JSON can escape what is no character
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "has a header that is not JSON", field) from error
    return entries


def _tensor(name: str, entry: Any, shard: Shard, start: int, field: str | None) -> StoredTensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(number) is int and 0 <= number < _MOST for number in (*shape, begin, end))
        if not whole or type(dtype) is not str or begin > end or math.prod(shape) >= _MOST:
            raise ValueError
    except (TypeError, KeyError, ValueError) as error:
        raise _damaged(shard.path, f"describes {name} in a way that makes no tensor", field) from error
    tensor = StoredTensor(name, dtype, shape, shard, start + begin, start + end)
    expected = ELEMENT_BYTES.get(dtype)
    if expected is not None and tensor.bytes != expected * tensor.elements:
        raise _damaged(
            shard.path,
            f"gives {name} {tensor.bytes:,} bytes, and {dtype} {list(shape)} takes {expected * tensor.elements:,}",
            field,
        )
    return tensor


def _check_layout(path: Path, tensors: list[StoredTensor], size: int, field: str | None) -> None:
    before: StoredTensor | None = None
    for tensor in tensors:
        if tensor.end > size:
            missing = format_quantity(tensor.end - size, "bytes")
            raise _damaged(path, f"is truncated: {tensor.name} ends {missing} behind the end of the file", field)
        if before is not None and tensor.begin < before.end:
            raise _damaged(path, f"lets the bytes of {before.name} and {tensor.name} overlap", field)
        before = tensor if tensor.bytes else before


def _damaged(path: Path, because: str, field: str | None) -> InvalidParams:
    return InvalidParams(f"{path} {because}: download or save it again.", field)
