"""The end of a log file."""

from __future__ import annotations

import os
from pathlib import Path

_BYTES = 8192


def tail_of(path: Path) -> str:
    """The last lines of the file; '' where it cannot be read."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _BYTES))
            return log.read().decode(errors="replace").strip()
    except OSError:
        return ""
