"""Runs a user's own code in a process that was made for that run, and ended with it. Worker side."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from core.engine import frames

IS_SUPPORTED = hasattr(os, "fork") and hasattr(socket, "send_fds")
"""Where processes cannot be forked, user code runs in the worker; Triton does not exist there either."""

_POLL_S = 0.02
_MAX_NOTICE_BYTES = 4096
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from core.engine.nursery import main; main()"


class ProcessEnded(Exception):
    """The process of the user's code ended before its run did. `exit_code` is negative for a signal."""

    def __init__(self, exit_code: int | None) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Isolation:
    """Keeps one prepared process (`core.engine.nursery`), and replaces it when it is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._packages: dict[str, str] = {}

    def prepare(self, packages: Mapping[str, str]) -> None:
        """Start the process, which imports the experiments of these topics; does not wait for it."""
        with self._lock:
            self._packages.update(packages)
            if self._process is None or self._process.poll() is not None:
                self._start()

    def run(
        self,
        request: Mapping[str, Any],
        take: Callable[[bytes], bool],
        check: Callable[[], None],
    ) -> None:
        """Run in a new process. `take` gets each packed event and returns False after the last one.

        `check` is called repeatedly and may raise. Whatever ends the run, the process and all that it started are gone
        afterwards. Raises ProcessEnded, or ValueError where the process sent something that is not a message.
        """
        self.prepare({str(request["topic"]): str(request["package"])})
        control = self._control
        assert control is not None
        answers, theirs = socket.socketpair()
        with answers:
            with theirs:
                try:
                    socket.send_fds(control, [json.dumps(dict(request)).encode()], [theirs.fileno()])
                except OSError as error:
                    self._discard()
                    raise ProcessEnded(None) from error
            child = _Child(answers, control, check)
            try:
                while take(child.next_event()):
                    pass
            finally:
                self._end(child)

    def _start(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _PROGRAM,
                    json.dumps(sys.path),
                    str(theirs.fileno()),
                    json.dumps(self._packages),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def _end(self, child: _Child) -> None:
        if child.has_exited:
            return
        with suppress(OSError):
            assert self._control is not None
            self._control.sendall(b'{"end": true}')
        if not child.wait_for_exit():
            self._discard()

    def _discard(self) -> None:
        """Replace the prepared process at the next run."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None


class _Child:
    """Reads the events of a child, and its exit from the control socket."""

    def __init__(self, answers: socket.socket, control: socket.socket, check: Callable[[], None]) -> None:
        self._answers, self._control, self._check = answers, control, check
        self._exit_code: int | None = None
        self.has_exited = False

    def next_event(self) -> bytes:
        """The next packed event. Raises ProcessEnded when there will be none."""
        _, (packed,) = frames.read(self._exactly)
        return packed

    def wait_for_exit(self, timeout_s: float = 5.0) -> bool:
        """Whether the nursery reported the end of the child in time."""
        ready, _, _ = select.select([self._control], [], [], timeout_s)
        if ready:
            self._take_notice()
        return self.has_exited

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._check()
            ready, _, _ = select.select([self._answers, *([] if self.has_exited else [self._control])], [], [], _POLL_S)
            if self._control in ready:
                self._take_notice()
            if self._answers in ready:
                part = self._answers.recv(min(size - len(data), 1 << 20))
                if not part:
                    if not self.has_exited:
                        self.wait_for_exit()
                    raise ProcessEnded(self._exit_code)
                data += part
            elif self.has_exited and not ready:
                raise ProcessEnded(self._exit_code)  # a process that it started may hold the socket open
        return bytes(data)

    def _take_notice(self) -> None:
        notice = self._control.recv(_MAX_NOTICE_BYTES)
        self.has_exited = True
        if notice:
            self._exit_code = json.loads(notice).get("exit")
