from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.attention import (
    EVERYTHING,
    AttentionOutput,
    BlockMask,
    Impl,
    MaskDescription,
    SparseImpl,
    TermKind,
    attention,
    block_mask,
    sparse_attention,
    sparse_available,
    term,
)
from kernels.errors import InvalidInputs, Unavailable
from tests.kernels.conftest import INTERPRETED
from tests.kernels.mask_cases import (
    BLOCKS,
    LENGTHS,
    PRESETS,
    by_definition,
    causal,
    cut,
    descriptions,
    documents,
    packed,
)
from tests.kernels.oracle import DTYPES, Qkv, Shape, assert_masked_as_exact_as_torch, random_qkv
from tests.pairwise import pairwise

Emulated = AbstractContextManager[object]

RIVALS = (SparseImpl.TORCH_NAIVE, SparseImpl.SDPA_BOOL_MASK, SparseImpl.FLEX)

pytest.importorskip("triton", reason="Triton is not installed here")


def computed(
    qkv: Qkv,
    mask: MaskDescription | BlockMask | None,
    impl: SparseImpl = SparseImpl.BLOCK_SPARSE,
    block_q: int | None = None,
    block_kv: int | None = None,
) -> AttentionOutput:
    return sparse_attention(*qkv, impl=impl, mask=mask, block_q=block_q, block_kv=block_kv)


@pytest.mark.parametrize("preset", PRESETS)
def test_that_the_reference_is_the_definition(preset: str) -> None:
    shape = Shape(2, 2, 1, 6, 9, 32)
    mask = PRESETS[preset](shape.query_len, shape.key_len)
    q, k, v = random_qkv(shape)

    exact = computed((q, k, v), mask, SparseImpl.REFERENCE)

    cells = by_definition(mask, shape.query_len, shape.key_len)
    assert exact.lse is not None
    for b, h, i in torch.cartesian_prod(torch.arange(2), torch.arange(2), torch.arange(6)).tolist():
        seen = torch.from_numpy(cells[b % len(cells), i]).nonzero()[:, 0]
        scores = (k[b, 0, seen].double() @ q[b, h, i].double()) / 32**0.5
        expected = torch.softmax(scores, 0) @ v[b, 0, seen].double()
        torch.testing.assert_close(exact.out[b, h, i], expected, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(exact.lse[b, h, i], torch.logsumexp(scores, 0))


@pairwise(
    preset=PRESETS,
    shape=[
        Shape(2, 4, 2, 63, 63, 32),
        Shape(2, 2, 1, 1, 77, 64),
        Shape(2, 2, 2, 100, 45, 128),
        Shape(2, 2, 1, 63, 40, 80),
    ],
    dtype=DTYPES,
)
def test_that_the_error_is_that_of_torch_in_the_same_precision(
    preset: str, shape: Shape, dtype: torch.dtype, emulated: Emulated
) -> None:
    if INTERPRETED and dtype is torch.bfloat16:
        pytest.skip("Triton's interpreter computes bfloat16 products wrongly")
    mask = PRESETS[preset](shape.query_len, shape.key_len)
    qkv = random_qkv(shape, dtype)

    with emulated:
        ours = computed(qkv, mask, block_q=32, block_kv=16)

    assert_masked_as_exact_as_torch(ours, *qkv, mask=mask)


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
@settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_composition_shape_and_tiling_agrees_with_the_reference(
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
    qkv = random_qkv(Shape(batch, kv_heads * group, kv_heads, query_len, key_len, 32), dtype)

    with new_emulated():
        ours = computed(qkv, mask, block_q=block_q, block_kv=block_kv)

    assert_masked_as_exact_as_torch(ours, *qkv, mask=mask, factor=3.0)


def test_that_each_sequence_has_its_own_lengths_and_ids_of_several_terms(emulated: Emulated) -> None:
    q_ids, kv_ids = cut(70).repeat(2, 1), cut(50).repeat(2, 1)
    q_ids[1], kv_ids[1] = 5 - q_ids[1], 5 - kv_ids[1] // 2
    documents_and_turns = term(TermKind.SAME_IDS, q_ids=q_ids, kv_ids=kv_ids) | term(
        TermKind.IDS_NOT_AFTER, q_ids=q_ids + 1, kv_ids=kv_ids.flip(1)
    )
    mask = documents_and_turns & term(TermKind.KEYS_BEFORE, torch.tensor([50, 31]))
    qkv = random_qkv(Shape(2, 2, 1, 70, 50, 32))

    with emulated:
        ours = computed(qkv, mask, block_q=16, block_kv=16)

    assert_masked_as_exact_as_torch(ours, *qkv, mask=mask)


@pytest.mark.parametrize("impl", RIVALS)
@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "nothing"])
def test_that_pytorch_agrees_on_rows_that_see_something(preset: str, impl: SparseImpl) -> None:
    mask = PRESETS[preset](48, 64)
    qkv = random_qkv(Shape(2, 4, 2, 48, 64, 32))

    assert_masked_as_exact_as_torch(computed(qkv, mask, impl, 16, 16), *qkv, mask=mask)


def test_that_rows_that_see_nothing_are_zeros_and_never_nan(emulated: Emulated) -> None:
    qkv = random_qkv(Shape(2, 2, 1, 70, 50, 32))
    mask = causal() & term(TermKind.QUERIES_BEFORE, torch.tensor([60, 0]))

    with emulated:
        ours = computed(qkv, mask, block_q=32, block_kv=16)

    assert ours.lse is not None
    fully_masked = torch.from_numpy(~by_definition(mask, 70, 50).any(-1))
    assert fully_masked.sum(-1).tolist() == [20 + 10, 70]
    for head in range(2):
        assert (ours.out[:, head][fully_masked] == 0).all()
        assert torch.equal(ours.lse[:, head].isneginf(), fully_masked)
    assert torch.isfinite(ours.out).all()
    assert (ours.out[0, :, 20:60].abs().amax(-1) > 0).all()


def test_that_dense_plus_mask_is_left_with_its_nan() -> None:
    qkv = random_qkv(Shape(1, 1, 1, 9, 6, 32))

    out = computed(qkv, causal(), SparseImpl.TORCH_NAIVE).out

    assert out.isnan().any(-1)[0, 0].tolist() == [True] * 3 + [False] * 6


def test_that_a_mask_without_partial_tiles_computes_what_flash_does(
    new_emulated: Callable[[], Emulated],
) -> None:
    qkv = random_qkv(Shape(1, 2, 1, 63, 77, 32))

    with new_emulated():
        ours = computed(qkv, None, block_q=32, block_kv=16)
    with new_emulated():
        flash = attention(*qkv, impl=Impl.TRITON_FLASH, causal=False, block_q=32, block_kv=16)

    assert torch.equal(ours.out, flash.out)


def test_that_a_block_mask_serves_every_implementation_and_is_made_once(emulated: Emulated) -> None:
    qkv = random_qkv(Shape(2, 2, 2, 60, 60, 32))
    blocks = block_mask(packed(60, 60), batch=2, query_len=60, key_len=60, block_q=16, block_kv=32)

    with emulated:
        ours = computed(qkv, blocks)

    assert ours.tiling is not None
    assert (ours.tiling.block_q, ours.tiling.block_kv) == (16, 32)
    assert_masked_as_exact_as_torch(ours, *qkv, mask=packed(60, 60))
    for impl in (SparseImpl.REFERENCE, *RIVALS):
        torch.testing.assert_close(computed(qkv, blocks, impl).out.float(), ours.out, rtol=1e-4, atol=1e-5)
    assert blocks.dense is blocks.dense
    assert blocks.flex is blocks.flex


def test_that_views_of_any_strides_are_read_in_place(emulated: Emulated) -> None:
    packed_qkv = torch.randn(2, 50, 3, 2, 32, generator=torch.Generator().manual_seed(1))
    q, k, v = (t.transpose(1, 2) for t in packed_qkv.unbind(2))
    k, v = k.mT.contiguous().mT, v[:1].expand(2, -1, -1, -1)

    with emulated:
        ours = computed((q, k, v), causal(), block_q=16, block_kv=16)

    assert_masked_as_exact_as_torch(ours, q, k, v, mask=causal())


def test_that_the_supported_devices_are_named(new_emulated: Callable[[], Emulated]) -> None:
    assert sparse_available(SparseImpl.FLEX, "cpu") is None
    assert "compiles for GPUs" in str(sparse_available(SparseImpl.BLOCK_SPARSE, "cpu"))
    qkv = random_qkv(Shape(1, 1, 1, 16, 16, 32))
    if not INTERPRETED:
        with pytest.raises(Unavailable, match="compiles for GPUs"):
            computed(qkv, None)
    with pytest.raises(Unavailable, match="timeline needs an NVIDIA GPU"):
        sparse_attention(*qkv, impl=SparseImpl.BLOCK_SPARSE, timeline=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"block_q": 64}, "has tiles of 16 x 16"),
        ({"impl": SparseImpl.FLEX, "timeline": True}, "flex records no timeline"),
        ({"mask": term(TermKind.KEYS_BEFORE, torch.tensor([1, 2, 3]))}, "describes 3 sequences, but the batch has 1"),
        ({"mask": term(TermKind.SAME_IDS, q_ids=documents(8), kv_ids=documents(8))}, "ids for 8 queries"),
        ({"mask": block_mask(EVERYTHING, batch=1, query_len=16, key_len=9, block_q=16, block_kv=16)}, r"\[1, 16, 9\]"),
        ({"mask": block_mask(EVERYTHING, batch=1, query_len=16, key_len=16, block_q=8, block_kv=16)}, "not 8"),
    ],
)
def test_that_what_does_not_fit_is_refused_in_a_sentence(options: dict[str, object], sentence: str) -> None:
    blocks = block_mask(causal(), batch=1, query_len=16, key_len=16, block_q=16, block_kv=16)
    arguments = {"impl": SparseImpl.BLOCK_SPARSE, "mask": blocks} | options

    with pytest.raises(InvalidInputs, match=sentence):
        sparse_attention(*random_qkv(Shape(1, 1, 1, 16, 16, 32)), **arguments)  # type: ignore[arg-type]
