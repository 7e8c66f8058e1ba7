import pytest
import torch

from kernels.quantization.api import Impl, MatmulPath, available, dequantize, matmul, quantize
from kernels.quantization.formats import BLOCK_SIZES, FORMATS, FormatId
from kernels.quantization.impl import BITSANDBYTES_TYPES
from kernels.quantization.reference import reference_matmul
from tests.kernels.oracle import rms
from tests.kernels.quantization_cases import KINDS, assert_same_bits, weights
from tests.pairwise import pairwise

pytestmark = pytest.mark.gpu

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
COUNTS = (1, 33, 4096 * 3, 1_000_003)
CODEBOOKS_OF_4_BITS = [name for name, format_ in FORMATS.items() if format_.bits == 4 and not format_.affine]

needs_bitsandbytes = pytest.mark.skipif(
    available(Impl.BITSANDBYTES, "cpu") is not None, reason="bitsandbytes is not installed here"
)


@pairwise(name=FORMATS, kind=KINDS, dtype=DTYPES)
def test_that_the_compiled_kernels_give_the_bits_of_torch(name: FormatId, kind: str, dtype: torch.dtype) -> None:
    for count in COUNTS:
        weight = weights(kind, count, name).clamp(-6e4, 6e4).to("cuda", dtype)
        for block_size in (16, 64, 4096):
            ours = quantize(weight, format=name, block_size=block_size)
            theirs = quantize(weight, format=name, block_size=block_size, impl=Impl.TORCH)

            assert_same_bits(ours, theirs)
            for out in DTYPES:
                mine, other = (dequantize(ours, dtype=out, impl=impl) for impl in (Impl.TRITON, Impl.TORCH))
                assert torch.equal(mine, other), (count, block_size, out)


@pytest.mark.parametrize("nested_block", [16, 256, 4096])
@pytest.mark.parametrize("block_size", BLOCK_SIZES)
def test_that_double_quantization_gives_the_bits_of_torch(block_size: int, nested_block: int) -> None:
    weight = weights("heavy-tailed", 1_000_003).cuda()

    ours = quantize(weight, block_size=block_size, nested_block=nested_block)

    # The mean of the scales is torch's in both, summed in the same order.
    assert_same_bits(ours, quantize(weight, block_size=block_size, nested_block=nested_block, impl=Impl.TORCH))
    mine, other = (dequantize(ours, dtype=torch.float32, impl=impl) for impl in (Impl.TRITON, Impl.TORCH))
    assert torch.equal(mine, other)


def test_that_beyond_two_to_the_31_weights_the_last_are_still_right() -> None:
    count = 2**31 + 64 * 3 + 5
    weight = torch.zeros(count, dtype=torch.bfloat16, device="cuda")
    last = weights("normal", 64 * 8 + 5).to("cuda", torch.bfloat16)
    weight[-len(last) :] = last

    restored = dequantize(quantize(weight))

    theirs = dequantize(quantize(last, impl=Impl.TORCH), impl=Impl.TORCH)
    assert torch.equal(restored[-len(last) :], theirs)
    assert not restored[: -len(last)].any()


@needs_bitsandbytes
@pytest.mark.parametrize("name", list(BITSANDBYTES_TYPES))
def test_that_bitsandbytes_on_the_gpu_takes_the_same_levels_but_beside_boundaries(name: FormatId) -> None:
    weight = weights("normal", 64 * 100_000, name).cuda()

    ours, theirs = (quantize(weight, format=name, impl=impl) for impl in (Impl.TRITON, Impl.BITSANDBYTES))

    assert ours.absmax is not None
    assert theirs.absmax is not None
    assert torch.equal(ours.absmax, theirs.absmax)
    mine, peer = (dequantize(each, dtype=torch.float32, impl=Impl.TORCH) for each in (ours, theirs))
    # Their reciprocal is approximate, and their boundaries are literals of few digits: only ties may fall otherwise.
    assert (mine != peer).double().mean() < 1e-5
    assert (((mine - weight).abs() - (peer - weight).abs()).abs() <= 1e-5 * weight.abs().max()).all()


@needs_bitsandbytes
@pytest.mark.parametrize("nested_block", [0, 256])
@pytest.mark.parametrize("name", list(BITSANDBYTES_TYPES))
def test_that_bitsandbytes_on_the_gpu_restores_the_same_weights(name: FormatId, nested_block: int) -> None:
    quantized = quantize(
        weights("normal", 512 * 1024).cuda().reshape(512, 1024), format=name, nested_block=nested_block
    )

    ours, theirs = (dequantize(quantized, dtype=torch.float32, impl=impl) for impl in (Impl.TRITON, Impl.BITSANDBYTES))

    if nested_block:  # they may fuse the product of a scale with the sum that follows
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    else:
        assert torch.equal(ours, theirs)


@pairwise(
    name=CODEBOOKS_OF_4_BITS,
    shape=[(4096, 4096, 64), (4097, 1088, 64), (300, 11008, 32), (64, 8192, 4096)],
    nested_block=[0, 256],
)
def test_that_products_are_as_exact_as_bfloat16_weights_allow(
    name: FormatId, shape: tuple[int, int, int], nested_block: int
) -> None:
    rows, columns, block_size = shape
    weight = weights("normal", rows * columns).to("cuda").reshape(rows, columns)
    quantized = quantize(weight, format=name, block_size=block_size, nested_block=nested_block)
    for x_rows in (1, 2, 17, 128, 515):
        x = weights("normal", x_rows * columns, seed=1).reshape(x_rows, columns).to("cuda", torch.bfloat16)
        exact = reference_matmul(x, quantized)
        theirs = matmul(x, quantized, impl=Impl.TORCH)
        allowed = max(2 * rms(theirs - exact), torch.finfo(x.dtype).eps / 2 * rms(exact))
        for path in [MatmulPath.FUSED, MatmulPath.DEQUANTIZE] + [MatmulPath.GEMV] * (x_rows == 1):
            assert rms(matmul(x, quantized, path=path) - exact) <= allowed, (x_rows, path)
