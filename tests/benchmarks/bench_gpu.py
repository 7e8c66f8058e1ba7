"""Every family on this GPU, and how far the goals are reached: python -m tests.benchmarks.bench_gpu [--record FILE].

The comparisons are those of `python main.py bench`: each implementation is checked against float64 before it is timed,
and the recording opens on the compare page. What is done after 9.5 minutes, or --seconds, is kept, and the rest is left
out. `--dry-run` needs no GPU: it traces and compiles the kernels at the same sizes, and times nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from core.commands.bench_session import Session
from core.commands.bench_tables import print_run
from core.commands.session import engine_for
from core.recordings.run import FamilyRun
from tests.benchmarks.gpu_goals import COMPARISONS, Comparison, Finding, findings

SECONDS = 570
_STYLES = {"met": "green", "missed": "red", "not measured": "yellow"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compares every family of kernels on this GPU.")
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="only these families")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the runs as a recording")
    parser.add_argument("--seconds", type=int, help="stop after this time, and keep what is done")
    parser.add_argument("--dry-run", action="store_true", help="trace and compile without a GPU, and time nothing")
    options = parser.parse_args(arguments)
    if not (options.dry_run or torch.cuda.is_available()):
        print("PyTorch sees no GPU here: use --dry-run to trace and compile only.", file=sys.stderr)
        return 2
    seconds = options.seconds or (0 if options.dry_run else SECONDS)
    comparisons = [each for each in COMPARISONS if not options.families or each.family in options.families]
    console = Console()
    with engine_for("cpu" if options.dry_run else "cuda") as (engine, device), _interrupted_after(seconds):
        session = Session(engine, device, options.record)
        runs = session.run([each.params(dry_run=options.dry_run) for each in comparisons])
    for run in runs:
        print_run(console, run, session.notices_of(run))
    if options.dry_run:
        return int(session.failed or not all(map(_compiles, runs)))
    console.print(goals_table(comparisons, runs))
    return int(session.failed)


@contextmanager
def _interrupted_after(seconds: int) -> Iterator[None]:
    """As if the user had interrupted it then; 0 is never."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _compiles(run: FamilyRun) -> bool:
    """Whether something was compiled, and so was every kernel that was traced."""
    outcomes = [outcome for point in run.points for outcome in point.outcomes]
    kernels = [kernel for outcome in outcomes for kernel in outcome.compiled]
    return (
        bool(kernels)
        and not any(kernel.problem for kernel in kernels)
        and all(outcome.compiled for outcome in outcomes if outcome.traced is not None)
    )


def goals_table(comparisons: Sequence[Comparison], runs: Sequence[FamilyRun]) -> Table:
    """One row per goal and point, also for what was not run."""
    table = Table("family", "at", "goal", "reached", "", box=None, pad_edge=False, header_style="dim")
    by_family = {run.family: run for run in runs}
    for comparison in comparisons:
        run = by_family.get(comparison.family)
        rows = [] if run is None else list(findings(comparison, run))
        for finding in rows or [Finding(comparison.family, "", goal, None, "not run") for goal in comparison.goals]:
            verdict = finding.verdict if not finding.reason else f"{finding.verdict}: {finding.reason}"
            reached = "" if finding.ratio is None else f"{finding.ratio:.2f}"
            table.add_row(
                finding.family, finding.case, finding.goal.text, reached, verdict, style=_STYLES[finding.verdict]
            )
    return table


if __name__ == "__main__":
    sys.exit(main())
