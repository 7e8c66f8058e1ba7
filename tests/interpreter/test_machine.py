"""Kernels that ask the machine: dependent launches, clocks and the number of their SM."""

from __future__ import annotations

import pytest
import torch

from core.hardware.gpus import gpu
from core.interpreter import intercept

triton = pytest.importorskip("triton")
tl = pytest.importorskip("triton.language")
cuda = pytest.importorskip("triton.language.extra.cuda")


@triton.jit
def dependent_add(x_ptr, y_ptr, out_ptr, N: tl.constexpr):
    cuda.gdc_wait()
    columns = tl.arange(0, N)
    total = tl.load(x_ptr + columns) + tl.load(y_ptr + columns)
    cuda.gdc_launch_dependents()
    tl.store(out_ptr + columns, total)


@triton.jit
def timed(out_ptr, STEPS: tl.constexpr):
    start = cuda.globaltimer()
    before = tl.inline_asm_elementwise("mov.u32 $0, %clock;", "=r", [], dtype=tl.int32, is_pure=False, pack=1)
    for step in tl.range(STEPS):
        tl.store(out_ptr + step, cuda.globaltimer() - start)
    after = tl.inline_asm_elementwise("mov.u32 $0, %clock;", "=r", [], dtype=tl.int32, is_pure=False, pack=1)
    tl.store(out_ptr + STEPS, (after - before).to(tl.int64))
    tl.store(out_ptr + STEPS + 1, cuda.smid().to(tl.int64))


@pytest.mark.parametrize("addresses_only", [False, True])
def test_that_a_dependent_launch_runs_after_what_it_depends_on(addresses_only: bool) -> None:
    with intercept(gpu=gpu("h100-sxm"), addresses_only=addresses_only) as tracer:
        x, out = torch.arange(16.0), torch.zeros(16)
        dependent_add[(1,)](x, x, out, N=16, launch_pdl=True)
        dependent_add[(1,)](out, x, out, N=16, launch_pdl=True)
    assert [len(launch.accesses) for launch in tracer.launches] == [3, 3]
    if not addresses_only:
        assert torch.equal(out, 3 * x)
    assert not [notice for notice in tracer.notices if "clock" in str(notice)]


def test_that_a_clock_counts_its_reads_and_says_so() -> None:
    out = torch.zeros(6, dtype=torch.int64)
    with intercept() as tracer:
        timed[(1,)](out, STEPS=4)
    assert out.tolist() == [2, 3, 4, 5, 5, 0], "one more for each read since, %globaltimer and %clock together"
    registers = [str(notice).split(" reads ")[1].split(":")[0] for notice in tracer.notices]
    assert registers == ["%clock", "%globaltimer", "%clock"] or sorted(set(registers)) == ["%clock", "%globaltimer"]
    assert all("counts how often it was read" in str(notice) for notice in tracer.notices)
