"""How long until the user sees the window, home, and a worker that has torch. Target: visible within 1.0 s."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.xserver import is_available, x_server

ROOT = Path(__file__).resolve().parents[2]
Moments = Mapping[str, tuple[str, str]]
"""What is there at each moment, and its target; '' is none."""

MOMENTS: Moments = {
    "visible_s": ("window visible (first paint)", "1.0 s"),
    "page_s": ("home opened", ""),
    "worker_s": ("worker there", ""),
    "device_s": ("its device known (torch imported)", ""),
}


def measure(last_moment: str, repeats: int = 5, arguments: Sequence[str] = ()) -> tuple[str, list[dict[str, float]]]:
    """The platform and, per repeat, the seconds from process start to each moment; each with fresh settings.

    The window is closed at `last_moment`; `arguments` are those of the program.
    """
    process = (last_moment, *arguments)
    if not is_available():
        return "offscreen", _repeated({"QT_QPA_PLATFORM": "offscreen"}, process, repeats)
    with x_server() as display:
        return "Xvfb", _repeated({"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}, process, repeats)


def _repeated(environment: dict[str, str], arguments: Sequence[str], repeats: int) -> list[dict[str, float]]:
    _one(environment, arguments)  # compiles what has changed since the last start
    return [_one(environment, arguments) for _ in range(repeats)]


def _one(environment: dict[str, str], arguments: Sequence[str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        folders = {"XDG_CONFIG_HOME": home, "TILESCOPE_DATA_DIR": home}
        process = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.window_process", str(time.time()), *arguments],
            cwd=ROOT, env={**_outside(), **environment, **folders}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    if process.returncode != 0:
        raise RuntimeError(process.stderr)
    times: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return times


def _outside() -> dict[str, str]:
    """The environment of this process, but Python keeps what it compiles, as it does for a user."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def report(moments: Moments, last_moment: str, arguments: Sequence[str] = ()) -> None:
    """Measures and prints a table, with the load of the machine before."""
    before = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    platform, samples = measure(last_moment, arguments=arguments)
    title = f"From process start, {platform}, {os.cpu_count()} cores, load before {before:.1f}"
    table = Table("moment", "median", "samples", "target", title=title)
    for name, (label, target) in moments.items():
        values = [sample[name] for sample in samples]
        table.add_row(label, f"{statistics.median(values):.2f} s", " ".join(f"{v:.2f}" for v in values), target)
    Console().print(table)


def main() -> None:
    report(MOMENTS, "device_s")


if __name__ == "__main__":
    main()
