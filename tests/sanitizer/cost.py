"""`python -m tests.sanitizer.cost`: how long the shipped examples take with all checks, in parts of the trace without.

Both make the tables of launches, tensors and lines. What a file does without launching anything counts in both.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import util
from time import perf_counter
from typing import Any
from unittest.mock import patch

from core.examples import FOLDER
from core.interpreter.interception import intercept
from core.proofs.ahead import ahead
from core.topics.kernel_lab.experiment.proving import Launches
from core.trace import tables as trace_tables
from core.trace.record import Launch

_ROUNDS = 15
_MEMORY_BYTES = 24e9
"""Of the GPU that is chosen where none is named."""

STOPS_WITHOUT_CHECKS = "out_of_bounds"
"""An access out of bounds ends the trace without checks, so there is nothing to compare."""


def _functions() -> dict[str, Callable[[], Any]]:
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        spec = util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        if path.stem != STOPS_WITHOUT_CHECKS:
            found[path.stem] = module.main
    return found


def _plain(main: Callable[[], Any]) -> list[Launch]:
    with intercept() as tracer, patch.object(trace_tables, "findings", lambda launch: ()):
        main()
        trace_tables.tables(tracer.launches)
    return tracer.launches


def _checked(main: Callable[[], Any]) -> list[Launch]:
    launches = Launches()
    with intercept(faults="record", on_launch=launches.add) as tracer:
        main()
        trace_tables.tables(tracer.launches)
    for kernel, seen in launches.largest():
        ahead(kernel.plan.function, seen, _MEMORY_BYTES)
    return tracer.launches


def _seconds(run: Callable[[], Any]) -> float:
    begin = perf_counter()
    with redirect_stdout(io.StringIO()):
        run()
    return perf_counter() - begin


def main() -> None:
    """Print one row per example: the shortest of some runs each, in turn."""
    print("| example | plain trace, ms | all checks, ms | ratio |\n| --- | --- | --- | --- |")
    total, total_checked = 0.0, 0.0
    for name, function in _functions().items():
        _plain(function), _checked(function)
        times = [(_seconds(lambda: _plain(function)), _seconds(lambda: _checked(function))) for _ in range(_ROUNDS)]  # noqa: B023
        plain, checked = (min(column) for column in zip(*times, strict=True))
        total, total_checked = total + plain, total_checked + checked
        print(f"| {name} | {1000 * plain:.1f} | {1000 * checked:.1f} | {checked / plain:.2f} |", flush=True)
    print(f"| all | {1000 * total:.1f} | {1000 * total_checked:.1f} | {total_checked / total:.2f} |")


if __name__ == "__main__":
    main()
