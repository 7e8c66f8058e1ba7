"""The tiles that the programs of a launch load through one pointer, and the offset of each tile."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.trace.affine import Affine, IntArray
from core.trace.record import Access, Launch


def loads_of(launch: Launch, argument: str) -> list[Access]:
    """The loads through one pointer argument, e.g. 'k_ptr'."""
    return [a for a in launch.accesses if a.kind == "load" and launch.buffers[a.buffer].name == argument]


def tiles_visited(launch: Launch, argument: str) -> int:
    """Tiles that all programs of a launch loaded through `argument`."""
    return sum(access.programs.size for access in loads_of(launch, argument))


def first_offset(access: Access) -> IntArray:
    """Offset in elements of the first element of each lane's tile, [lanes]. Does not materialise the tiles."""
    offset = access.offset
    lanes = access.programs.size
    if not isinstance(offset, Affine):
        return np.full(lanes, offset, dtype=np.int64)
    total = np.full(lanes, offset.constant, dtype=np.int64)
    for term in offset.terms:
        total += np.broadcast_to(term.array.reshape(term.array.shape[0], -1)[:, 0], (lanes,))
    return total


def in_launch_order(loads: Iterable[IntArray]) -> tuple[IntArray, IntArray, IntArray]:
    """Program, iteration within the program and tile of every load, int64 [loads] each, program by program.

    `loads` are [n, 3] of (program, order of the access, tile).
    """
    program, order, tile = np.concatenate([np.empty((0, 3), dtype=np.int64), *loads]).T
    launch_order = np.lexsort((order, program))
    program, tile = program[launch_order], tile[launch_order]
    return program, np.arange(program.size) - np.searchsorted(program, program), tile
