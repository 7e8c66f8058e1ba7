"""The tables that a topic shows of the kernels it traced: bytes by tensor, by source line, and the sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from core.contracts.result import Row
from core.trace.record import Launch
from core.trace.traffic import traffic

_ROOT = Path(__file__).resolve().parents[2]


def kernel_tables(kernel: str, launches: Sequence[Launch], tensor_of: Mapping[str, str]) -> dict[str, list[Row]]:
    """'traffic', 'lines' and 'sources' of one kernel, which may launch several functions.

    `tensor_of` names the tensor behind a pointer argument; one that is not known keeps its own name, so that nothing is
    hidden.
    """
    tables: dict[str, list[Row]] = {"traffic": [], "lines": [], "sources": []}
    for launch in launches:
        about = {"kernel": kernel, "function": launch.function}
        counted = traffic(launch)
        for buffer in counted.buffers:
            tables["traffic"].append(
                {
                    **about,
                    "tensor": tensor_of.get(buffer.buffer, buffer.buffer),
                    "read_bytes": buffer.read_bytes,
                    "written_bytes": buffer.written_bytes,
                    "unique_bytes": buffer.unique_bytes,
                }
            )
        for line in counted.lines:
            tables["lines"].append(
                {
                    **about,
                    "file": shown_path(line.file),
                    "line": line.line,
                    "op": line.kind,
                    "tensor": tensor_of.get(line.buffer, line.buffer),
                    "accesses": line.accesses,
                    "bytes": line.bytes,
                    "masked_share": line.masked_share,
                }
            )
        tables["sources"].append(
            {
                **about,
                "file": shown_path(launch.file),
                "first_line": launch.first_line,
                "text": launch.source,
                "ttir": launch.ttir,
            }
        )
    return tables


def shown_path(file: str) -> str:
    """Relative to the project where it lies inside, so that a result tells nothing about the machine."""
    path = Path(file)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name
