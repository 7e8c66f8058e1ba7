"""What a launch has to move: each distinct byte that it reads, once, and each that it writes, once.

`traffic` counts what the programs request, and a cache answers most of that. This is the other limit: a launch that
begins with an empty cache, which then holds everything until the launch ends. A GPU's memory traffic lies between the
two; that of a well-tiled kernel is near this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.trace.record import Launch
from core.trace.traffic import distinct_elements, traffic


@dataclass(frozen=True)
class DistinctTraffic:
    """Between one launch and one tensor argument."""

    function: str
    buffer: str
    read_bytes: int
    written_bytes: int

    @property
    def bytes(self) -> int:
        """Read and written together."""
        return self.read_bytes + self.written_bytes


def distinct_traffic(launch: Launch) -> tuple[DistinctTraffic, ...]:
    """One entry per tensor argument, in order. An atomic counts as a read and a write."""
    return tuple(
        DistinctTraffic(
            launch.function,
            buffer.name,
            distinct_elements(launch, index, reads=True) * buffer.element_bytes,
            distinct_elements(launch, index, reads=False) * buffer.element_bytes,
        )
        for index, buffer in enumerate(launch.buffers)
    )


@dataclass(frozen=True)
class LaunchTotals:
    """What all programs of a launch request, and the distinct bytes among them, over all tensors."""

    function: str
    read_bytes: int
    written_bytes: int
    distinct_read_bytes: int
    distinct_written_bytes: int

    @property
    def bytes(self) -> int:
        """Requested, read and written together."""
        return self.read_bytes + self.written_bytes

    @property
    def distinct_bytes(self) -> int:
        """Distinct, read and written together."""
        return self.distinct_read_bytes + self.distinct_written_bytes


def launch_totals(launches: Sequence[Launch]) -> tuple[LaunchTotals, ...]:
    """The totals of each launch, in order."""
    totals = []
    for launch in launches:
        requested, distinct = traffic(launch), distinct_traffic(launch)
        totals.append(
            LaunchTotals(
                launch.function,
                requested.read_bytes,
                requested.written_bytes,
                sum(row.read_bytes for row in distinct),
                sum(row.written_bytes for row in distinct),
            )
        )
    return tuple(totals)
