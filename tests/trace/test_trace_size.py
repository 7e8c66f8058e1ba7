"""The size of a trace is known while it grows, with what counting it will take."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given

from core.trace.affine import Affine, Term
from core.trace.encoder import Encoder
from core.trace.record import Access, AccessKind, Buffer, Launch
from core.trace.rows import row_count, rows_of
from core.trace.size import TraceSize, TraceTooLarge
from core.trace.tables import tables
from tests.trace.random_launches import launches

LANES, BLOCK = 64, 1024
BUDGET_SHARE = 5
"""The budget is so many times the limit of a trace."""


def scattered(kind: AccessKind) -> Launch:
    """One access of LANES programs to every other element, in random order."""
    offsets = np.random.default_rng(13).permutation(LANES * BLOCK).reshape(LANES, BLOCK) * 2
    offset = Affine(1, 0, (Term(3, offsets, 0, int(offsets.max())),))
    access = Access(kind, 0, "k.py", 3, (), np.arange(LANES), (BLOCK,), offset, None, 4, 0)
    buffer = Buffer("y", "float32", 4, 8 * LANES * BLOCK, 4096, (2 * LANES * BLOCK,), (1,))
    return Launch("scatter", "k.py", 1, "", "", (LANES, 1, 1), (buffer,), (access,))


@given(launches())
def test_that_rows_are_counted_without_being_made(launch: Launch) -> None:
    for access in launch.accesses:
        rows = rows_of(access)
        touching = int((np.broadcast_to(rows.lengths, rows.shape) > 0).sum())
        assert touching <= row_count(access) <= rows.shape[0] * rows.shape[1]


@pytest.mark.parametrize("kind", ["load", "store", "atomic"])
def test_that_a_trace_at_its_limit_is_counted_and_encoded_within_the_budget(kind: AccessKind) -> None:
    launch, size = scattered(kind), TraceSize()
    with size.launch("scatter"):
        size.add(launch.accesses[0], "scatter")
        size._count()
        most = size.bytes + size.counting_bytes
    encoder = Encoder()
    tracemalloc.start()
    try:
        tables([launch])
        encoder.add(launch)
        encoder.arrays()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert launch.trace_bytes() + peak <= BUDGET_SHARE * most


def test_that_what_counting_takes_is_part_of_the_limit_and_free_after_the_launch() -> None:
    launch = scattered("store")
    size = TraceSize(launch.trace_bytes() * 3)
    with pytest.raises(TraceTooLarge, match="The trace of scatter does not fit"), size.launch("scatter"):
        size.add(launch.accesses[0], "scatter")
    assert (size.bytes, size.counting_bytes) == (0, 0)
    enough = TraceSize(launch.trace_bytes() * 6)
    with enough.launch("scatter"):
        enough.add(launch.accesses[0], "scatter")
    assert launch.trace_bytes() <= enough.bytes <= 2 * launch.trace_bytes()
    assert enough.counting_bytes == 0
