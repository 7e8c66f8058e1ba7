from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.attention import Impl, attention
from tests.kernels.conftest import INTERPRETED
from tests.kernels.oracle import DTYPES, Shape, assert_as_exact_as_torch, random_qkv
from tests.pairwise import pairwise

TRITON_IMPLS = (Impl.TRITON_FLASH, Impl.TRITON_STANDARD)
SHAPES = (
    Shape(2, 2, 2, 64, 64, 64),
    Shape(1, 4, 2, 63, 63, 32),
    Shape(1, 2, 1, 130, 130, 64),
    Shape(1, 2, 2, 63, 130, 32),
    Shape(1, 2, 1, 130, 63, 32),
    Shape(1, 4, 1, 1, 77, 64),
    Shape(1, 1, 1, 70, 70, 128),
    Shape(1, 2, 1, 70, 40, 16),
    Shape(1, 2, 2, 40, 70, 80),
    Shape(1, 2, 1, 33, 33, 96),
    Shape(1, 1, 1, 50, 20, 192),
    Shape(1, 1, 1, 20, 40, 256),
)
ROWS_THAT_SEE_NOTHING = Shape(1, 2, 1, 100, 40, 32)

Emulated = AbstractContextManager[object]

pytest.importorskip("triton", reason="Triton is not installed here")


@pairwise(impl=TRITON_IMPLS, shape=SHAPES, dtype=DTYPES, causal=[False, True])
def test_that_the_error_is_that_of_torch_in_the_same_precision(
    impl: Impl, shape: Shape, dtype: torch.dtype, causal: bool, emulated: Emulated
) -> None:
    if INTERPRETED and dtype is torch.bfloat16:
        pytest.skip("Triton's interpreter computes bfloat16 products wrongly")
    q, k, v = random_qkv(shape, dtype)

    with emulated:
        ours = attention(q, k, v, impl=impl, causal=causal)

    assert_as_exact_as_torch(ours, q, k, v, causal=causal)


@given(
    batch=st.integers(1, 2),
    kv_heads=st.integers(1, 2),
    group=st.integers(1, 3),
    query_len=st.integers(1, 90),
    key_len=st.integers(1, 90),
    head_dim=st.sampled_from([16, 32, 64, 80]),
    block_q=st.sampled_from([16, 32, 64]),
    block_kv=st.sampled_from([16, 32, 64]),
    causal=st.booleans(),
    impl=st.sampled_from(TRITON_IMPLS),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_shape_and_tiling_agrees_with_the_reference(
    batch: int,
    kv_heads: int,
    group: int,
    query_len: int,
    key_len: int,
    head_dim: int,
    block_q: int,
    block_kv: int,
    causal: bool,
    impl: Impl,
    new_emulated: Callable[[], Emulated],
) -> None:
    shape = Shape(batch, kv_heads * group, kv_heads, query_len, key_len, head_dim)
    q, k, v = random_qkv(shape)

    with new_emulated():
        ours = attention(q, k, v, impl=impl, causal=causal, block_q=block_q, block_kv=block_kv)

    assert_as_exact_as_torch(ours, q, k, v, causal=causal, factor=3.0)


@pytest.mark.parametrize("impl", TRITON_IMPLS)
def test_that_rows_that_see_no_key_are_zeros_and_never_nan(impl: Impl, emulated: Emulated) -> None:
    shape = ROWS_THAT_SEE_NOTHING
    fully_masked = shape.query_len - shape.key_len
    q, k, v = random_qkv(shape)

    with emulated:
        ours = attention(q, k, v, impl=impl, causal=True, block_q=32, block_kv=16)

    assert torch.equal(ours.out[:, :, :fully_masked], torch.zeros(1, 2, fully_masked, 32))
    assert torch.isfinite(ours.out).all()
    assert ours.out[:, :, fully_masked:].abs().amin(dim=-1).amax() > 0
    if ours.lse is not None:
        assert torch.isneginf(ours.lse[:, :, :fully_masked]).all()
        assert torch.isfinite(ours.lse[:, :, fully_masked:]).all()


@pytest.mark.parametrize("impl", TRITON_IMPLS)
def test_that_views_of_any_strides_are_read_in_place(impl: Impl, emulated: Emulated) -> None:
    packed = torch.randn(2, 50, 3, 2, 32, generator=torch.Generator().manual_seed(1))
    q, k, v = (t.transpose(1, 2) for t in packed.unbind(2))
    k = k.mT.contiguous().mT
    v = v[:1].expand(2, -1, -1, -1)

    with emulated:
        ours = attention(q, k, v, impl=impl, causal=True)

    assert_as_exact_as_torch(ours, q, k, v, causal=True)


def test_that_standard_attention_leaves_its_scores_and_probabilities(emulated: Emulated) -> None:
    q, k, v = random_qkv(Shape(1, 2, 1, 40, 70, 32))

    with emulated:
        ours = attention(q, k, v, impl=Impl.TRITON_STANDARD, causal=True, softmax_scale=0.25)

    assert ours.s is not None
    assert ours.p is not None
    scores = (0.25 * q.double() @ k.double().mT).masked_fill(~torch.ones(40, 70, dtype=torch.bool).tril(30), -torch.inf)
    torch.testing.assert_close(ours.s.double(), scores, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.p.double(), torch.softmax(scores, -1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.p.sum(-1), torch.ones(1, 2, 40), rtol=1e-5, atol=1e-5)


def test_that_flash_attention_leaves_no_scores(emulated: Emulated) -> None:
    q, k, v = random_qkv(Shape(1, 1, 1, 40, 40, 32))

    with emulated:
        ours = attention(q, k, v, impl=Impl.TRITON_FLASH, causal=False)

    assert ours.s is None
    assert ours.p is None


@pytest.mark.parametrize("impl", TRITON_IMPLS)
def test_that_large_scores_neither_overflow_nor_vanish(impl: Impl, emulated: Emulated) -> None:
    q, k, v = random_qkv(Shape(1, 1, 1, 65, 65, 32))
    q = 60 * q

    with emulated:
        ours = attention(q, k, v, impl=impl, causal=True)

    assert_as_exact_as_torch(ours, q, k, v, causal=True)
