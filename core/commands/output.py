"""Standard output and error of a command: output that is lost becomes one sentence, instead of a traceback."""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO

from core.contracts.errors import RunFailed
from core.contracts.text import tr
from core.files import reason_of


class _CheckedFile(io.FileIO):
    """A descriptor that is left open. After the first write that fails, it discards what it gets.

    So the streams above it can be flushed again, which the interpreter does when it ends.
    """

    def __init__(self, descriptor: int, *, is_essential: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._is_essential = is_essential
        self._has_failed = False

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if self._has_failed:
            return size
        try:
            return super().write(data)
        except OSError as error:
            self._has_failed = True
            if self._is_essential:
                sentence = tr("The output could not be written ({reason}).", reason=reason_of(error))
                raise RunFailed(sentence) from error
            return size


def check_output() -> None:
    """From now on, a write to stdout that fails raises RunFailed; one to stderr, which has only messages, is dropped.

    The descriptors are replaced below all buffers, because the parser and rich write to any of the layers, and end the
    program on their own when a pipe is closed.
    """
    sys.stdout = _checked(sys.stdout, is_essential=True)
    sys.stderr = _checked(sys.stderr, is_essential=False)


def _checked(stream: TextIO, *, is_essential: bool) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # closed before the program started
        return stream
    raw = _CheckedFile(stream.fileno(), is_essential=is_essential)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
