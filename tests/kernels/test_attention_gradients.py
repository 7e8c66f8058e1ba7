"""The backward kernels of standard, flash and block-sparse attention on CPU tensors, against float64."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.attention import Impl, TermKind, attention, block_mask, term
from kernels.attention.reference import masked_reference_backward, masked_reference_forward, reference_backward
from kernels.errors import Unavailable
from tests.kernels.conftest import INTERPRETED
from tests.kernels.mask_cases import BLOCKS, LENGTHS, PRESETS, by_definition, causal, descriptions, packed
from tests.kernels.oracle import (
    DTYPES,
    GRADIENTS,
    Shape,
    assert_gradients_as_exact_as_torch,
    causal_gradients,
    gradients,
    random_gradient,
    random_qkv,
    rms,
    sparse_gradients,
)
from tests.pairwise import pairwise

Emulated = AbstractContextManager[object]

TRITON_IMPLS = (Impl.TRITON_FLASH, Impl.TRITON_STANDARD)
SHAPES = (
    Shape(2, 2, 2, 64, 64, 64),
    Shape(1, 4, 2, 63, 63, 32),
    Shape(1, 2, 1, 130, 130, 64),
    Shape(1, 2, 2, 63, 130, 32),
    Shape(1, 6, 2, 130, 63, 32),
    Shape(1, 4, 1, 1, 77, 64),
    Shape(1, 1, 1, 70, 70, 128),
    Shape(1, 2, 1, 70, 40, 16),
    Shape(1, 2, 2, 40, 70, 80),
    Shape(1, 2, 1, 33, 33, 96),
    Shape(1, 1, 1, 50, 20, 192),
    Shape(1, 1, 1, 20, 40, 256),
)

pytest.importorskip("triton", reason="Triton is not installed here")


def test_that_the_reference_gradients_are_those_of_finite_differences() -> None:
    """Of a random sum of outputs along a random direction of all three inputs: an oracle without a chain rule."""
    shape = Shape(2, 4, 2, 9, 7, 32)
    mask = torch.from_numpy(by_definition(PRESETS["causal"](9, 7), 9, 7))
    generator = torch.Generator().manual_seed(2)
    inputs = [tensor.double() for tensor in random_qkv(shape)]
    direction = [torch.randn(tensor.shape, generator=generator, dtype=torch.float64) for tensor in inputs]
    dout = random_gradient(shape).double()

    def out(step: float) -> torch.Tensor:
        moved = [tensor + step * along for tensor, along in zip(inputs, direction, strict=True)]
        return masked_reference_forward(*moved, mask=mask, softmax_scale=0.3)[0]

    found = masked_reference_backward(*inputs, dout, mask=mask, softmax_scale=0.3)

    slope = float(((out(1e-5) - out(-1e-5)) / 2e-5 * dout).sum())
    by_gradients = sum(float((part * along).sum()) for part, along in zip(found, direction, strict=True))
    assert by_gradients == pytest.approx(slope, rel=1e-7)


@pairwise(impl=TRITON_IMPLS, shape=SHAPES, dtype=DTYPES, is_causal=[False, True])
def test_that_the_gradients_are_as_exact_as_torchs_in_the_same_precision(
    impl: Impl, shape: Shape, dtype: torch.dtype, is_causal: bool, emulated: Emulated
) -> None:
    if INTERPRETED and dtype is torch.bfloat16:
        pytest.skip("Triton's interpreter computes bfloat16 products wrongly")
    qkv, dout = random_qkv(shape, dtype), random_gradient(shape, dtype)

    with emulated:
        ours = causal_gradients(qkv, dout, causal=is_causal, impl=impl)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=is_causal)


@given(
    batch=st.integers(1, 2),
    kv_heads=st.integers(1, 2),
    group=st.integers(1, 3),
    query_len=st.integers(1, 90),
    key_len=st.integers(1, 90),
    head_dim=st.sampled_from([16, 32, 64, 80]),
    block_q=st.sampled_from([16, 32, 64]),
    block_kv=st.sampled_from([16, 32, 64]),
    is_causal=st.booleans(),
    impl=st.sampled_from(TRITON_IMPLS),
    dtype=st.sampled_from([torch.float32] if INTERPRETED else DTYPES),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_shape_and_tiling_has_the_gradients_of_the_reference(
    batch: int,
    kv_heads: int,
    group: int,
    query_len: int,
    key_len: int,
    head_dim: int,
    block_q: int,
    block_kv: int,
    is_causal: bool,
    impl: Impl,
    dtype: torch.dtype,
    new_emulated: Callable[[], Emulated],
) -> None:
    shape = Shape(batch, kv_heads * group, kv_heads, query_len, key_len, head_dim)
    qkv, dout = random_qkv(shape, dtype), random_gradient(shape, dtype)

    with new_emulated():
        ours = causal_gradients(qkv, dout, causal=is_causal, impl=impl, block_q=block_q, block_kv=block_kv)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=is_causal, factor=3.0)


@pairwise(
    preset=PRESETS,
    shape=[Shape(2, 4, 2, 63, 63, 32), Shape(2, 2, 1, 1, 77, 64), Shape(2, 2, 2, 100, 45, 128)],
    dtype=DTYPES,
)
def test_that_gradients_under_a_mask_are_as_exact_as_torchs(
    preset: str, shape: Shape, dtype: torch.dtype, emulated: Emulated
) -> None:
    if INTERPRETED and dtype is torch.bfloat16:
        pytest.skip("Triton's interpreter computes bfloat16 products wrongly")
    mask = PRESETS[preset](shape.query_len, shape.key_len)
    qkv, dout = random_qkv(shape, dtype), random_gradient(shape, dtype)

    with emulated:
        ours = sparse_gradients(qkv, dout, mask, block_q=32, block_kv=16)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=mask)


@given(
    data=st.data(),
    batch=st.integers(1, 3),
    kv_heads=st.integers(1, 2),
    group=st.integers(1, 2),
    query_len=LENGTHS,
    key_len=LENGTHS,
    block_q=BLOCKS,
    block_kv=BLOCKS,
    dtype=st.sampled_from([torch.float32] if INTERPRETED else DTYPES),
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_composition_shape_and_tiling_has_the_gradients_of_the_reference(
    data: st.DataObject,
    batch: int,
    kv_heads: int,
    group: int,
    query_len: int,
    key_len: int,
    block_q: int,
    block_kv: int,
    dtype: torch.dtype,
    new_emulated: Callable[[], Emulated],
) -> None:
    mask = data.draw(descriptions(query_len, key_len, batch))
    shape = Shape(batch, kv_heads * group, kv_heads, query_len, key_len, 32)
    qkv, dout = random_qkv(shape, dtype), random_gradient(shape, dtype)

    with new_emulated():
        ours = sparse_gradients(qkv, dout, mask, block_q, block_kv)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=mask, factor=3.0)


def test_that_rows_that_see_nothing_neither_get_nor_give_gradients(new_emulated: Callable[[], Emulated]) -> None:
    shape = Shape(1, 2, 1, 100, 40, 32)
    qkv, dout = random_qkv(shape), random_gradient(shape)
    louder = dout.clone()
    louder[:, :, :60] *= 1000.0

    for given_dout in (dout, louder):
        with new_emulated():
            flash = causal_gradients(qkv, given_dout, causal=True, block_q=32, block_kv=16)
        with new_emulated():
            standard = causal_gradients(qkv, given_dout, causal=True, impl=Impl.TRITON_STANDARD)
        with new_emulated():
            sparse = sparse_gradients(qkv, given_dout, causal(), block_q=32, block_kv=16)
        for ours in (flash, standard, sparse):
            assert torch.equal(ours["dq"][:, :, :60], torch.zeros(1, 2, 60, 32))
            assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=True)


def test_that_sequences_with_their_own_lengths_have_their_own_gradients(emulated: Emulated) -> None:
    shape = Shape(2, 2, 1, 70, 50, 80)  # a head that tiles pad
    mask = causal() & term(TermKind.QUERIES_BEFORE, torch.tensor([60, 0])) & packed(70, 50)
    qkv, dout = random_qkv(shape), random_gradient(shape)

    with emulated:
        ours = sparse_gradients(qkv, dout, mask, block_q=32, block_kv=16)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=mask)
    assert not any(ours[name][1].any() for name in GRADIENTS)
    assert all(ours[name][0].any() for name in GRADIENTS)


def test_that_large_scores_cost_no_more_precision_than_in_torchs_own_flash_attention(emulated: Emulated) -> None:
    """A log-sum-exp of hundreds is rounded in float32, which moves the whole row of P: in torch's kernel, too."""
    shape = Shape(1, 1, 1, 65, 65, 32)
    q, k, v = random_qkv(shape)
    qkv, dout = (60 * q, k, v), random_gradient(shape)

    with emulated:
        ours = causal_gradients(qkv, dout, causal=True)

    theirs = causal_gradients(qkv, dout, causal=True, impl=Impl.SDPA_FLASH)
    exact = reference_backward(*qkv, dout, causal=True, softmax_scale=32**-0.5)
    for name, expected in zip(GRADIENTS, exact, strict=True):
        assert rms(ours[name] - expected) <= rms(theirs[name] - expected)


@pytest.mark.parametrize("impl", TRITON_IMPLS)
def test_that_views_and_gradients_of_any_strides_are_read(impl: Impl, emulated: Emulated) -> None:
    shape = Shape(2, 2, 2, 50, 50, 32)
    packed_qkv = torch.randn(2, 50, 3, 2, 32, generator=torch.Generator().manual_seed(1))
    q, k, v = (t.transpose(1, 2) for t in packed_qkv.unbind(2))
    qkv = (q, k.mT.contiguous().mT, v[:1].expand(2, -1, -1, -1))
    dout = random_gradient(shape).mT.contiguous().mT

    with emulated:
        ours = causal_gradients(qkv, dout, causal=True, impl=impl)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=True)


@pytest.mark.parametrize("impl", TRITON_IMPLS)
def test_that_a_softmax_scale_is_that_of_the_gradients_too(impl: Impl, emulated: Emulated) -> None:
    shape = Shape(1, 2, 1, 40, 70, 32)
    qkv, dout = random_qkv(shape), random_gradient(shape)

    with emulated:
        ours = gradients(lambda q, k, v: attention(q, k, v, impl=impl, causal=True, softmax_scale=0.05).out, *qkv, dout)

    exact = reference_backward(*qkv, dout, causal=True, softmax_scale=0.05)
    for found, expected in zip(ours.values(), exact, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_that_a_mask_without_partial_tiles_gives_the_gradients_of_flash(new_emulated: Callable[[], Emulated]) -> None:
    shape = Shape(1, 4, 2, 64, 96, 32)
    qkv, dout = random_qkv(shape), random_gradient(shape)

    with new_emulated():
        sparse = sparse_gradients(qkv, dout, PRESETS["everything"](64, 96), block_q=32, block_kv=16)
    with new_emulated():
        flash = causal_gradients(qkv, dout, causal=False, block_q=32, block_kv=16)

    assert all(torch.equal(sparse[name], flash[name]) for name in GRADIENTS)


@pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not traced")
@pytest.mark.parametrize(("requested", "kernels"), [("q", ["flash_bwd_dq_kernel"]), ("v", None), ("", [])])
def test_that_only_what_is_requested_is_computed(requested: str, kernels: list[str] | None) -> None:
    from core.interpreter import intercept

    shape = Shape(1, 2, 1, 20, 30, 32)
    tensors = dict(zip("qkv", random_qkv(shape), strict=True))
    dout = random_gradient(shape)
    if requested:
        tensors[requested].requires_grad_()

    with intercept() as tracer:
        ours = attention(**tensors, impl=Impl.TRITON_FLASH, causal=True)
        if requested:
            ours.out.backward(dout)

    both = ["flash_bwd_dq_kernel", "flash_bwd_dkdv_kernel"]
    assert [launch.function for launch in tracer.launches] == [
        "flash_fwd_kernel",
        *(both if kernels is None else kernels),
    ]
    assert [name for name, tensor in tensors.items() if tensor.grad is not None] == list(requested)
    assert ours.lse is not None
    assert not ours.lse.requires_grad


def test_that_a_backward_pass_that_nothing_emulates_says_why_it_does_not_run(emulated: Emulated) -> None:
    if INTERPRETED:
        pytest.skip("interpreted kernels need no GPU")
    q, k, v = random_qkv(Shape(1, 1, 1, 16, 16, 32))
    with emulated:
        out = attention(q.requires_grad_(), k, v, impl=Impl.TRITON_FLASH, causal=True).out

    with pytest.raises(Unavailable, match="Triton"):
        out.sum().backward()


def test_that_a_block_mask_is_cut_into_other_tiles_once(emulated: Emulated) -> None:
    shape = Shape(2, 2, 2, 60, 60, 32)
    qkv, dout = random_qkv(shape), random_gradient(shape)
    blocks = block_mask(packed(60, 60), batch=2, query_len=60, key_len=60, block_q=16, block_kv=32)

    with emulated:
        ours = sparse_gradients(qkv, dout, blocks)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=packed(60, 60))
    assert blocks.with_tiles(64, 64) is blocks.with_tiles(64, 64)
    assert blocks.with_tiles(16, 32) is blocks
