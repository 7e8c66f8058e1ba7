"""A limit on this process's memory: what exceeds it raises an error, instead of the system ending the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.hardware.host import host_facts

_STATUS = Path("/proc/self/status")
_SHARE_OF_FREE = 0.9


@contextmanager
def limited_to_free_memory() -> Iterator[None]:
    """Until the block ends, this process may take nine tenths of the memory that is free now, and no more.

    An allocation beyond that fails, which torch and numpy report as an error. Does nothing where the system has no such
    limit (only Linux counts what a process has allocated).
    """
    held = _data_bytes()
    if held is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = held + int(_SHARE_OF_FREE * host_facts().available_memory_bytes)
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int | None:
    """What counts towards the limit: the private writable memory of this process; None outside Linux."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    sizes = [line.split()[1] for line in lines if line.startswith("VmData:")]
    return int(sizes[0]) * 1024 if sizes else None
