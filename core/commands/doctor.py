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
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import Version
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from core.commands.wrapping import wrapped
from core.contracts.text import EMPTY, listed, tr, tr_plural, verbatim
from core.contracts.text import Text as Message
from core.hardware.host import host_facts
from core.installation import command, is_checkout
from core.language import ENGLISH
from core.paths import data_folder

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

    name: Message
    state: State
    found: Message
    remedy: Message = EMPTY

    def as_json(self) -> dict[str, str]:
        """The name is English in every language: scripts look a check up by it."""
        return {
            "name": self.name.in_language(ENGLISH),
            "state": self.state.value,
            "found": str(self.found),
            "remedy": str(self.remedy),
        }


def examine(*, as_json: bool, display_problem: Message | None) -> int:
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
        print(json.dumps([check.as_json() for check in checks], indent=2, ensure_ascii=False))
    else:
        _print(checks)
    return 1 if any(check.state is State.MISSING for check in checks) else 0


def _interpreter() -> Iterator[Check]:
    version = verbatim(f"{platform.python_version()} ({sys.executable})")
    ok = sys.version_info >= (3, 11)
    remedy = EMPTY if ok else tr("Use Python 3.11 or newer.")
    yield Check(verbatim("Python"), State.OK if ok else State.MISSING, version, remedy)


def _libraries() -> Iterator[Check]:
    for name in LIBRARIES:
        version = _version(name)
        if version is None:
            yield _absent_library(name)
        elif name == "PySide6-Essentials" and Version(version) >= _FIRST_BAD_PYSIDE:
            yield Check(
                verbatim(name), State.MISSING, verbatim(version),
                tr("6.12 aborts on CPython 3.11 after about 570 signals: pip install 'PySide6-Essentials<6.12'."),
            )  # fmt: skip
        else:
            yield Check(verbatim(name), State.OK, verbatim(version))


def _absent_library(name: str) -> Check:
    if name == "triton":
        on_linux, install = sys.platform == "linux", verbatim("pip install triton==3.7.1")
        remedy = install if on_linux else tr("Triton runs on Linux only: without it, use the modelled numbers.")
        return Check(verbatim(name), State.MISSING if on_linux else State.OPTIONAL, tr("not installed"), remedy)
    if is_checkout():
        remedy = tr("pip install -r requirements.lock (or: make setup)")
    else:
        remedy = tr("Install Tilescope again: {name} comes with it.", name=name)
    return Check(verbatim(name), State.MISSING, tr("not installed"), remedy)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _display(problem: Message | None) -> Check:
    if problem is None:
        return Check(tr("Display"), State.OK, tr("windows can be shown"))
    remedy = tr("To save pictures without a display: {command}", command=command("screenshot all --out gallery"))
    return Check(tr("Display"), State.OPTIONAL, problem, remedy)


def _chinese_font() -> Check:
    if sys.platform != "linux":
        return Check(tr("Chinese font"), State.OK, tr("comes with the system"))
    lister = shutil.which("fc-list")
    listed = subprocess.run([lister, ":lang=zh", "family"], capture_output=True, text=True) if lister else None
    families = sorted(set(listed.stdout.splitlines())) if listed else []
    if families:
        return Check(tr("Chinese font"), State.OK, verbatim(families[0].split(",")[0]))
    remedy = tr("To show Chinese text: apt-get install fonts-noto-cjk")
    return Check(tr("Chinese font"), State.OPTIONAL, tr("none found"), remedy)


def _machine() -> Iterator[Check]:
    host = host_facts()
    facts = tr_plural(
        "{cpu}, {count} core, {free:.1f} GB of {total:.1f} GB free",
        "{cpu}, {count} cores, {free:.1f} GB of {total:.1f} GB free",
        count=host.cores,
        cpu=host.cpu_name,
        free=host.available_memory_bytes / 1e9,
        total=host.total_memory_bytes / 1e9,
    )
    yield Check(tr("Machine"), State.OK, facts)
    if host.gpu_names:
        yield Check(verbatim("GPU"), State.OK, listed(host.gpu_names))
    else:
        remedy = tr("Optional: kernels are traced and checked without a GPU; only times need one.")
        yield Check(verbatim("GPU"), State.OPTIONAL, tr("none"), remedy)


def _compiler() -> Check:
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
    if compiler:
        return Check(tr("C compiler"), State.OK, verbatim(compiler))
    remedy = tr("Launching kernels on a GPU needs one: apt-get install gcc python3-dev. Tracing does not.")
    return Check(tr("C compiler"), State.OPTIONAL, tr("none"), remedy)


def _data_folder() -> Check:
    history_folder = data_folder()
    folder = next(path for path in (history_folder, *history_folder.absolute().parents) if path.exists())
    if folder.is_dir() and os.access(folder, os.W_OK):
        return Check(tr("History"), State.OK, verbatim(history_folder))
    return Check(
        tr("History"), State.OPTIONAL, tr("{folder} is not writable", folder=str(folder)),
        tr("Runs are not saved: set TILESCOPE_DATA_DIR to a writable folder."),
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
        return Check(tr("Worker"), State.MISSING, tr("does not start"), state.detail)
    if not settled.is_set():
        return Check(
            tr("Worker"),
            State.MISSING,
            tr("did not answer within {seconds:.0f} s", seconds=_WORKER_TIMEOUT_S),
            tr("Close other programs and try again: the machine may be overloaded."),
        )
    return Check(tr("Worker"), State.OK, tr("starts and answers, computes on {device}", device=state.device or "cpu"))


def _print(checks: list[Check]) -> None:
    """One block per check: a table would wrap paths, and a wrapped path cannot be copied."""
    styles = {State.OK: ("✓", "green"), State.OPTIONAL: ("○", "yellow"), State.MISSING: ("✗", "red")}
    console = Console()
    name_width = max(cell_len(str(check.name)) for check in checks)
    indent = " " * (name_width + 4)
    for check in checks:
        texts = [str(text) for text in (check.found, check.remedy) if text]
        lines = [line for text in texts for line in _wrapped(text, console.width - len(indent))]
        heading = Text.assemble(styles[check.state], f" {set_cell_size(str(check.name), name_width)}  ")
        console.print(heading + Text(f"\n{indent}".join(lines)), soft_wrap=True)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, except where a path is longer."""
    unbreakable = _PATH.sub(lambda path: path[0].replace(" ", "\0"), text)
    return [line.replace("\0", " ") for line in wrapped(unbreakable, width)]
