"""Setup of a local worker process."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from core.engine import process_flags
from core.engine.log_tail import tail_of


def set_up() -> None:
    """Make the process give way to the window that started it, and end with it."""
    _write_to_a_log(_log_path())
    # Ctrl+C in a terminal reaches the whole process group; the window decides what happens to its worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The thread that reads the pipe stops while an experiment holds the GIL, so its end is not enough.
    process_flags.die_with_the_parent()
    _yield_to_the_window()


def _write_to_a_log(path: Path) -> None:
    """Redirect file descriptors 1 and 2 to the log: stdout belongs to `--json`, and a crash logs its stack."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    faulthandler.enable(file=2)


def _yield_to_the_window() -> None:
    """Lower this process's priority below the window's, and make it the OOM killer's first choice."""
    if hasattr(os, "nice"):
        os.nice(5)
    with suppress(OSError):  # Linux only
        Path("/proc/self/oom_score_adj").write_text("800")


def log_tail() -> str:
    """The last lines that this process and its children wrote to stdout and stderr; '' without a log."""
    return tail_of(_log_path()) if "TILESCOPE_WORKER_LOGS" in os.environ else ""


def _log_path() -> Path:
    return Path(os.environ["TILESCOPE_WORKER_LOGS"]) / f"worker-{os.getpid()}.log"


def clear_log() -> None:
    """Discard the output of earlier runs, so that the log of a crash shows only the run that crashed."""
    if "TILESCOPE_WORKER_LOGS" in os.environ:
        os.ftruncate(1, 0)
