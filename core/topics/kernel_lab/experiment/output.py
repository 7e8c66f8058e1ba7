"""What a person's file prints: kept for the log of the page, its end at least."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TextIO

KEPT_CHARACTERS = 65536


class _Tee(io.TextIOBase):
    """Writes on to the worker's own log, where a crash finds it, and keeps the end."""

    def __init__(self, onwards: TextIO) -> None:
        self._onwards = onwards
        self._kept = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._onwards.write(text)
        self._kept = (self._kept + text)[-KEPT_CHARACTERS:]
        return len(text)

    def flush(self) -> None:
        self._onwards.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def text(self) -> str:
        return self._kept


@dataclass
class Log:
    """The end of what was written to stdout and stderr."""

    stdout: str = ""
    stderr: str = ""


@contextmanager
def collected() -> Iterator[Log]:
    """Collect stdout and stderr of the block; the log is complete when the block has ended."""
    log = Log()
    out, err = _Tee(sys.stdout), _Tee(sys.stderr)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield log
    finally:
        log.stdout, log.stderr = out.text(), err.text()
