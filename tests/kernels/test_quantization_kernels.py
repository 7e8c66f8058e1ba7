"""The Triton kernels, run on CPU tensors, against plain torch bit for bit and against float64."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.quantization.api import Impl, MatmulPath, choose_path, dequantize, gemv, matmul, quantize
from kernels.quantization.formats import BLOCK_SIZES, FORMATS, FormatId
from kernels.quantization.reference import reference_dequantize, reference_matmul, reference_quantize
from tests.kernels.conftest import INTERPRETED
from tests.kernels.oracle import rms
from tests.kernels.quantization_cases import KINDS, assert_same_bits, weights

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="tracing covers the same")

Emulated = AbstractContextManager[object]

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
CODEBOOKS_OF_4_BITS = [name for name, format_ in FORMATS.items() if format_.bits == 4 and not format_.affine]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_that_the_kernels_give_the_bits_of_torch(name: FormatId, kind: str, emulated: Emulated) -> None:
    weight = weights(kind, 64 * 70 + 33, name)

    with emulated:
        ours = quantize(weight, format=name)
        restored = dequantize(ours, dtype=torch.float32)

    theirs = quantize(weight, format=name, impl=Impl.TORCH)
    assert_same_bits(ours, theirs)
    assert torch.equal(restored, dequantize(theirs, dtype=torch.float32, impl=Impl.TORCH))


@pytest.mark.parametrize(("kind", "count"), [("heavy-tailed", 16 * 8192 + 5), ("constant", 4099), ("zero", 16 * 512)])
def test_that_double_quantization_gives_the_bits_of_torch(kind: str, count: int, emulated: Emulated) -> None:
    weight = weights(kind, count)

    with emulated:
        ours = quantize(weight, block_size=16, nested_block=256)
        restored = dequantize(ours, dtype=torch.float32)

    theirs = quantize(weight, block_size=16, nested_block=256, impl=Impl.TORCH)
    assert_same_bits(ours, theirs)
    assert torch.equal(restored, dequantize(theirs, dtype=torch.float32, impl=Impl.TORCH))


@given(
    name=st.sampled_from(FormatId),
    kind=st.sampled_from(KINDS),
    count=st.integers(1, 9000),
    block_size=st.sampled_from(BLOCK_SIZES),
    nested_block=st.sampled_from([0, 16, 256]),
    dtype=st.sampled_from(DTYPES),
    out=st.sampled_from(DTYPES),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_length_block_and_dtype_gives_the_bits_of_torch(
    name: FormatId,
    kind: str,
    count: int,
    block_size: int,
    nested_block: int,
    dtype: torch.dtype,
    out: torch.dtype,
    new_emulated: Callable[[], Emulated],
) -> None:
    weight = weights(kind, count, name).clamp(-6e4, 6e4).to(dtype)
    nested_block = 0 if FORMATS[name].affine else nested_block

    with new_emulated():
        ours = quantize(weight, format=name, block_size=block_size, nested_block=nested_block)
        restored = dequantize(ours, dtype=out)

    theirs = quantize(weight, format=name, block_size=block_size, nested_block=nested_block, impl=Impl.TORCH)
    assert_same_bits(ours, theirs)
    assert torch.equal(restored, dequantize(theirs, dtype=out, impl=Impl.TORCH))


@pytest.mark.parametrize("kind", ["normal", "heavy-tailed", "constant", "zero"])
@pytest.mark.parametrize("name", FORMATS)
def test_that_no_level_is_nearer_than_the_one_taken(name: FormatId, kind: str) -> None:
    weight = weights(kind, 64 * 20 + 7, name)

    taken = reference_dequantize(quantize(weight, format=name, impl=Impl.TORCH))

    nearest = reference_quantize(weight, name, 64)
    rounding = 4 * torch.finfo(torch.float32).eps * weight.abs().max()
    assert ((weight - taken).abs() <= (weight - nearest).abs() + rounding).all()


@pytest.mark.parametrize("nested_block", [0, 16])
@pytest.mark.parametrize("name", FORMATS)
def test_that_restored_weights_are_float64_rounded(name: FormatId, nested_block: int) -> None:
    nested_block = 0 if FORMATS[name].affine else nested_block
    quantized = quantize(weights("normal", 5000, name), format=name, nested_block=nested_block, impl=Impl.TORCH)

    restored = dequantize(quantized, dtype=torch.float32, impl=Impl.TORCH)

    torch.testing.assert_close(restored.double(), reference_dequantize(quantized), rtol=1e-6, atol=1e-6)


def test_that_views_of_any_strides_are_quantized_in_their_own_order(emulated: Emulated) -> None:
    weight = weights("normal", 96 * 70).reshape(96, 70)

    with emulated:
        ours = quantize(weight.T)

    assert ours.shape == (70, 96)
    assert_same_bits(ours, quantize(weight.T.contiguous(), impl=Impl.TORCH))


@pytest.mark.parametrize("nested_block", [0, 256])
@pytest.mark.parametrize("name", FORMATS)
def test_that_bits_a_parameter_are_those_of_the_bytes_held(name: FormatId, nested_block: int) -> None:
    format_ = FORMATS[name]
    nested_block = 0 if format_.affine else nested_block
    elements = 64 * 256 * 4

    quantized = quantize(weights("normal", elements), format=name, nested_block=nested_block, impl=Impl.TORCH)

    offset_bits = 32 if nested_block else 0  # one number per tensor, which the formula leaves out
    assert 8 * quantized.nbytes == elements * format_.bits_per_parameter(64, nested_block) + offset_bits
    assert quantized.bits_per_parameter == 8 * quantized.nbytes / elements


def test_that_a_short_block_and_an_odd_weight_cost_whole_scales_and_bytes() -> None:
    quantized = quantize(weights("normal", 64 * 3 + 1), impl=Impl.TORCH)

    assert quantized.nbytes == (64 * 3 + 2) // 2 + 4 * 4


@pytest.mark.parametrize("shape", [(16, 4096, 64, 0), (70, 192, 64, 16), (33, 96, 16, 0), (5, 6144, 1024, 256)])
@pytest.mark.parametrize("name", CODEBOOKS_OF_4_BITS)
def test_that_products_are_as_exact_as_bfloat16_weights_allow(
    name: FormatId, shape: tuple[int, int, int, int], new_emulated: Callable[[], Emulated]
) -> None:
    rows, columns, block_size, nested_block = shape
    quantized = quantize(
        weights("normal", rows * columns).reshape(rows, columns),
        format=name, block_size=block_size, nested_block=nested_block, impl=Impl.TORCH,
    )  # fmt: skip
    for x_rows in (1, 3, 40):
        x = weights("normal", x_rows * columns, seed=1).reshape(x_rows, columns).bfloat16()
        exact = reference_matmul(x, quantized)
        theirs = matmul(x, quantized, impl=Impl.TORCH)
        paths = [MatmulPath.FUSED, MatmulPath.DEQUANTIZE] + [MatmulPath.GEMV] * (x_rows == 1)
        for path in paths:
            with new_emulated():
                ours = matmul(x, quantized, path=path)
            assert ours.dtype == x.dtype
            allowed = max(2 * rms(theirs - exact), torch.finfo(x.dtype).eps / 2 * rms(exact))
            assert rms(ours - exact) <= allowed, path


def test_that_gemv_in_float32_rounds_neither_levels_nor_scales(emulated: Emulated) -> None:
    quantized = quantize(weights("normal", 12 * 512).reshape(12, 512), nested_block=16, impl=Impl.TORCH)
    x = weights("normal", 512, seed=1)[None]

    with emulated:
        ours = gemv(x, quantized)

    torch.testing.assert_close(ours.double(), reference_matmul(x, quantized), rtol=1e-5, atol=1e-5)


def test_that_the_path_says_what_runs() -> None:
    quantized = quantize(torch.ones(4, 128), impl=Impl.TORCH)
    ragged = quantize(torch.ones(4, 100), impl=Impl.TORCH)
    int8 = quantize(torch.ones(4, 128), format=FormatId.INT8, impl=Impl.TORCH)

    assert [choose_path(rows, quantized) for rows in (1, 2, 128, 129)] == [
        MatmulPath.GEMV, MatmulPath.FUSED, MatmulPath.FUSED, MatmulPath.DEQUANTIZE,
    ]  # fmt: skip
    assert choose_path(1, ragged) is choose_path(1, int8) is MatmulPath.DEQUANTIZE


@pytest.mark.parametrize(
    ("rows", "path", "kernels"),
    [
        (1, None, ["gemv_kernel"]),
        (2, None, ["fused_matmul_kernel"]),
        (129, None, ["dequantize_kernel"]),
        (1, MatmulPath.FUSED, ["fused_matmul_kernel"]),
        (1, MatmulPath.DEQUANTIZE, ["dequantize_kernel"]),
    ],
)
def test_that_the_requested_path_is_the_one_that_runs(rows: int, path: MatmulPath | None, kernels: list[str]) -> None:
    from core.interpreter import intercept

    quantized = quantize(torch.ones(4, 128), impl=Impl.TORCH)

    with intercept() as tracer:
        matmul(torch.ones(rows, 128), quantized, path=path)

    assert [launch.function for launch in tracer.launches] == kernels
