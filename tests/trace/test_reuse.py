"""Working sets and LRU hits against a cache that is simulated request by request."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.trace.affine import from_array
from core.trace.record import Access, Buffer, Launch
from core.trace.reuse import distances, requests, reuse
from tests.trace.random_launches import elements, launches


def lru_hits(lines: list[int], size: int) -> int:
    cache: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for line in lines:
        hits += line in cache
        cache[line] = None
        cache.move_to_end(line)
        if len(cache) > size:
            cache.popitem(last=False)
    return hits


@given(st.lists(st.integers(0, 12), max_size=60))
@settings(deadline=None)
def test_that_a_cache_of_a_distance_hits(lines: list[int]) -> None:
    measured = distances(np.array(lines, dtype=np.int64))
    for size in range(1, 15):
        assert int(((measured > 0) & (measured <= size)).sum()) == lru_hits(lines, size)


@given(launches())
@settings(max_examples=60, deadline=None)
def test_that_requests_cover_every_element(launch: Launch) -> None:
    times, lines, total = requests([launch], 16)
    touched = [
        (launch.buffers[access.buffer].data_ptr + byte + offset) // 16
        for access, _, byte in elements(launch)
        for offset in (0, access.element_bytes - 1)
    ]
    assert total == sum(1 for _ in elements(launch))
    assert (np.diff(times) >= 0).all()
    assert len(set(lines.tolist())) == len(set(touched))
    if not touched:
        return
    assert times[-1] < total


@given(launches(), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_that_the_curves_are_those_of_a_simulated_cache(launch: Launch, windows: int) -> None:
    curves = reuse([launch], windows=windows, line_bytes=16)
    times, lines, _ = requests([launch], 16)
    seen: set[int] = set()
    begin = 0
    for window, end in enumerate(curves.window_ends):
        inside = lines[(times >= begin) & (times < end)].tolist()
        seen |= set(inside)
        assert curves.window_bytes[window] == 16 * len(inside)
        assert curves.window_distinct_bytes[window] == 16 * len(set(inside))
        assert curves.seen_bytes[window] == 16 * len(seen)
        begin = int(end)
    for size, share in zip(curves.cache_bytes, curves.hit_share, strict=True):
        assert share == pytest.approx(lru_hits(lines.tolist(), int(size) // 16) / max(1, len(lines)))
    assert curves.sampled_share == 1.0


def scattered(programs: int, tile: int, span: int) -> Launch:
    rng = np.random.default_rng(0)
    offset = from_array(rng.exponential(span / 16, (programs, tile)).astype(np.int64) % span, 1)
    access = Access("load", 0, "k.py", 7, (), np.arange(programs), (tile,), offset, None, 4, 0)
    return Launch("k", "k.py", 1, "", "", (programs, 1, 1), (Buffer("x_ptr", "float32", 4, 4 * span, 0),), (access,))


def test_that_a_sample_is_close_to_the_whole_and_says_so() -> None:
    launch = scattered(200, 1000, 1 << 20)
    whole = reuse([launch])
    sample = reuse([launch], max_requests=50_000)
    assert whole.sampled_share == 1.0
    assert 0 < sample.sampled_share < 1
    assert np.abs(sample.hit_share - whole.hit_share).max() < 0.08
    np.testing.assert_array_equal(sample.seen_bytes, whole.seen_bytes)
