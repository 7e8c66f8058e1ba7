"""Counts the accesses of a launch in a form that two executions can be compared by."""

from __future__ import annotations

from collections import Counter

from core.trace.record import Launch


def access_counts(launch: Launch) -> Counter[tuple[object, ...]]:
    """Every access of every program, with its addresses; how programs were put together does not matter."""
    counts: Counter[tuple[object, ...]] = Counter()
    rank: Counter[int] = Counter()
    for access in launch.accesses:
        offsets, active = access.offsets(), access.active()
        place = (access.kind, launch.buffers[access.buffer].name, access.line, access.iteration)
        for lane, program in enumerate(access.programs.tolist()):
            rank[program] += 1
            counts[(program, rank[program], *place, hash(offsets[lane].tobytes()), hash(active[lane].tobytes()))] += 1
    return counts
