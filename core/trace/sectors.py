"""The share of the touched 32-byte sectors that a tile uses: the coalescing that addresses alone show.

GPUs move memory in sectors of 32 bytes (NVIDIA, CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory").
Here all elements that one program loads or stores at once count as one request, each sector once. The hardware splits a
tile among warps and requests a sector again for each warp that shares it, so this is a lower bound of the traffic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.trace.affine import IntArray
from core.trace.record import Access, AccessKind, Launch
from core.trace.rows import rows_of
from core.trace.traffic import covered, union

SECTOR_BYTES = 32
MOST_ACCESSES = 64
MOST_ROWS = 1 << 18
"""Beyond these limits, evenly spaced accesses of a line and programs of an access are sampled."""


@dataclass(frozen=True)
class SectorUse:
    """Sector use of one source line and tensor: the tiles use `used_bytes` of `sector_bytes`, of the sampled tiles."""

    buffer: str
    kind: AccessKind
    file: str
    line: int
    used_bytes: int
    sector_bytes: int
    is_sampled: bool

    @property
    def share(self) -> float:
        """Used over moved bytes, 0 to 1; 1 if nothing was touched."""
        return self.used_bytes / self.sector_bytes if self.sector_bytes else 1.0


def sector_use(launch: Launch) -> tuple[SectorUse, ...]:
    """Every line of `launch` that accesses a tensor, in the order of their first accesses."""
    sites: dict[tuple[int, AccessKind, str, int], list[Access]] = {}
    for access in launch.accesses:
        sites.setdefault((access.buffer, access.kind, access.file, access.line), []).append(access)
    return tuple(_use(launch, accesses) for accesses in sites.values())


def _use(launch: Launch, accesses: Sequence[Access]) -> SectorUse:
    first, buffer = accesses[0], launch.buffers[accesses[0].buffer]
    chosen = _spread(len(accesses), MOST_ACCESSES)
    counted = [_tiles(accesses[i], buffer.data_ptr) for i in chosen]
    return SectorUse(
        buffer=buffer.name,
        kind=first.kind,
        file=first.file,
        line=first.line,
        used_bytes=sum(used for used, _, _ in counted),
        sector_bytes=sum(moved for _, moved, _ in counted),
        is_sampled=len(chosen) < len(accesses) or any(sampled for _, _, sampled in counted),
    )


def _tiles(access: Access, data_ptr: int) -> tuple[int, int, bool]:
    """Distinct bytes and sector bytes, summed over tiles, and whether only some programs were sampled."""
    rows = rows_of(access)
    lanes, per_lane = rows.shape
    chosen = _spread(lanes, max(1, MOST_ROWS // max(1, per_lane)))
    starts, lengths = (
        np.broadcast_to(part[chosen] if part.shape[0] > 1 else part, (len(chosen), per_lane))
        for part in (rows.starts, rows.lengths)
    )
    begin = data_ptr + starts * access.element_bytes
    end = begin + lengths * access.element_bytes
    used = _distinct(begin, end, lengths > 0)
    moved = _distinct(begin // SECTOR_BYTES, -(-end // SECTOR_BYTES), lengths > 0) * SECTOR_BYTES
    return used, moved, len(chosen) < lanes


def _distinct(begin: IntArray, end: IntArray, touched: np.ndarray) -> int:
    """Units in the union of each lane's half-open intervals [lanes, rows], summed over lanes."""
    if not touched.any():
        return 0
    low, high = int(begin[touched].min()), int(end[touched].max())
    apart = np.arange(len(begin), dtype=np.int64)[:, None] * (high - low + 1)
    spans = np.stack(((begin - low + apart)[touched], (end - low + apart)[touched]), axis=1)
    return covered(union([spans]))


def _spread(count: int, most: int) -> IntArray:
    """At most `most` of `count` indices, evenly spaced."""
    step = math.ceil(count / most) if count else 1
    return np.arange(0, count, step, dtype=np.int64)
