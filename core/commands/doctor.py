"""`doctor`: what works, what is missing, and how to fix it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from packaging.version import Version
from rich.console import Console
from rich.text import Text

from core.engine.history_file import data_folder
from core.hardware.host import host_facts

LIBRARIES = ("torch", "triton", "PySide6-Essentials", "pyqtgraph", "numpy", "pydantic", "distributed")
_FIRST_BAD_PYSIDE = Version("6.12")
_WORKER_TIMEOUT_S = 60.0
_PATH = re.compile(r"(?:(?<=\()|^)(?:/|[A-Za-z]:\\)[^()]*")
"""A path that fills a text or a parenthesis from start to end; it may contain spaces."""


class State(StrEnum):
    OK = "ok"
    OPTIONAL = "optional"
    MISSING = "missing"


@dataclass(frozen=True)
class Check:
    """One check: what was `found`, and as `remedy` what to do where it is not ok."""

    name: str
    state: State
    found: str
    remedy: str = ""


def examine(*, as_json: bool, display_problem: str | None) -> int:
    """Print the checks. Returns exit code 1 if something essential is missing, else 0."""
    checks = [
        *_interpreter(),
        *_libraries(),
        _display(display_problem),
        _chinese_font(),
        *_machine(),
        _compiler(),
        _data_folder(),
        _worker(),
    ]
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        _print(checks)
    return 1 if any(check.state is State.MISSING for check in checks) else 0


def _interpreter() -> Iterator[Check]:
    version = f"{platform.python_version()} ({sys.executable})"
    ok = sys.version_info >= (3, 11)
    yield Check("Python", State.OK if ok else State.MISSING, version, "" if ok else "Use Python 3.11 or newer.")


def _libraries() -> Iterator[Check]:
    for name in LIBRARIES:
        version = _version(name)
        if version is None:
            yield _absent_library(name)
        elif name == "PySide6-Essentials" and Version(version) >= _FIRST_BAD_PYSIDE:
            yield Check(
                name, State.MISSING, version,
                "6.12 aborts on CPython 3.11 after about 570 signals: pip install 'PySide6-Essentials<6.12'.",
            )  # fmt: skip
        else:
            yield Check(name, State.OK, version)


def _absent_library(name: str) -> Check:
    if name == "triton":
        linux = sys.platform == "linux"
        remedy = (
            "pip install triton==3.7.1" if linux else "Triton runs on Linux only: without it, use the modelled numbers."
        )
        return Check(name, State.MISSING if linux else State.OPTIONAL, "not installed", remedy)
    return Check(name, State.MISSING, "not installed", "pip install -r requirements.lock (or: make setup)")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _display(problem: str | None) -> Check:
    if problem is None:
        return Check("Display", State.OK, "a window can be shown")
    return Check(
        "Display",
        State.OPTIONAL,
        problem,
        "To save pictures without a display: python main.py screenshot all --out gallery",
    )


def _chinese_font() -> Check:
    if sys.platform != "linux":
        return Check("Chinese font", State.OK, "comes with the system")
    lister = shutil.which("fc-list")
    listed = subprocess.run([lister, ":lang=zh", "family"], capture_output=True, text=True) if lister else None
    families = sorted(set(listed.stdout.splitlines())) if listed else []
    if families:
        return Check("Chinese font", State.OK, families[0].split(",")[0])
    return Check("Chinese font", State.OPTIONAL, "none found", "To show Chinese text: apt-get install fonts-noto-cjk")


def _machine() -> Iterator[Check]:
    host = host_facts()
    memory = f"{host.available_memory_bytes / 1e9:.1f} GB of {host.total_memory_bytes / 1e9:.1f} GB free"
    yield Check("Machine", State.OK, f"{host.cpu_name}, {host.cores} cores, {memory}")
    if host.gpu_names:
        yield Check("GPU", State.OK, ", ".join(host.gpu_names))
    else:
        remedy = "Optional: kernels are traced and checked without a GPU; only times need one."
        yield Check("GPU", State.OPTIONAL, "none", remedy)


def _compiler() -> Check:
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if compiler:
        return Check("C compiler", State.OK, compiler)
    remedy = "Launching kernels on a GPU needs one: apt-get install gcc python3-dev. Tracing does not."
    return Check("C compiler", State.OPTIONAL, "none", remedy)


def _data_folder() -> Check:
    history_folder = data_folder()
    folder = next(path for path in (history_folder, *history_folder.absolute().parents) if path.exists())
    if folder.is_dir() and os.access(folder, os.W_OK):
        return Check("History", State.OK, str(history_folder))
    return Check(
        "History", State.OPTIONAL, f"{folder} is not writable",
        "Runs are not saved: set TILESCOPE_DATA_DIR to a writable folder.",
    )  # fmt: skip


def _worker() -> Check:
    """Starts a worker and runs nothing: this proves that the engine works on this machine."""
    from core.engine import Engine, EngineState, Phase

    settled = threading.Event()

    def on_state(state: EngineState) -> None:
        if state.phase in (Phase.READY, Phase.FAILED):
            settled.set()

    engine = Engine()
    engine.on_state(on_state)
    try:
        engine.start()
        settled.wait(_WORKER_TIMEOUT_S)
        state = engine.state
    finally:
        engine.close()
    if state.phase is Phase.FAILED:
        return Check("Worker", State.MISSING, "does not start", state.detail)
    if not settled.is_set():
        return Check(
            "Worker",
            State.MISSING,
            f"did not answer within {_WORKER_TIMEOUT_S:.0f} s",
            "Close other programs and try again: the machine may be overloaded.",
        )
    return Check("Worker", State.OK, f"starts and answers, computes on {state.device or 'cpu'}")


def _print(checks: list[Check]) -> None:
    """One block per check: a table would wrap paths, and a wrapped path cannot be copied."""
    styles = {State.OK: ("✓", "green"), State.OPTIONAL: ("○", "yellow"), State.MISSING: ("✗", "red")}
    console = Console()
    name_width = max(len(check.name) for check in checks)
    for check in checks:
        indent = " " * (name_width + 4)
        lines = [line for text in (check.found, check.remedy) for line in _wrapped(text, console.width - len(indent))]
        heading = Text.assemble(styles[check.state], f" {check.name:{name_width}}  ")
        console.print(heading + Text(f"\n{indent}".join(lines)), soft_wrap=True)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, except where a path is longer."""
    unbreakable = _PATH.sub(lambda path: path[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(unbreakable, max(1, width), break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]
