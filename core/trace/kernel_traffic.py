"""The traffic of the kernels that a topic traced: bytes per tensor and per source line, and the sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.contracts.result import KernelSource, LineTraffic
from core.trace.record import Launch
from core.trace.traffic import traffic

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class TensorTraffic:
    """Bytes that one function of a kernel read from a tensor and wrote to it, and how many of them are distinct.

    `function` is '' if the functions of a kernel are counted together.
    """

    kernel: str
    function: str
    tensor: str
    read_bytes: int
    written_bytes: int
    unique_bytes: int

    @property
    def bytes(self) -> int:
        """Read and written together."""
        return self.read_bytes + self.written_bytes


@dataclass(frozen=True)
class KernelTraffic:
    """All traffic of kernels. Traced."""

    traffic: tuple[TensorTraffic, ...] = ()
    lines: tuple[LineTraffic, ...] = ()
    sources: tuple[KernelSource, ...] = ()

    def __add__(self, other: KernelTraffic) -> KernelTraffic:
        return KernelTraffic(self.traffic + other.traffic, self.lines + other.lines, self.sources + other.sources)


def kernel_traffic(kernel: str, launches: Sequence[Launch], tensor_of: Mapping[str, str]) -> KernelTraffic:
    """The traffic of one kernel, which may launch several functions.

    `tensor_of` names the tensor behind a pointer argument. An unknown argument keeps its own name, so that nothing is
    hidden.
    """
    whole = KernelTraffic()
    for launch in launches:
        counted, function = traffic(launch), launch.function
        whole += KernelTraffic(
            tuple(
                TensorTraffic(
                    kernel,
                    function,
                    tensor_of.get(buffer.buffer, buffer.buffer),
                    buffer.read_bytes,
                    buffer.written_bytes,
                    buffer.unique_bytes,
                )
                for buffer in counted.buffers
            ),
            tuple(
                LineTraffic(
                    kernel,
                    function,
                    shown_path(line.file),
                    line.line,
                    line.kind,
                    tensor_of.get(line.buffer, line.buffer),
                    line.accesses,
                    line.bytes,
                    line.masked_share,
                )
                for line in counted.lines
            ),
            (KernelSource(kernel, function, shown_path(launch.file), launch.first_line, launch.source, launch.ttir),),
        )
    return whole


def moved_bytes(traffic: Iterable[TensorTraffic]) -> int:
    """Bytes read and written together."""
    return sum(row.bytes for row in traffic)


def by_tensor(traffic: Iterable[TensorTraffic]) -> tuple[TensorTraffic, ...]:
    """One entry per kernel and tensor, in order of appearance: the functions of a kernel added up.

    The functions are assumed to touch the same bytes, so `unique_bytes` is the largest of theirs.
    """
    sums: dict[tuple[str, str], TensorTraffic] = {}
    for row in traffic:
        kernel, tensor = key = row.kernel, row.tensor
        before = sums.get(key, TensorTraffic(kernel, "", tensor, 0, 0, 0))
        sums[key] = TensorTraffic(
            kernel,
            "",
            tensor,
            before.read_bytes + row.read_bytes,
            before.written_bytes + row.written_bytes,
            max(before.unique_bytes, row.unique_bytes),
        )
    return tuple(sums.values())


def shown_path(file: str) -> str:
    """The path relative to the project, or only the file name outside it, so that results hold no machine paths."""
    path = Path(file)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name
