"""What the kernels touch, from their traces: every byte of codes and scales once, and no more than the format says."""

import numpy as np
import pytest
import torch

from kernels.quantization.api import Impl, Quantized, dequantize, gemv, quantize
from kernels.quantization.formats import FORMATS, FormatId
from tests.kernels.conftest import INTERPRETED

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not traced")

if not INTERPRETED:
    from core.interpreter import Launch, intercept


def times_touched(launch: "Launch", buffer: str, kind: str, elements: int) -> np.ndarray:
    """int [elements]: how many programs touch each element of a buffer."""
    touched = np.zeros(elements, dtype=int)
    for access in launch.accesses:
        if access.kind == kind and launch.buffers[access.buffer].name == buffer:
            offsets, active = access.offsets(), access.active()
            for lane in range(len(access.programs)):
                touched[np.unique(offsets[lane][active[lane]])] += 1
    return touched


def quantized_weights(name: FormatId = FormatId.NF4, nested_block: int = 0) -> Quantized:
    weight = torch.randn(20, 512, generator=torch.Generator().manual_seed(0))
    return quantize(weight, format=name, nested_block=nested_block, impl=Impl.TORCH)


@pytest.mark.parametrize("name", [FormatId.NF4, FormatId.INT8])
def test_that_quantize_reads_each_weight_once_and_writes_each_code_and_scale_once(name: FormatId) -> None:
    weight = torch.randn(20, 512)

    with intercept() as tracer:
        quantized = quantize(weight, format=name)

    (launch,) = tracer.launches
    assert (times_touched(launch, "x_ptr", "load", weight.numel()) == 1).all()
    assert (times_touched(launch, "codes_ptr", "store", quantized.codes.numel()) == 1).all()
    assert (times_touched(launch, "scale_ptr", "store", quantized.blocks) == 1).all()


@pytest.mark.parametrize("name", FORMATS)
def test_that_dequantize_reads_each_code_once_and_writes_each_weight_once(name: FormatId) -> None:
    quantized = quantized_weights(name)

    with intercept() as tracer:
        dequantize(quantized)

    (launch,) = tracer.launches
    assert (times_touched(launch, "codes_ptr", "load", quantized.codes.numel()) == 1).all()
    assert (times_touched(launch, "out_ptr", "store", quantized.elements) == 1).all()


@pytest.mark.parametrize("nested_block", [0, 16])
def test_that_gemv_reads_each_code_and_scale_once(nested_block: int) -> None:
    quantized = quantized_weights(nested_block=nested_block)

    with intercept() as tracer:
        gemv(torch.ones(1, 512), quantized)

    (launch,) = tracer.launches
    assert (times_touched(launch, "words_ptr", "load", quantized.codes.numel() // 4) == 1).all()
    scales = "nested_codes_ptr" if nested_block else "absmax_ptr"
    assert (times_touched(launch, scales, "load", quantized.blocks) == 1).all()
