"""Reads the bytes of a tensor slice by slice into one reused buffer. No torch.

Slices are read with `readinto` and not memory-mapped: mapped pages count as this process's memory until the operating
system reclaims them, so a large file would appear to be held in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.header import Shard, StoredTensor
from core.checkpoint.stored_types import ELEMENT_BYTES
from core.contracts.errors import TilescopeError
from core.contracts.text import Text, sentences, tr
from core.files import reason_of

SLICE_ELEMENTS = 1 << 22
"""Elements per slice: a multiple of every block size; 8 MiB of bf16."""

_NUMPY = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64, "I32": np.int32}
_NUMPY |= {"I8": np.int8, **dict.fromkeys(("U8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), np.uint8)}

Stored = NDArray[Any]


class FileChanged(TilescopeError):
    """A shard was removed, truncated or written while it was read."""


def slices(tensor: StoredTensor, elements: int = SLICE_ELEMENTS) -> Iterator[Stored]:
    """The tensor's elements in order, at most `elements` at a time: 1-D arrays of the stored type; bfloat16 as uint16
    bits. Each array is a view of a buffer that the next one overwrites.

    Raises FileChanged if the file has changed since its header was read.
    """
    width = ELEMENT_BYTES[tensor.dtype]
    buffer = memoryview(bytearray(min(elements, tensor.elements) * width))
    with _opened(tensor) as file:
        for begin in range(tensor.begin, tensor.end, elements * width):
            part = buffer[: min(elements * width, tensor.end - begin)]
            _check_same(file, tensor.shard)
            _read_into(file, begin, part, tensor.shard)
            yield np.frombuffer(part, dtype=_NUMPY[tensor.dtype])
        _check_same(file, tensor.shard)


def read_stored(tensor: StoredTensor, first: int, last: int) -> Stored:
    """The elements from `first` to before `last`, as numbers of the stored type; 8-bit floats as their codes, bfloat16
    as uint16 bits. Raises FileChanged."""
    width = ELEMENT_BYTES[tensor.dtype]
    return read_bytes(tensor, first * width, last * width).view(_NUMPY[tensor.dtype])


def read_bytes(tensor: StoredTensor, first: int, last: int) -> NDArray[np.uint8]:
    """The tensor's bytes from `first` to before `last`. Raises FileChanged."""
    part = memoryview(bytearray(last - first))
    with _opened(tensor) as file:
        _read_into(file, tensor.begin + first, part, tensor.shard)
        _check_same(file, tensor.shard)
    return np.frombuffer(part, dtype=np.uint8)


@contextmanager
def _opened(tensor: StoredTensor) -> Iterator[Any]:
    """The tensor's file, unbuffered. A refusal of the system becomes FileChanged."""
    try:
        with tensor.shard.path.open("rb", buffering=0) as file:
            yield file
    except OSError as error:
        reason = reason_of(error)
        text = tr("{file} can no longer be read ({reason}).", file=str(tensor.shard.path), reason=reason)
        raise _changed(text) from error


def _read_into(file: Any, begin: int, part: memoryview, shard: Shard) -> None:
    file.seek(begin)
    filled = 0
    while filled < len(part):
        count = file.readinto(part[filled:])
        if not count:
            raise _changed(tr("{file} ended before its last tensor.", file=str(shard.path)))
        filled += count


def _check_same(file: Any, shard: Shard) -> None:
    facts = os.fstat(file.fileno())
    if (facts.st_size, facts.st_mtime_ns) != (shard.size, shard.mtime_ns):
        raise _changed(tr("{file} was written while it was read.", file=str(shard.path)))
    if facts.st_nlink == 0:
        raise _changed(tr("{file} was deleted while it was read.", file=str(shard.path)))


def _changed(text: Text) -> FileChanged:
    kept = tr("The tensors measured so far are kept; open the file again when it is complete.")
    return FileChanged(sentences(text, kept))
