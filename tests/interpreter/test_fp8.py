"""Every 8-bit float of torch, against torch's own conversions: those of AMD with an AMD GPU as the target."""

from __future__ import annotations

import pytest
import torch

from core.hardware.gpus import gpu_called
from core.interpreter import intercept
from tests.interpreter import fp8_kernels as kernels

DTYPES = {
    torch.float8_e4m3fn: "h100",
    torch.float8_e5m2: "h100",
    torch.float8_e4m3fnuz: "mi300x",
    torch.float8_e5m2fnuz: "mi300x",
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_all_numbers_of_a_type_are_read_as_torch_reads_them(dtype: torch.dtype) -> None:
    x, o = torch.arange(256, dtype=torch.uint8).view(dtype), torch.zeros(256)
    with intercept(gpu=gpu_called(DTYPES[dtype])):
        kernels.widen_kernel[(1,)](x, o, BLOCK=256)
    torch.testing.assert_close(o, x.to(torch.float32), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_numbers_are_rounded_as_torch_rounds_them(dtype: torch.dtype) -> None:
    """Numbers in between, ties, subnormals and signs. Beyond the largest, hardware saturates and torch does not."""
    numbers = torch.arange(256, dtype=torch.uint8).view(dtype).to(torch.float32)
    numbers = numbers[torch.isfinite(numbers)].sort().values
    between = torch.cat((numbers, (numbers[1:] + numbers[:-1]) / 2, torch.linspace(-1, 1, 1024)))[:1024]
    o = torch.zeros(1024, dtype=dtype)
    x = torch.cat((between, torch.zeros(1024 - len(between))))
    with intercept(gpu=gpu_called(DTYPES[dtype])):
        kernels.narrow_kernel[(1,)](x, o, BLOCK=1024)
    torch.testing.assert_close(o.to(torch.float32), x.to(dtype).to(torch.float32), rtol=0, atol=0)
    with intercept(gpu=gpu_called(DTYPES[dtype])):
        kernels.narrow_kernel[(1,)](x * 1e30, o, BLOCK=1024)
    assert float(o.to(torch.float32).abs().max()) == torch.finfo(dtype).max
