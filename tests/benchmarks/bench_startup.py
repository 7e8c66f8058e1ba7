"""How long until a person sees the window, its page, and a ready worker. Target: visible within 1.0 s."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.xserver import is_available, x_server

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = {
    "visible_s": "window visible (first paint)",
    "page_s": "page drawn with modelled data",
    "worker_s": "worker ready (torch and triton imported)",
}


def measure(repeats: int = 5) -> tuple[str, list[dict[str, float]]]:
    """The platform and, per repeat, the seconds from process start to each moment; each with fresh settings."""
    if not is_available():
        return "offscreen", [_one({"QT_QPA_PLATFORM": "offscreen"}) for _ in range(repeats)]
    with x_server() as display:
        return "Xvfb", [_one({"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}) for _ in range(repeats)]


def _one(environment: dict[str, str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        folders = {"XDG_CONFIG_HOME": home, "TILESCOPE_DATA_DIR": home}
        process = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.window_process", str(time.time())],
            cwd=ROOT, env={**os.environ, **environment, **folders}, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    if process.returncode != 0:
        raise RuntimeError(process.stderr)
    times: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    return times


def main() -> None:
    platform, samples = measure()
    table = Table(
        "moment", "median", "samples", "target", title=f"From process start, {platform}, {os.cpu_count()} cores"
    )
    for name, label in MOMENTS.items():
        values = [sample[name] for sample in samples]
        target = "1.0 s" if name == "visible_s" else ""
        table.add_row(label, f"{statistics.median(values):.2f} s", " ".join(f"{v:.2f}" for v in values), target)
    Console().print(table)


if __name__ == "__main__":
    main()
