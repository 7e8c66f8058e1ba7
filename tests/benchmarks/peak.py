"""How much memory a benchmark's own process took."""

from __future__ import annotations

import resource
from pathlib import Path


def peak_mib() -> float:
    """The most memory that this process had resident. Not getrusage: its peak is that of the parent at first."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
