"""Messages between the engine and its worker process: a JSON header, followed by frames of bytes.

Nothing in a message can execute. Sizes are checked before memory is reserved, because either end may be broken.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

_LENGTH = struct.Struct(">Q")
MAX_HEADER_BYTES = 16 << 20
MAX_FRAMES_BYTES = 4 << 30
"""Of all frames of a message together."""


def pack(header: dict[str, Any], frames: Sequence[bytes] = ()) -> list[bytes]:
    """The parts of a message, to be written one after another. Raises TypeError for what JSON does not hold, and
    ValueError for what the other end would not read."""
    head = json.dumps({**header, "frames": [len(frame) for frame in frames]}).encode()
    if len(head) > MAX_HEADER_BYTES or sum(map(len, frames)) > MAX_FRAMES_BYTES:
        raise ValueError("a message that is too large")
    return [_LENGTH.pack(len(head)), head, *frames]


def read(read_exactly: Callable[[int], bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """The next message. `read_exactly(n)` returns n bytes or raises EOFError. Raises ValueError for anything else."""
    header = _header(read_exactly(_checked_length(read_exactly(_LENGTH.size))))
    return header, [read_exactly(size) for size in header.pop("frames")]


async def read_async(read_exactly: Callable[[int], Awaitable[bytes]]) -> tuple[dict[str, Any], list[bytes]]:
    """`read` for a coroutine function, such as `asyncio.StreamReader.readexactly`."""
    header = _header(await read_exactly(_checked_length(await read_exactly(_LENGTH.size))))
    return header, [await read_exactly(size) for size in header.pop("frames")]


def _checked_length(prefix: bytes) -> int:
    (length,) = _LENGTH.unpack(prefix)
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes")
    return int(length)


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except RecursionError as error:
        raise ValueError("not a message") from error
    sizes = header.get("frames") if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("not a message")
    if sum(sizes) > MAX_FRAMES_BYTES:
        raise ValueError("a message that is too large")
    return header  # type: ignore[no-any-return]
