"""The table of all kinds: python -m tests.robustness [KIND ...] [--seconds N] [--share F] [--only NUMBER]."""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.robustness.attempt import Row, fault_of, random_of

SEED = 13


@dataclass(frozen=True)
class Kind:
    """How often a full run tries a kind, and its share of the time that is left for it and the kinds after it."""

    title: str
    full: int
    weight: float


KINDS = {
    "parameters": Kind("hostile parameter sets", 10_000, 4),
    "checkpoints": Kind("hostile checkpoints and model folders", 500, 8),
    "histories": Kind("damaged histories", 60, 1),
    "traces": Kind("damaged recordings, traces and messages", 100, 1),
    "kernels": Kind("hostile kernel files", 200, 6),
    "workers": Kind("worker kills", 200, 7),
    "applications": Kind("application kills in the middle of a run", 50, 5),
}
"""Each is a module here. Those that start processes come last: they take what time the others leave."""


def run_kind(kind: str, count: int, seconds: float, *, seed: int = SEED, numbers: Sequence[int] | None = None) -> Row:
    """Try a kind `count` times, or until the time is over."""
    module = importlib.import_module(f"tests.robustness.{kind}")
    row, started = Row(kind), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tilescope-robustness-") as scratch:
        try:
            for number in range(count) if numbers is None else numbers:
                if time.monotonic() - started > seconds:
                    break
                folder = Path(scratch, str(number))
                folder.mkdir()
                attempt = module.attempts(number, random_of(seed, kind, number), folder)
                began = time.monotonic()
                fault = fault_of(attempt)
                row.add(number, attempt.name, time.monotonic() - began, fault)
                if fault:
                    print(row.faults[-1], file=sys.stderr, flush=True)
                _remove(folder)
        finally:
            getattr(module, "close", lambda: None)()
    row.elapsed_s = time.monotonic() - started
    return row


def _remove(folder: Path) -> None:
    """Remove the files of an attempt. Links are not followed, and some names are not text."""
    for root, folders, files in os.walk(os.fsencode(folder), topdown=False):
        for name in files:
            os.unlink(os.path.join(root, name))
        for name in folders:
            path = os.path.join(root, name)
            os.unlink(path) if os.path.islink(path) else os.rmdir(path)
    folder.rmdir()


def print_table(rows: Sequence[Row]) -> None:
    """The table of docs/reliability.md."""
    print("| kind | tried | answered | faults | slowest answer | seconds |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        tried = f"{row.tried:,} of {KINDS[row.kind].full:,}" if row.tried < KINDS[row.kind].full else f"{row.tried:,}"
        print(
            f"| {KINDS[row.kind].title} | {tried} | {row.answered:,} | {len(row.faults)} | {row.slowest_s:.1f} s "
            f"| {row.elapsed_s:.0f} |"
        )


def shares(kinds: Sequence[str], left_s: float) -> float:
    """The seconds of the first of these kinds, when they have so many together."""
    return max(0.0, left_s) * KINDS[kinds[0]].weight / sum(KINDS[kind].weight for kind in kinds)


def completeness(rows: Sequence[Row], counts: Mapping[str, int]) -> str:
    """Whether every kind was tried as often as it should be."""
    missing = [f"{row.kind} ({row.tried:,} of {counts[row.kind]:,})" for row in rows if row.tried < counts[row.kind]]
    return f"Not complete, the time was over: {', '.join(missing)}." if missing else "Every kind was complete."


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.robustness", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"one or more of {', '.join(KINDS)}, timings")
    parser.add_argument("--seconds", type=float, default=1080.0, help="time limit of all kinds together")
    parser.add_argument("--share", type=float, default=1.0, help="how much of each kind: 0.1 is a tenth")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", type=int, action="append", metavar="NUMBER", help="repeat this attempt")
    options = parser.parse_args(arguments)
    unknown = [kind for kind in options.kinds if kind not in KINDS and kind != "timings"]
    if unknown:
        parser.error(f"there is no kind {unknown[0]!r}: the kinds are {', '.join(KINDS)}, timings")
    kinds = [kind for kind in options.kinds or KINDS if kind != "timings"]
    counts = {kind: max(1, round(KINDS[kind].full * options.share)) for kind in kinds}
    end = time.monotonic() + options.seconds
    rows = []
    for index, kind in enumerate(kinds):
        seconds = shares(kinds[index:], end - time.monotonic())
        rows.append(run_kind(kind, counts[kind], seconds, seed=options.seed, numbers=options.only))
        print(f"{kind}: {rows[-1].tried} tried, {len(rows[-1].faults)} faults", file=sys.stderr, flush=True)
    print_table(rows)
    for row in rows:
        for fault in row.faults:
            print(f"FAULT {fault}")
    if "workers" in kinds:
        from tests.robustness.workers import RECOVERIES_S

        if RECOVERIES_S:
            median = statistics.median(RECOVERIES_S)
            print(f"From a worker's death to the next finished run: median {median:.2f} s of {len(RECOVERIES_S)}.")
    if rows and not options.only:
        print(completeness(rows, counts))
    if not options.kinds or "timings" in options.kinds:
        from tests.robustness import timings

        timings.main()
    return 1 if any(row.faults for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
