"""Bits per parameter in a report: the bytes that the quantized tensors of the kernels really hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from core.checkpoint.measuring import Quantization
from core.checkpoint.opening import open_checkpoint
from core.checkpoint.report import tensor_rows, total_rows
from core.checkpoint.resume_cache import ResumeCache
from core.checkpoint.survey import Survey, survey
from kernels.quantization.api import Impl, quantize
from kernels.quantization.formats import FORMATS, FormatId
from tests.checkpoint.files import normal


@pytest.mark.parametrize("nested_block", [0, 16, 256])
@pytest.mark.parametrize("block_size", [16, 64])
@pytest.mark.parametrize("name", FORMATS)
def test_that_stored_bits_are_the_bytes_that_the_kernels_hold(
    name: FormatId, block_size: int, nested_block: int
) -> None:
    quantization = Quantization((name,), block_size, nested_block)
    nested = 0 if FORMATS[name].affine else nested_block
    for elements in (1, 2, 15, 16, 17, 63, 64, 65, 768, 1025, 4096, 4161, 64 * 256, 64 * 257 + 3):
        held = quantize(normal(elements), format=name, block_size=block_size, nested_block=nested, impl=Impl.TORCH)
        assert quantization.stored_bits(name, elements) == 8 * held.nbytes, elements


def test_that_a_reports_bits_are_the_bytes_of_its_tensors_over_its_weights(tmp_path: Path) -> None:
    sizes = {"norm": 33, "narrow": 768, "wide": 5000}
    weights = {name: normal(size) for name, size in sizes.items()}
    save_file(weights, tmp_path / "a.safetensors")
    result = Survey()
    quantization = Quantization(tuple(FORMATS), 64, 256)
    opened = open_checkpoint(tmp_path / "a.safetensors")
    for _ in survey(
        opened.measured, quantization, ResumeCache(tmp_path / "cache"), result, lambda done, total, phase: None
    ):
        pass
    rows = [
        row
        for tensor, measured in result.measured.values()
        for row in tensor_rows(tensor, measured.weights, measured.errors)
    ]
    for total in total_rows(rows):
        name = FormatId(total.format)
        nested = 0 if FORMATS[name].affine else quantization.nested_block
        held = [quantize(w, format=name, nested_block=nested, impl=Impl.TORCH).nbytes for w in weights.values()]
        assert total.quantized_bytes == sum(held)
        assert total.bits_per_parameter == 8 * sum(held) / sum(sizes.values())
