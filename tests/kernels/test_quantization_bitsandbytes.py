"""Bit for bit against bitsandbytes' CPU build: codes, scales, restored weights, double quantization."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from kernels.quantization.api import Impl, dequantize, quantize
from kernels.quantization.formats import FormatId, dynamic_levels
from tests.kernels.conftest import INTERPRETED
from tests.kernels.quantization_cases import KINDS, assert_same_bits, weights
from tests.pairwise import pairwise

pytestmark = pytest.mark.skipif(INTERPRETED, reason="the interpreter adds nothing here")

FORMATS = (FormatId.NF4, FormatId.FP4_E2M1)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
LENGTHS = (4096, 4095, 33)


@pytest.fixture(autouse=True)
def _nothing_is_compiled() -> Iterator[None]:
    """bitsandbytes compiles its own fallback for rows of an odd length, for seconds each: the same in eager mode. It is
    imported here: that takes seconds, and every process of pytest reads all test files."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed here")
    with torch.compiler.set_stance("force_eager"):
        yield


@pairwise(name=FORMATS, kind=KINDS, dtype=DTYPES)
def test_that_codes_scales_and_restored_weights_are_those_of_bitsandbytes(
    name: FormatId, kind: str, dtype: torch.dtype
) -> None:
    largest = torch.finfo(torch.float16 if dtype is torch.float16 else torch.float32).max
    for length in LENGTHS:
        weight = weights(kind, length, name).clamp(-largest, largest).to(dtype)
        for block_size in (32, 64, 4096):
            ours = quantize(weight, format=name, block_size=block_size, impl=Impl.TORCH)
            theirs = quantize(weight, format=name, block_size=block_size, impl=Impl.BITSANDBYTES)

            assert_same_bits(ours, theirs)
            for out in DTYPES:
                mine, peer = (dequantize(ours, dtype=out, impl=impl) for impl in (Impl.TORCH, Impl.BITSANDBYTES))
                if out is torch.bfloat16:  # their AVX512-BF16 instruction gives 0 for what bfloat16 holds denormal
                    mine = torch.where(mine.abs() < torch.finfo(out).tiny, 0, mine)
                    peer = torch.where(peer.abs() < torch.finfo(out).tiny, 0, peer)
                assert torch.equal(mine, peer), (length, block_size, out)


@pytest.mark.parametrize("kind", ["normal", "heavy-tailed", "constant", "zero", "boundaries"])
@pytest.mark.parametrize("name", FORMATS)
def test_that_double_quantization_is_that_of_bitsandbytes(name: FormatId, kind: str) -> None:
    for length in (64 * 256 * 12, 64 * 300 + 5):
        weight = weights(kind, length, name)
        ours, theirs = (
            quantize(weight, format=name, nested_block=256, impl=impl) for impl in (Impl.TORCH, Impl.BITSANDBYTES)
        )

        assert_same_bits(ours, theirs)
        assert torch.equal(
            dequantize(ours, dtype=torch.float32, impl=Impl.TORCH),
            dequantize(ours, dtype=torch.float32, impl=Impl.BITSANDBYTES),
        )


def test_that_the_table_of_the_cpu_build_moves_no_scale_by_more_than_a_step_of_its_grid() -> None:
    """Why codes of scales are not always those of the nearest level: shares are moved to one of 65536 places first."""
    weight = weights("heavy-tailed", 64 * 256 * 12)
    nested = quantize(weight, nested_block=256, impl=Impl.BITSANDBYTES).nested
    scales = quantize(weight, impl=Impl.TORCH).absmax
    assert nested is not None
    assert scales is not None
    shares = ((scales - nested.offset).reshape(-1, 256) / nested.absmax[:, None]).double()
    levels = torch.from_numpy(dynamic_levels())
    nearest = (shares[..., None] - levels).abs().amin(-1)
    taken = (shares - levels[nested.codes.long()].reshape(shares.shape)).abs()

    assert (taken > nearest + 1e-7).any()
    assert (taken - nearest).max() <= 2 * 1 / 65535


def test_that_levels_of_scales_are_those_of_bitsandbytes() -> None:
    from bitsandbytes.functional import create_dynamic_map

    assert np.array_equal(create_dynamic_map().numpy(), dynamic_levels().astype(np.float32))
