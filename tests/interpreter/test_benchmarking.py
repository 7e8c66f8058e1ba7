"""Benchmarks inside a trace run once and measure nothing, and the trace says so."""

from __future__ import annotations

import math

import pytest
import torch
import triton

from core.interpreter import intercept
from tests.interpreter import traced_kernels as kernels

triton_testing = pytest.importorskip("triton.testing")


def test_that_a_benchmark_runs_its_function_once_and_says_that_it_measured_nothing() -> None:
    x, o = torch.arange(16.0, requires_grad=True), torch.empty(16)
    x.grad = torch.ones(16)

    def launch() -> None:
        kernels.add_kernel[(1,)](x.detach(), x.detach(), o, 16, BLOCK=16)

    original = triton_testing.do_bench
    with intercept() as tracer:
        times = [
            triton.testing.do_bench(launch, grad_to_none=[x]),
            *triton.testing.do_bench(launch, 25, 100, quantiles=[0.5, 0.2, 0.8]),
            *triton.testing.do_bench(launch, return_mode="all"),
            triton.testing.do_bench_cudagraph(launch, rep=5),
        ]
    assert len(tracer.launches) == 4
    assert len(times) == 6
    assert all(map(math.isnan, times))
    assert x.grad is None
    sentences = [str(notice) for notice in tracer.notices]
    assert [s.split(" ran")[0] for s in sentences] == ["triton.testing.do_bench", "triton.testing.do_bench_cudagraph"]
    assert "measured nothing" in sentences[0]
    assert triton_testing.do_bench is original


@pytest.mark.skipif(torch.cuda.is_available(), reason="Triton's own driver is there")
def test_that_the_drivers_benchmark_function_is_the_same() -> None:
    with intercept() as tracer:
        times = triton.runtime.driver.active.get_benchmarker()(lambda: None, quantiles=(0.5, 0.2))
    assert len(times) == 2
    assert all(map(math.isnan, times))
    assert len(tracer.notices) == 1
