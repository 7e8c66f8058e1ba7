"""Runs a user's own code in a process that was made for that run, and ended with it. Worker side."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from core.engine import frames, process_flags, processes
from core.engine.run_request import RunRequest

if TYPE_CHECKING:
    from core.contracts.topic import Topic

IS_SUPPORTED = sys.platform == "linux"
"""Elsewhere there is no fork (Windows), or no safe one and no socket of whole messages (macOS): user code runs in the
worker. Triton does not exist there either."""

_POLL_S = 0.02
_END_TIMEOUT_S = 1.0
"""How long the prepared process may take to end a child, less than the engine's patience with a cancel: it may still
be importing, and is replaced after that."""

_CLOCK_S = 1.0
"""How far the start of a process may be off: the system counts from a boot that it knows to the second."""

_EXIT_TIMEOUT_S = 5.0
"""How long a child may go on after it has closed its socket."""

_MAX_NOTICE_BYTES = 4096


def is_for(topic: Topic) -> bool:
    """Whether the runs of the topic take a process of their own."""
    return topic.runs_user_code and IS_SUPPORTED


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
        request: RunRequest,
        take: Callable[[bytes], bool],
        check: Callable[[], None],
    ) -> None:
        """Run in a new process. `take` gets each packed event and returns False after the last one.

        `check` is called repeatedly and may raise. Whatever ends the run, the process and all that it started are gone
        afterwards. Raises ProcessEnded, or ValueError where the process sent something that is not a message.
        """
        self.prepare({request.topic: request.package})
        control, started_at = self._control, time.time()
        assert control is not None
        answers, theirs = socket.socketpair()
        with answers:
            with theirs:
                try:
                    socket.send_fds(control, [json.dumps(request.as_json()).encode()], [theirs.fileno()])
                except OSError as error:
                    self._discard(started_at)
                    raise ProcessEnded(None) from error
            child = _Child(answers, control, check)
            try:
                while take(child.next_event()):
                    pass
            finally:
                self._end(child, started_at)

    def _start(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        process_flags.adopt_orphans()
        with theirs:
            self._process = subprocess.Popen(
                processes.command("core.engine.nursery", str(theirs.fileno()), json.dumps(self._packages)),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def _end(self, child: _Child, started_at: float) -> None:
        if not child.has_exited:
            with suppress(OSError):
                assert self._control is not None
                self._control.sendall(b'{"end": true}')
            child.wait_for_exit(_END_TIMEOUT_S)
        if not child.has_exited or child.nursery_is_gone:
            self._discard(started_at)

    def _discard(self, since: float) -> None:
        """End the prepared process and what was started since then; the next run gets a new one."""
        with self._lock:
            if self._process is not None:
                processes.kill_with_children(self._process.pid)
                self._process.wait()
                self._process = None
        _end_orphans(since)


OF_THIS_PROCESS = Isolation()
"""The one of a worker: it may be prepared before the rest of the worker is imported."""


class _Child:
    """Reads the events of a child, and its exit from the control socket."""

    def __init__(self, answers: socket.socket, control: socket.socket, check: Callable[[], None]) -> None:
        self._answers, self._control, self._check = answers, control, check
        self._exit_code: int | None = None
        self.has_exited = False
        self.nursery_is_gone = False

    def next_event(self) -> bytes:
        """The next packed event. Raises ProcessEnded when there will be none."""
        _, (packed,) = frames.read(self._exactly)
        return packed

    def wait_for_exit(self, timeout_s: float) -> None:
        """Wait until the nursery reports the end of the child, or the time is over."""
        ready, _, _ = select.select([self._control], [], [], timeout_s)
        if ready:
            self._take_notice()

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
                    self._wait_for_exit_and_check()
                    raise ProcessEnded(self._exit_code)
                data += part
            elif self.has_exited and not ready:
                raise ProcessEnded(self._exit_code)  # a process that it started may hold the socket open
        return bytes(data)

    def _wait_for_exit_and_check(self) -> None:
        deadline = time.monotonic() + _EXIT_TIMEOUT_S
        while not self.has_exited and time.monotonic() < deadline:
            self._check()
            self.wait_for_exit(_POLL_S)

    def _take_notice(self) -> None:
        try:
            notice = self._control.recv(_MAX_NOTICE_BYTES)
        except OSError:
            notice = b""
        self.has_exited = True
        self.nursery_is_gone = not notice
        if notice:
            self._exit_code = json.loads(notice).get("exit")


def _end_orphans(since: float) -> None:
    """End the processes that this one adopted from a prepared process that was killed."""
    while orphans := _children_since(since):
        for orphan in orphans:
            processes.kill_with_children(orphan.pid)
            with suppress(ChildProcessError):
                os.waitpid(orphan.pid, 0)


def _children_since(since: float) -> list[psutil.Process]:
    """Some are processes that ended in the meantime, and wait to be collected."""
    children = []
    with suppress(psutil.Error):
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if child.create_time() >= since - _CLOCK_S:
                    children.append(child)
    return children
