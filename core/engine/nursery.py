"""A prepared process that forks a child for each run of a user's own code.

What such code breaks (a module, an environment variable, a closed descriptor) ends with its child. So do the processes
that it started, its threads and its temporary files. The process imports what runs need and computes nothing, so it has
one thread and can be forked: the child starts within milliseconds. What the child prints comes through a pipe: the log
lies on the disk for temporary files, so it gets only the beginning and the end.

The worker sends the JSON of a RunRequest with the end of a socket on which the child answers with packed events,
`{"end": true}` to end the child, and gets `{"exit": code}` when the child is gone.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from typing import Any, NoReturn

import psutil

from core import language
from core.bounded_output import FirstAndLast, gap
from core.contracts import registry
from core.contracts.events import Partial, Progress
from core.engine import frames, process_flags, wire
from core.engine.drive import drive, failed
from core.engine.run_request import RunRequest

_MAX_REQUEST_BYTES = 1 << 20
_PIPE_BYTES = 1 << 16

KEPT_OUTPUT_BYTES = 1 << 20
"""The log gets so much of the beginning of a run's output, and as much of its end."""


class Nursery:
    """At most one child at a time, and whatever that child started."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._child: int | None = None
        self._folder = ""
        self._output: _Output | None = None
        self._exits, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._wakeup = wakeup

    def serve(self) -> None:
        """Until the worker is gone."""
        try:
            while True:
                waited_for: list[Any] = [self._control, self._exits]
                if self._output is not None:
                    waited_for.append(self._output.pipe)
                ready, _, _ = select.select(waited_for, [], [])
                if self._output is not None and self._output.pipe in ready and not self._output.take():
                    self._close_output()
                if self._exits in ready:
                    self._exits.recv(4096)
                    self._reap()
                if self._control in ready and not self._answer():
                    return
        finally:
            self._end_child()

    def _answer(self) -> bool:
        """Take one request; False when there will be no more."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _MAX_REQUEST_BYTES, 1)
        except OSError:
            return False
        if not data:
            return False
        request = json.loads(data)
        if request.get("end"):
            self._end_child()
        else:
            self._fork(RunRequest(**request), socket.socket(fileno=descriptors[0]))
        return True

    def _fork(self, request: RunRequest, answers: socket.socket) -> None:
        # In the folder of the engine where there is one: it is removed even if this process is killed.
        self._folder = tempfile.mkdtemp(prefix="tilescope-run-", dir=os.environ.get("TILESCOPE_WORKER_LOGS"))
        output, printed = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for inherited in (self._control, self._exits, self._wakeup):
                inherited.close()
            os.close(output)
            _run(request, answers, self._folder, printed)
        os.close(printed)
        self._output = _Output(output, request.language)
        self._child = pid
        answers.close()

    def _reap(self) -> None:
        """Collect the child and every orphan of it; report the child's exit once nothing of it is left."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._child:
                    self._report_end(os.waitstatus_to_exitcode(ended[1]))

    def _end_child(self) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self._child, 0)
            self._report_end(-signal.SIGKILL)

    def _report_end(self, exit_code: int) -> None:
        """The child is gone: end what it left, and tell the worker."""
        self._child = None
        self._clean_up()
        self._close_output()
        with suppress(OSError):
            self._control.sendall(json.dumps({"exit": exit_code}).encode())

    def _clean_up(self) -> None:
        """End the processes that the child left: they belong to this process now. Remove its temporary files."""
        with suppress(psutil.Error):
            while children := psutil.Process().children(recursive=True):
                for child in children:
                    with suppress(psutil.Error):
                        child.kill()
                with suppress(ChildProcessError):
                    os.waitpid(-1, 0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _close_output(self) -> None:
        if self._output is not None:
            self._output.close()
            self._output = None


class _Output:
    """What a child prints: the beginning goes to this process's own output, which is the log, and the end follows."""

    def __init__(self, pipe: int, code: str) -> None:
        self.pipe = pipe
        self._language = code
        self._kept = FirstAndLast(b"", KEPT_OUTPUT_BYTES)
        os.set_blocking(pipe, False)

    def take(self) -> bool:
        """Take what is there now; False when there is nothing, now or ever."""
        try:
            data = os.read(self.pipe, _PIPE_BYTES)
        except BlockingIOError:
            return False
        _log(self._kept.add(data))
        return bool(data)

    def close(self) -> None:
        """Take the rest, and write the end to the log."""
        while self.take():
            pass
        os.close(self.pipe)
        if self._kept.dropped:
            _log(f"\n{gap(self._kept.dropped).in_language(self._language)}\n".encode())
        _log(self._kept.last)


def _log(data: bytes) -> None:
    with suppress(OSError):  # a full disk does not end the run
        while data:
            data = data[os.write(1, data) :]


class _ToWorker:
    """Sends the child's events to the worker. A cancel ends the process, so there is nothing to check."""

    def __init__(self, answers: socket.socket) -> None:
        self._answers = answers

    def put(self, event: Progress | Partial) -> None:
        self.send(wire.pack(event))

    def send(self, packed: bytes) -> None:
        for part in frames.pack({}, [packed]):
            self._answers.sendall(part)

    def check_cancel(self) -> None:
        pass


def _run(request: RunRequest, answers: socket.socket, folder: str, printed: int) -> NoReturn:
    """The child: run the experiment, send its events, and end without returning to the nursery's code. What it prints
    goes to the pipe `printed`."""
    try:
        for standard in (1, 2):
            os.dup2(printed, standard)
        os.close(printed)
        os.setsid()
        process_flags.die_with_the_parent()
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        listener = _ToWorker(answers)
        try:
            language.use(request.language)
            topic = registry.topic(request.topic, {request.topic: request.package})
            params = topic.params.parse(request.params)
            # Every child begins as the process is that was prepared for it: none is colder than another.
            packed = drive(topic, params, request.device, listener, is_live=request.is_live, is_warm=True)
        except BaseException as error:  # the user's code may raise anything, and all of it ends here
            packed = wire.pack(failed(request.topic, error))
        listener.send(packed)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def main() -> None:
    """Import what the experiments need, then serve. Arguments: the descriptor of the socket, the packages as JSON."""
    control, packages = socket.socket(fileno=int(sys.argv[2])), json.loads(sys.argv[3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process_flags.adopt_orphans()
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # the CUDA driver does not survive a fork
    for topic_id in packages:
        with suppress(Exception):  # the run says why
            registry.topic(topic_id, packages).load_experiment()
            registry.topic(topic_id, packages).load_libraries()
    Nursery(control).serve()
