"""Reuse: how often programs request the same bytes again, and how large a cache must be to serve these requests.

Two curves for a list of launches. Time is counted in element accesses, with programs one after another by linear id. A
GPU runs many programs at once, so the curves are properties of the access order, not predictions of a GPU's cache.

- working set: per equal window of time, the bytes requested, the distinct bytes, and the distinct bytes so far, in
  cache lines;
- hit share: the share of line requests that a fully associative LRU cache of a given size would serve. The distance of
  a request is the number of distinct lines requested since the last request of its line (Mattson et al. 1970); a cache
  with at least that many lines hits.

A request is one cache line of one contiguous row of a tile: elements of a row that share a line request it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.contracts.archive import Array
from core.trace.affine import IntArray
from core.trace.record import Launch
from core.trace.rows import rows_of

LINE_BYTES = 128
"""The size of a cache line on NVIDIA GPUs."""

MAX_REQUESTS = 1 << 22
"""Stack distances are exact up to this many requests; beyond, only a sample of the lines is followed."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reuse:
    """The curves. All byte counts are in whole cache lines.

    `window_ends` int64 [windows] are in element accesses; `window_bytes`, `window_distinct_bytes` and `seen_bytes` are
    int64 [windows]. `hit_share` float64 [sizes] belongs to `cache_bytes` int64 [sizes]; it never falls, and at its last
    value only first touches miss. `sampled_share` is the share of the lines that was followed, 1.0 for all.
    """

    window_ends: Array
    window_bytes: Array
    window_distinct_bytes: Array
    seen_bytes: Array
    cache_bytes: Array
    hit_share: Array
    sampled_share: float
    requests: int
    line_bytes: int = LINE_BYTES


def reuse(
    launches: Sequence[Launch], *, windows: int = 64, line_bytes: int = LINE_BYTES, max_requests: int = MAX_REQUESTS
) -> Reuse:
    """The curves of all accesses of `launches`, to every tensor, one launch after another."""
    time, line, total = requests(launches, line_bytes)
    ends = np.ceil(np.arange(1, windows + 1) * (total / windows)).astype(np.int64)
    edges = np.concatenate(([0], np.searchsorted(time, ends)))
    before = previous(line)
    fresh = before < 0
    in_window = before < np.repeat(edges[:-1], np.diff(edges))
    counts = (np.ones(len(line), dtype=np.bool_), in_window, fresh)
    requested, distinct, seen = (np.diff(np.concatenate(([0], flags.cumsum()))[edges]) for flags in counts)
    cache_bytes, share, sampled = _hit_curve(line, fresh, line_bytes, max_requests)
    return Reuse(
        window_ends=ends,
        window_bytes=requested * line_bytes,
        window_distinct_bytes=distinct * line_bytes,
        seen_bytes=seen.cumsum() * line_bytes,
        cache_bytes=cache_bytes,
        hit_share=share,
        sampled_share=sampled,
        requests=len(line),
        line_bytes=line_bytes,
    )


def requests(launches: Sequence[Launch], line_bytes: int = LINE_BYTES) -> tuple[IntArray, IntArray, int]:
    """Every request in order: its time (the element access that begins its row) and its line; and the end of time.

    Lines are numbered consecutively, in the order of their addresses.
    """
    times, lines, begin = [], [], 0
    for launch in launches:
        edges = _program_begins(launch) + begin
        cursor = edges[:-1].copy()
        for access in launch.accesses:
            rows = rows_of(access)
            lengths = np.broadcast_to(rows.lengths, (rows.lengths.shape[0], rows.shape[1]))
            row_times = cursor[access.programs][:, None] + lengths.cumsum(axis=1) - lengths
            cursor[access.programs] += rows.elements_per_lane()
            starts = launch.buffers[access.buffer].data_ptr + rows.starts * access.element_bytes
            time, first, length = (a.reshape(-1) for a in np.broadcast_arrays(row_times, starts, lengths))
            nonempty = length > 0
            time, first, length = time[nonempty], first[nonempty], length[nonempty] * access.element_bytes
            low, high = first // line_bytes, (first + length - 1) // line_bytes
            count = high - low + 1
            if bool((count == 1).all()):
                times.append(time)
                lines.append(low)
                continue
            inside = np.arange(int(count.sum())) - np.repeat(count.cumsum() - count, count)
            times.append(np.repeat(time, count))
            lines.append(np.repeat(low, count) + inside)
        begin = int(edges[-1])
    if not times:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), begin
    time, line = np.concatenate(times), np.concatenate(lines)
    order = np.argsort(time, kind="stable")
    return time[order], np.unique(line[order], return_inverse=True)[1].reshape(-1), begin


def _program_begins(launch: Launch) -> IntArray:
    per_program = np.zeros(launch.programs, dtype=np.int64)
    for access in launch.accesses:
        per_program[access.programs] += rows_of(access).elements_per_lane()
    return np.concatenate(([0], per_program.cumsum()))


def previous(line: IntArray) -> IntArray:
    """The index of the previous request of the same line, or -1."""
    order = np.argsort(line, kind="stable")
    again = line[order[1:]] == line[order[:-1]]
    before = np.full(len(line), -1, dtype=np.int64)
    before[order[1:][again]] = order[:-1][again]
    return before


def distances(line: IntArray) -> IntArray:
    """LRU stack distance of each request: distinct lines since the last request of its line, inclusive; 0 for a first
    request.

    The distance is the gap between the two requests minus the (previous, current) pairs nested inside the gap, since
    those lines are counted again later. A wavelet tree counts the pairs.
    """
    before = previous(line)
    again = np.flatnonzero(before >= 0)
    nested = np.zeros(len(line), dtype=np.int64)
    nested[again] = _greater_before(before[again])
    return np.where(before >= 0, np.arange(len(line)) - before - nested, 0)


def _greater_before(values: IntArray) -> IntArray:
    """For each of the distinct `values`, the number of earlier, greater values: a wavelet tree, n log n.

    On each level, a node holds the ranks that share their upper bits, in order. A rank with a zero as its next bit is
    smaller than the earlier ranks with a one. Ranks are a permutation, so a node begins at its lowest rank.
    """
    n = len(values)
    ranks = np.empty(n, dtype=np.int32)
    by_value = np.argsort(values, kind="stable")
    ranks[by_value] = np.arange(n, dtype=np.int32)
    greater = np.zeros(n, dtype=np.int32)
    node = ranks
    for level in reversed(range(int(max(n - 1, 0)).bit_length())):
        one = (node >> level) & 1
        start = node >> (level + 1) << (level + 1)
        ones = np.concatenate((np.zeros(1, dtype=np.int32), one.cumsum(dtype=np.int32)))
        before = ones[:-1] - ones[start]
        zero = one == 0
        greater[node[zero]] += before[zero]
        place = np.where(zero, np.arange(n, dtype=np.int32) - before, start + (1 << level) + before)
        following = np.empty_like(node)
        following[place] = node
        node = following
    return greater[ranks].astype(np.int64)


def _hit_curve(
    line: IntArray, fresh: npt.NDArray[np.bool_], line_bytes: int, limit: int
) -> tuple[IntArray, FloatArray, float]:
    """Hit share per cache size (powers of two), and the share of the lines that was followed."""
    followed, scale, share = line, 1, 1.0
    if len(line) > limit:
        # Lines chosen by a hash represent all lines; their distances are shorter by the sampling factor (SHARDS,
        # Waldspurger et al. 2015). If one line receives a large share of all requests, the curve depends on whether it
        # is in the sample, so it is less accurate than for evenly distributed requests.
        scale = -(-len(line) // limit)
        chosen = ((line * np.int64(0x9E3779B1)) >> 12) % scale == 0
        followed = line[chosen]
        share = 1.0 / scale
    distance = distances(followed) * scale
    lines = max(1, int(line.max(initial=0)) + 1)
    sizes = 1 << np.arange(0, int(lines - 1).bit_length() + 1, dtype=np.int64)
    hits = np.searchsorted(np.sort(distance[distance > 0]), sizes, side="right")
    shares = hits / max(1, len(followed))
    if share < 1 and len(followed):
        # The number of first touches is known exactly, so the sample is corrected for it.
        sampled_hits = np.count_nonzero(distance > 0) / len(followed)
        shares *= (1 - np.count_nonzero(fresh) / len(line)) / max(sampled_hits, 1e-12)
    return sizes * line_bytes, np.minimum(shares, 1.0), share
