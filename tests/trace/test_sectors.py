"""Sectors against a count of single bytes."""

from __future__ import annotations

import pytest
from hypothesis import given

from core.contracts.claims import Verdict
from core.topics.kernel_lab.claims import whole_sectors
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import KernelLabResult
from core.trace import sectors
from core.trace.record import Launch
from core.trace.sectors import SECTOR_BYTES, sector_use
from core.trace.tables import LineRow, SectorRow
from tests.trace.random_launches import launches


def counted(launch: Launch) -> dict[tuple[str, str, str, int], list[int]]:
    """Used and moved bytes of each line, element by element."""
    sums: dict[tuple[str, str, str, int], list[int]] = {}
    for access in launch.accesses:
        buffer = launch.buffers[access.buffer]
        key = (buffer.name, access.kind, access.file, access.line)
        total = sums.setdefault(key, [0, 0])
        for offsets, active in zip(access.offsets(), access.active(), strict=True):
            used = {
                buffer.data_ptr + int(offset) * access.element_bytes + byte
                for offset in offsets[active].reshape(-1)
                for byte in range(access.element_bytes)
            }
            total[0] += len(used)
            total[1] += len({byte // SECTOR_BYTES for byte in used}) * SECTOR_BYTES
    return sums


@given(launches())
def test_that_sectors_are_those_of_the_single_bytes(launch: Launch) -> None:
    uses = sector_use(launch)
    assert not any(use.is_sampled for use in uses)
    by_line = {(use.buffer, use.kind, use.file, use.line): [use.used_bytes, use.sector_bytes] for use in uses}
    assert by_line == counted(launch)
    assert all(0 < use.share <= 1 for use in uses)


@given(launches())
def test_that_a_sample_is_a_part_and_says_so(launch: Launch) -> None:
    whole = {(u.buffer, u.kind, u.file, u.line): u for u in sector_use(launch)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sectors, "MOST_ACCESSES", 1)
        patch.setattr(sectors, "MOST_ROWS", 4)
        sampled = sector_use(launch)
    for use in sampled:
        complete = whole[(use.buffer, use.kind, use.file, use.line)]
        assert use.used_bytes <= complete.used_bytes
        assert use.is_sampled or use.used_bytes == complete.used_bytes


def result(*lines: tuple[int, float]) -> KernelLabResult:
    """A result whose lines move so many bytes and use such a share of their sectors."""
    return KernelLabResult(
        params=KernelLabParams(),
        line_traffic=tuple(
            LineRow(0, "k", "k.py", number, "load", "x_ptr", 0, count, 0, 0.0, 0.0)
            for number, (count, _) in enumerate(lines)
        ),
        sectors=tuple(
            SectorRow(0, "k", "k.py", number, "load", "x_ptr", share, sampled=False)
            for number, (_, share) in enumerate(lines)
        ),
    )


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ([(1000, 1.0), (4, 0.125)], Verdict.HOLDS),
        ([(1000, 1.0), (1000, 0.5)], Verdict.HOLDS_WITH_LIMIT),
        ([(1000, 1.0), (1000, 0.125)], Verdict.DOES_NOT_HOLD),
        ([(0, 1.0)], Verdict.NOT_TESTED),
        ([], Verdict.NOT_TESTED),
    ],
)
def test_that_lines_weigh_as_much_as_they_move(lines: list[tuple[int, float]], verdict: Verdict) -> None:
    finding = whole_sectors(result(*lines))
    assert finding.verdict is verdict
    if verdict is Verdict.DOES_NOT_HOLD:
        assert "k.py:1, which uses 12.5% of 8.00 kB" in str(finding.evidence)
