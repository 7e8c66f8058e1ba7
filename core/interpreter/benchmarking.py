"""Triton's benchmark functions inside a trace: they run their function once, and say that they measured nothing.

So does `perf_report`, which runs each line of a benchmark at its first point alone, and needs no library that plots.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from core.contracts.text import Text, tr

_FUNCTIONS = ("do_bench", "do_bench_cudagraph")


@contextmanager
def nothing_timed(notify: Callable[[Text], None]) -> Iterator[None]:
    """Inside the block, `triton.testing.do_bench` and its like run their function once and return NaN as each time.

    `notify` is told so once for each of them.
    """
    from triton import testing

    kept = {name: getattr(testing, name) for name in _FUNCTIONS}
    kept_run = testing.Mark.run
    try:
        testing.Mark.run = _first_points(notify)
        for name, function in kept.items():
            setattr(testing, name, _run_once(name, function, notify))
        yield
    finally:
        testing.Mark.run = kept_run
        for name, function in kept.items():
            setattr(testing, name, function)


def _first_points(notify: Callable[[Text], None]) -> Callable[..., Any]:
    """In place of `triton.testing.Mark.run`, which is what `perf_report` returns."""

    def run(
        mark: Any,
        show_plots: bool = False,
        print_data: bool = False,
        save_path: str = "",
        return_df: bool = False,
        **given: Any,
    ) -> Any:
        single = not isinstance(mark.benchmarks, list | tuple)
        benchmarks = [mark.benchmarks] if single else mark.benchmarks
        notify(
            tr(
                "triton.testing.perf_report ran each line of a benchmark once, at its first point, and measured "
                "nothing: a trace has no GPU time, so there is no plot and no table."
            )
        )
        for bench in benchmarks:
            first = bench.x_vals[0]
            values = first if isinstance(first, list | tuple) else [first] * len(bench.x_names)
            point = dict(zip(bench.x_names, values, strict=True))
            for line in bench.line_vals:
                mark.fn(**point, **{bench.line_arg: line}, **bench.args, **given)
        if not return_df:
            return None
        import pandas  # type: ignore[import-untyped]

        tables = [pandas.DataFrame(columns=[*bench.x_names, *bench.line_names]) for bench in benchmarks]
        return tables[0] if single else tables

    return run


def _run_once(name: str, original: Any, notify: Callable[[Text], None]) -> Callable[..., Any]:
    signature = inspect.signature(original)
    told = False

    def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal told
        options = signature.bind(*args, **kwargs).arguments
        if not told:
            told = True
            notify(
                tr(
                    "triton.testing.{name} ran its function once and measured nothing: a trace has no GPU time, so "
                    "each time that it returns is NaN.",
                    name=name,
                )
            )
        for tensor in options.get("grad_to_none") or ():
            tensor.grad = None
        options["fn"]()
        quantiles = options.get("quantiles")
        if quantiles is not None:
            return [math.nan] * len(quantiles) if len(quantiles) > 1 else math.nan
        return [math.nan] if options.get("return_mode") == "all" else math.nan

    return run
