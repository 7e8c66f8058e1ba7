"""Files that plot, tabulate and profile what they measure run without these libraries."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch

from core.contracts.text import Text
from core.interpreter import intercept
from core.interpreter.reporting import silent_reports
from tests.interpreter import traced_kernels as kernels

triton = pytest.importorskip("triton")


def test_that_a_report_runs_each_line_at_its_first_point_and_says_so() -> None:
    called = []

    @triton.testing.perf_report(
        triton.testing.Benchmark(
            x_names=["size"],
            x_vals=[16, 1 << 40],
            line_arg="provider",
            line_vals=["triton", "torch"],
            line_names=["Triton", "Torch"],
            plot_name="add",
            args={"scale": 2},
        )
    )
    def benchmark(size: int, provider: str, scale: int) -> float:
        called.append((size, provider, scale))
        x = torch.ones(size)
        return float(triton.testing.do_bench(lambda: kernels.add_kernel[(1,)](x, x, x, size, BLOCK=16)))

    original = triton.testing.Mark.run
    with intercept() as tracer:
        assert benchmark.run(print_data=True, show_plots=True, save_path=".") is None
    assert called == [(16, "triton", 2), (16, "torch", 2)]
    assert len(tracer.launches) == 2
    assert any("perf_report ran each line of a benchmark once" in str(notice) for notice in tracer.notices)
    assert triton.testing.Mark.run is original


@pytest.mark.parametrize("name", ["tabulate", "matplotlib.pyplot"])
def test_that_a_missing_library_of_reports_is_silent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.partition(".")[0] in sys.modules or importlib.util.find_spec(name.partition(".")[0]) is not None:
        pytest.skip(f"{name} is installed")
    with silent_reports(f"import {name}", lambda text: None):
        module = importlib.import_module(name)
        if name == "tabulate":
            assert module.tabulate([["a", 1], ["b", 2]]) == "a\t1\nb\t2"
        else:
            figure, axes = module.subplots()
            axes.plot([1, 2]).set_title("nothing")
            figure.savefig("nowhere.png")
    assert name not in sys.modules


def test_that_the_profiler_profiles_nothing_and_says_so() -> None:
    profiler = importlib.import_module("triton.profiler")
    told: list[Text] = []
    with silent_reports("import triton.profiler as proton", told.append):
        session = profiler.start("matmul", hook="triton")
        with profiler.scope("one"):
            profiler.deactivate(session)
        profiler.finalize()
        importlib.import_module("triton.profiler.viewer").parse(["time/ms"], "matmul.hatchet")
    assert "profiler measured nothing" in str(told[0])
