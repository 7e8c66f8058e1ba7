"""Triton's own tutorials, unmodified: python -m tests.compatibility.tutorials FOLDER [--gpu GPU] [--limit S].

FOLDER is python/tutorials of a checkout of Triton's sources. Each script is run as `python main.py trace SCRIPT --gpu
GPU` by itself, and the table that is printed is that of docs/compatibility.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.compatibility.tutorials", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gpu", default="h100-sxm", help="the virtual GPU that they find")
    parser.add_argument("--limit", type=int, default=300, help="the time limit of each trace in seconds")
    parser.add_argument("--only", default="[0-9]*", help="a pattern of names, such as 0[1-5]*")
    options = parser.parse_args(arguments)
    print("| tutorial | launches | kernels | seconds | |\n| --- | ---: | ---: | ---: | --- |")
    for path in sorted(options.folder.glob(f"{options.only}.py")):
        print(row(path, options.gpu, options.limit), flush=True)
    return 0


def row(path: Path, gpu: str, limit_s: int) -> str:
    """The line of the table for one script."""
    command = [sys.executable, "main.py", "--lang", "en", "trace", str(path), "--gpu", gpu, "--json"]
    began = time.monotonic()
    ran = subprocess.run(
        [*command, "--time-limit", str(limit_s)], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    report: dict[str, Any] = json.loads(ran.stdout) if ran.stdout.startswith("{") else {}
    launches, kernels = (
        len(rows) for rows in (report.get("launches", ()), report.get("totals", {}).get("kernels", ()))
    )
    return f"| {path.stem} | {launches} | {kernels} | {seconds:.0f} | {_outcome(report, ran.stderr)} |"


def _outcome(report: dict[str, Any], errors: str) -> str:
    """'to its end', or the sentence that says why not."""
    if not report:
        return " ".join(errors.strip().splitlines()[-1:])
    faults = [fault["sentence"] for fault in report["faults"] if fault["severity"] == "fault"]
    warnings = [message["text"] for message in report["messages"] if message["severity"] == "warning"]
    return "; ".join([*faults, *warnings]) or "to its end"


if __name__ == "__main__":
    sys.exit(main())
