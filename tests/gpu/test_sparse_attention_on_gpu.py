import numpy as np
import pytest
import torch

from kernels.attention import SparseImpl, block_mask, sparse_attention
from tests.kernels.mask_cases import PRESETS, causal, packed
from tests.kernels.oracle import DTYPES, Shape, assert_masked_as_exact_as_torch, random_qkv
from tests.pairwise import pairwise

pytestmark = pytest.mark.gpu

LENGTHS = [(2048, 2048), (1000, 3001), (3001, 1000), (63, 63), (1, 4099)]


@pairwise(preset=PRESETS, lengths=LENGTHS, head_dim=[32, 64, 128], dtype=DTYPES)
def test_that_the_compiled_kernel_is_as_exact_as_torch(
    preset: str, lengths: tuple[int, int], head_dim: int, dtype: torch.dtype
) -> None:
    mask = PRESETS[preset](*lengths)
    qkv = random_qkv(Shape(2, 8, 2, *lengths, head_dim), dtype, "cuda")

    ours = sparse_attention(*qkv, impl=SparseImpl.BLOCK_SPARSE, mask=mask)

    assert_masked_as_exact_as_torch(ours, *qkv, mask=mask)
    assert ours.lse is not None
    assert (ours.out[ours.lse.isneginf()] == 0).all()


@pytest.mark.parametrize("block_kv", [16, 32, 64, 128])
@pytest.mark.parametrize("block_q", [16, 32, 64, 128])
def test_that_every_tile_size_gives_the_same_answer(block_q: int, block_kv: int) -> None:
    qkv = random_qkv(Shape(1, 4, 2, 333, 500, 64), torch.bfloat16, "cuda")
    mask = packed(333, 500) | PRESETS["prefix-lm"](333, 500)

    ours = sparse_attention(*qkv, impl=SparseImpl.BLOCK_SPARSE, mask=mask, block_q=block_q, block_kv=block_kv)

    assert_masked_as_exact_as_torch(ours, *qkv, mask=mask)


@pytest.mark.parametrize("preset", ["causal", "window", "documents", "prefix-lm", "padding"])
def test_that_compiled_flex_attention_agrees(preset: str) -> None:
    qkv = random_qkv(Shape(2, 8, 2, 1024, 1024, 64), torch.bfloat16, "cuda")
    mask = PRESETS[preset](1024, 1024)

    theirs = sparse_attention(*qkv, impl=SparseImpl.FLEX, mask=mask)

    assert_masked_as_exact_as_torch(theirs, *qkv, mask=mask)


def test_that_classes_made_on_the_gpu_are_those_of_the_cpu() -> None:
    on_cpu, on_gpu = (
        block_mask(packed(3000, 4001), batch=1, query_len=3000, key_len=4001, block_q=128, block_kv=64, device=device)
        for device in ("cpu", "cuda")
    )

    for name in ("classes", "full_runs", "partial", "bounds", "order"):
        assert torch.equal(getattr(on_cpu, name), getattr(on_gpu, name).cpu())


def test_that_a_timeline_names_each_tile_of_queries_once() -> None:
    if torch.version.hip is not None:
        pytest.skip("a timeline is read on NVIDIA GPUs")
    qkv = random_qkv(Shape(2, 4, 4, 1024, 1024, 64), torch.bfloat16, "cuda")

    ours = sparse_attention(*qkv, impl=SparseImpl.BLOCK_SPARSE, mask=causal(), timeline=True)

    times, tiling = ours.timeline, ours.tiling
    assert times is not None
    assert tiling is not None
    named = np.stack([times.batch, times.head, times.q_block], axis=1)
    assert len(np.unique(named, axis=0)) == len(named) == 2 * 4 * (1024 // tiling.block_q)
    assert (times.end_ns > times.start_ns).all()
