"""Runs the cases and prints a table: python -m tests.compatibility [NAME ...] [--only CASE] [--limit S] [--write].

`--write` puts the table of a full run into docs/compatibility.md. Exit code 1 if less than 97 % of the cases pass.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.compatibility.case_files import CaseFile, case_files
from tests.compatibility.report import REQUIRED_SHARE, passed_share, table, write
from tests.compatibility.running import Outcome, outcomes

_ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    files = [file for file in case_files() if not options.names or file.name in options.names]
    if options.lines:  # a process of its own: prints one line per case
        for outcome in outcomes(files[0], options.only or files[0].cases, options.limit):
            print(json.dumps(asdict(outcome)), flush=True)
        return 0
    missing = [file.name for file in files if not file.is_installed]
    if missing:
        print(f"Not installed: {', '.join(missing)}. Run make test-compatibility.", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(options.jobs) as pool:
        results = dict(zip(files, pool.map(lambda file: _in_a_process(file, options), files), strict=True))
    print(table(results))
    if options.write:
        write(results)
    return 0 if passed_share(results) >= REQUIRED_SHARE else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compatibility", description=__doc__)
    parser.add_argument("names", nargs="*", help="such as liger; all without one")
    parser.add_argument("--only", action="append", help="one case of the file")
    parser.add_argument(
        "--limit", type=float, default=600.0, help="seconds for one case; the first of a file imports the packages"
    )
    parser.add_argument("--jobs", type=int, default=2, help="files at a time")
    parser.add_argument("--write", action="store_true", help="update docs/compatibility.md")
    parser.add_argument("--lines", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _in_a_process(file: CaseFile, options: argparse.Namespace) -> list[Outcome]:
    """Packages patch torch and each other, so each file has a process of its own."""
    command = [sys.executable, "-m", "tests.compatibility", file.name, "--lines", "--limit", str(options.limit)]
    for case in options.only or ():
        command += ["--only", case]
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONWARNINGS": "ignore"}
    results = []
    with subprocess.Popen(
        command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                outcome = Outcome(**json.loads(line))
                results.append(outcome)
                print(_line(file, outcome), flush=True)
    known = {outcome.case for outcome in results}
    lost = [case for case in options.only or file.cases if case not in known]
    return results + [Outcome(case, 0, 0.0, "The process that runs the cases ended.") for case in lost]


def _line(file: CaseFile, outcome: Outcome) -> str:
    launches = f"{outcome.launches} launches, " if outcome.launches else ""
    return f"{file.name}::{outcome.case}: {launches}{outcome.seconds:.1f} s: {outcome.problem or 'passed'}" + (
        f"; {outcome.finding}" if outcome.finding else ""
    )


if __name__ == "__main__":
    sys.exit(main())
