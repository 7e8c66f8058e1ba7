"""A user's code runs in a process of its own: whatever it breaks ends with its run."""

from __future__ import annotations

import os
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core import language
from core.contracts.events import Cancelled, Event, Failed, Finished
from core.engine import Engine
from core.engine.isolation import IS_SUPPORTED
from core.engine.nursery import KEPT_OUTPUT_BYTES
from core.topics.kernel_lab.result import KernelLabResult
from tests.engine.helpers import TIMEOUT_S, events_of

pytestmark = pytest.mark.skipif(not IS_SUPPORTED, reason="needs fork")

DEFAULT_GRACE_S = 3.0

KERNEL = """
import os, sys
import torch
import triton
import triton.language as tl

@triton.jit
def copy(x, y, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(y + offsets, tl.load(x + offsets))

def launch():
    x = torch.ones(16)
    copy[(1,)](x, torch.empty_like(x), BLOCK=16)
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(warm_up=False, grace_s=0.5)
    engine.start()
    yield engine
    engine.close()


def ending(engine: Engine, folder: Path, body: str) -> Event:
    """The terminal event of a file whose `main` has this body."""
    file = folder / "mine.py"
    file.write_text(KERNEL + "\ndef main():\n" + textwrap.indent(textwrap.dedent(body), "    "))
    return events_of(engine.submit("kernel-lab", {"file": str(file), "function": "main"}, "cpu"))[-1]


def wait_for_text(note: Path) -> None:
    """A file tells that it has come this far; its events may have come before that."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def descendants() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@pytest.mark.parametrize(
    "sabotage",
    [
        'sys.modules["triton"] = None',
        "tl.load = None",
        'os.environ["PATH"] = os.environ["TRITON_INTERPRET"] = "1"',
        "os.closerange(3, 256)",
        "os.close(1); os.close(2)",
        "torch.empty = None",
        "import builtins; builtins.len = None",
        'os.chdir("/")',
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "sys.setrecursionlimit(50)",
    ],
)
def test_that_what_a_file_breaks_ends_with_its_run(engine: Engine, tmp_path: Path, sabotage: str) -> None:
    assert isinstance(ending(engine, tmp_path, f"launch()\n{sabotage}"), Finished | Failed)
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("sys.exit(3)", "main called sys.exit(3)"),
        ("raise KeyboardInterrupt", "main raised KeyboardInterrupt"),
        ("raise GeneratorExit", "main raised GeneratorExit"),
        ('class Mine(BaseException): pass\nraise Mine("so")', "main raised Mine: so"),
        ("os._exit(3)", "The process of the user's code exited with code 3"),
        ("os.kill(os.getpid(), 11)", "The process of the user's code crashed with a segmentation fault (SIGSEGV)"),
        ("os.kill(os.getpid(), 9)", "The process of the user's code was killed from outside (SIGKILL)"),
    ],
)
def test_that_every_way_to_end_is_told_as_what_it_is(engine: Engine, tmp_path: Path, body: str, sentence: str) -> None:
    failed = ending(engine, tmp_path, f"{body}\nlaunch()")
    assert isinstance(failed, Failed)
    assert sentence in str(failed.sentence)
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("sys.exit(3)", "main called sys.exit(3)"),
        ("raise KeyboardInterrupt", "main raised KeyboardInterrupt"),
        ('class Mine(BaseException): pass\nraise Mine("so")', "main raised Mine: so"),
    ],
)
def test_that_a_file_that_raises_after_its_launches_keeps_their_tables(
    engine: Engine, tmp_path: Path, body: str, sentence: str
) -> None:
    finished = ending(engine, tmp_path, f"launch()\n{body}")
    assert isinstance(finished, Finished)
    assert isinstance(finished.result, KernelLabResult)
    assert sentence in str(finished.result.failure)
    assert len(finished.result.launches) == 1


@pytest.mark.parametrize("way", ["a child", "a child of a session of its own", "an orphan", "a thread"])
def test_that_nothing_that_a_file_starts_survives_its_run(engine: Engine, tmp_path: Path, way: str) -> None:
    start = {
        "a child": 'import subprocess; subprocess.Popen(["sleep", "600.125"])',
        "a child of a session of its own": (
            'import subprocess; subprocess.Popen(["sleep", "600.125"], start_new_session=True, close_fds=False)'
        ),
        "an orphan": "if os.fork() == 0:\n    os.setsid()\n    os.fork() or os.execvp('sleep', ['sleep', '600.125'])\n"
        "    os._exit(0)",
        "a thread": "import threading, time\nthreading.Thread(target=lambda: time.sleep(600)).start()",
    }[way]
    assert isinstance(ending(engine, tmp_path, f"launch()\n{start}"), Finished)
    assert not [process for process in descendants() if "600.125" in process.cmdline()]


def test_that_temporary_files_of_a_run_are_removed(engine: Engine, tmp_path: Path) -> None:
    note = tmp_path / "note"
    body = f"launch()\nimport tempfile\nopen({str(note)!r}, 'w').write(tempfile.mkdtemp())"
    assert isinstance(ending(engine, tmp_path, body), Finished)
    made = Path(note.read_text())
    assert made.is_relative_to(tempfile.gettempdir())
    assert not made.parent.exists()


def test_that_an_engine_that_is_closed_in_the_middle_of_a_file_leaves_no_folder(tmp_path: Path) -> None:
    file, note = tmp_path / "loops.py", tmp_path / "note"
    body = f"    import tempfile\n    open({str(note)!r}, 'w').write(tempfile.gettempdir())\n    while True: pass\n"
    file.write_text(KERNEL + f"\ndef main():\n    launch()\n{body}")
    closing = Engine(warm_up=False)
    closing.start()
    try:
        closing.submit("kernel-lab", {"file": str(file), "function": "main"}, "cpu")
        wait_for_text(note)
    finally:
        closing.close()
    assert note.read_text().startswith(tempfile.gettempdir())
    assert not Path(note.read_text()).exists()


def test_that_what_a_file_starts_does_not_survive_the_end_of_the_prepared_process(
    engine: Engine, tmp_path: Path
) -> None:
    start = 'import subprocess; subprocess.Popen(["sleep", "600.375"], start_new_session=True)'
    failed = ending(engine, tmp_path, f"launch()\n{start}\nos.kill(os.getppid(), 9)\nwhile True: pass")
    assert isinstance(failed, Failed)
    assert not [process for process in psutil.process_iter(["cmdline"]) if "600.375" in (process.info["cmdline"] or ())]
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished)


def test_that_a_cancel_while_the_process_is_prepared_does_not_kill_the_worker(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(KERNEL + "\ndef main():\n    launch()\n")
    starting = Engine(warm_up=False, grace_s=60)
    starting.start()
    try:
        run = starting.submit("kernel-lab", {"file": str(file), "function": "main"}, "cpu")
        stream = run.stream(TIMEOUT_S)
        next(stream)  # Started: the worker prepares the process
        cancelled_at = time.monotonic()
        run.cancel()
        assert [*stream][-1] == Cancelled()
        assert time.monotonic() - cancelled_at < DEFAULT_GRACE_S
    finally:
        starting.close()


def test_that_a_file_runs_in_the_language_of_its_caller(engine: Engine, tmp_path: Path) -> None:
    with language.using("zh"):
        event = ending(engine, tmp_path, "from core import language\nraise ValueError(language.current())")
    assert isinstance(event, Failed)
    assert "raised ValueError: zh." in str(event.sentence)


def test_that_a_cancel_ends_a_file_that_does_not_listen(engine: Engine, tmp_path: Path) -> None:
    file, note = tmp_path / "loops.py", tmp_path / "note"
    body = f"    print('x', file=open({str(note)!r}, 'w'), flush=True)\n    while True: pass\n"
    file.write_text(KERNEL + f"\ndef main():\n    launch()\n{body}")
    run = engine.submit("kernel-lab", {"file": str(file), "function": "main"}, "cpu")
    wait_for_text(note)
    run.cancel()
    assert events_of(run)[-1] == Cancelled()
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished)


def test_that_output_without_end_keeps_its_beginning_and_its_end_and_fills_no_disk(
    engine: Engine, tmp_path: Path
) -> None:
    note = tmp_path / "sizes"
    body = f"""
    print("the first line", flush=True)
    os.write(2, b"an error\\n")
    for number in range(8):
        os.write(1, b"x" * KEPT)
    print("x" * KEPT)
    print("the last line", flush=True)
    import pathlib
    logs = pathlib.Path(os.environ["TILESCOPE_WORKER_LOGS"]).glob("*.log")
    open({str(note)!r}, "w").write(str(max(log.stat().st_size for log in logs)))
    os._exit(3)
    """.replace("KEPT", str(KEPT_OUTPUT_BYTES))
    failed = ending(engine, tmp_path, body)
    assert isinstance(failed, Failed)
    assert failed.detail.endswith("the last line")
    assert int(note.read_text()) <= KEPT_OUTPUT_BYTES
    logs = Path(tempfile.gettempdir()).glob(f"tilescope-engine-{os.getpid()}-*/worker-*.log")
    written = max((log.read_bytes() for log in logs), key=len)  # a worker that was replaced leaves a small one
    assert written.startswith(b"the first line\nan error\n")
    assert b"characters were dropped here" in written
    assert len(written) < 2 * KEPT_OUTPUT_BYTES + 1000


def test_that_a_file_that_prints_without_end_can_be_cancelled(engine: Engine, tmp_path: Path) -> None:
    file, note = tmp_path / "prints.py", tmp_path / "note"
    body = f'    while True:\n        print("x" * 10**6)\n        open({str(note)!r}, "w").write("on")\n'
    file.write_text(KERNEL + f"\ndef main():\n    launch()\n{body}")
    run = engine.submit("kernel-lab", {"file": str(file), "function": "main"}, "cpu")
    wait_for_text(note)
    run.cancel()
    assert events_of(run)[-1] == Cancelled()
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished)


def test_that_an_answer_that_tries_to_execute_is_refused(engine: Engine, tmp_path: Path) -> None:
    """The file finds the socket to the worker and sends a pickle that would create a file."""
    note = tmp_path / "executed"
    body = f"""
    launch()
    import pickle, socket, struct
    class Bomb:
        def __reduce__(self): return (open, ({str(note)!r}, "w"))
    for number in range(3, 64):
        try: end = socket.socket(fileno=os.dup(number))
        except OSError: continue
        for data in (pickle.dumps(Bomb()), struct.pack(">Q", 4) + b"junk", struct.pack(">Q", 1 << 62)):
            try: end.sendall(data)
            except OSError: pass
    """
    failed = ending(engine, tmp_path, body)
    assert isinstance(failed, Failed)
    assert not note.exists()
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished)


def test_that_a_prepared_process_that_dies_is_replaced(engine: Engine, tmp_path: Path) -> None:
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished)
    (prepared,) = [process for process in descendants() if "nursery" in " ".join(process.cmdline())]
    prepared.kill()
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished | Failed)
    assert isinstance(ending(engine, tmp_path, "launch()"), Finished)
    assert prepared.pid not in [process.pid for process in descendants()]
