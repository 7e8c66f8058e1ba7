"""A real X server, Xvfb on its own display, for the tests and benchmarks that need a window."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


def is_available() -> bool:
    return shutil.which("Xvfb") is not None


@contextmanager
def x_server(width: int = 1600, height: int = 1000) -> Iterator[str]:
    """Start Xvfb on a free display and yield its name, e.g. ':3'. Afterwards it is stopped."""
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
        pass_fds=(write_end,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:  # the server writes its display number once it answers
            number = pipe.readline().strip()
        if not number:
            raise RuntimeError("Xvfb did not start.")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(timeout=10)
