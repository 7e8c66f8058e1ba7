"""Modelled bytes of the backward passes against the traced kernels, and against the paper's algorithm."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.topics.flash_attention.backward import (
    algorithm_4_bytes,
    flash_backward_traffic,
    standard_backward_traffic,
    two_kernel_bytes,
)
from core.topics.flash_attention.paper import BATCH, HEAD_DIM, HEADS, SEQ_LEN, flash_hbm_terms, kv_tile_rows
from core.topics.flash_attention.params import FlashAttentionParams
from core.trace.kernel_traffic import TensorTraffic, moved_bytes
from core.trace.traffic import traffic

pytest.importorskip("triton", reason="Triton is not installed here")

from core.interpreter import Launch, intercept
from kernels.attention import TENSOR_OF_ARGUMENT, Impl, attention

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}
Moved = Counter[tuple[str, str]]

PARAMS = st.builds(
    lambda heads, **values: FlashAttentionParams(heads=heads[0], kv_heads=heads[1], **values),
    heads=st.sampled_from([(1, 1), (2, 1), (4, 2)]),
    seq_len=st.integers(1, 150),
    kv_len=st.integers(0, 150),
    batch=st.integers(1, 2),
    head_dim=st.sampled_from([32, 64]),
    dtype=st.sampled_from(list(DTYPES)),
    causal=st.booleans(),
    block_q=st.sampled_from([16, 64]),
    block_kv=st.sampled_from([16, 32]),
)


def backward_launches(params: FlashAttentionParams, impl: Impl) -> list[Launch]:
    """Of a forward and a backward pass, the backward ones; only their addresses are computed."""
    shapes = (
        (params.batch, heads, length, params.head_dim)
        for heads, length in ((params.heads, params.seq_len), *2 * [(params.kv_heads, params.key_len)])
    )
    q, k, v = (torch.zeros(shape, dtype=DTYPES[params.dtype], requires_grad=True) for shape in shapes)
    blocks = {"block_q": params.block_q, "block_kv": params.block_kv}
    with intercept(addresses_only=True) as tracer:
        out = attention(q, k, v, impl=impl, causal=params.causal, **blocks).out
        forward = len(tracer.launches)
        out.backward(torch.zeros_like(out))
    return tracer.launches[forward:]


def traced(launches: list[Launch], renamed: list[dict[str, str]]) -> Moved:
    """Bytes by (tensor, "read" or "written"). A kernel that serves several products names its tensors by role."""
    moved = Moved()
    for launch, names in zip(launches, renamed, strict=True):
        for buffer in traffic(launch).buffers:
            tensor = names.get(buffer.buffer) or TENSOR_OF_ARGUMENT[buffer.buffer]
            moved[tensor, "read"] += buffer.read_bytes
            moved[tensor, "written"] += buffer.written_bytes
    return +moved


def modelled(rows: tuple[TensorTraffic, ...]) -> Moved:
    moved = Moved()
    for row in rows:
        moved[row.tensor, "read"] += row.read_bytes
        moved[row.tensor, "written"] += row.written_bytes
    return +moved


@settings(max_examples=10, deadline=None)
@given(PARAMS)
def test_that_the_modelled_bytes_of_flash_are_those_of_the_traced_kernels(params: FlashAttentionParams) -> None:
    launches = backward_launches(params, Impl.TRITON_FLASH)

    assert modelled(flash_backward_traffic(params)) == traced(launches, [{}, {}])


@settings(max_examples=10, deadline=None)
@given(PARAMS)
def test_that_the_modelled_bytes_of_standard_attention_are_those_of_the_traced_kernels(
    params: FlashAttentionParams,
) -> None:
    launches = backward_launches(params, Impl.TRITON_STANDARD)

    names = [
        {"x_ptr": "dO", "out_ptr": "dV"},
        {"q_ptr": "dO", "k_ptr": "V", "s_ptr": "dP"},
        {},
        {"p_ptr": "dS", "v_ptr": "K", "o_ptr": "dQ"},
        {"p_ptr": "dS", "x_ptr": "Q", "out_ptr": "dK"},
    ]
    assert modelled(standard_backward_traffic(params)) == traced(launches, names)


@pytest.mark.parametrize("block", [16, 64])
def test_that_the_traced_bytes_of_square_tiles_are_the_equation_of_two_kernels(block: int) -> None:
    params = FlashAttentionParams(seq_len=256, heads=1, kv_heads=1, causal=False, block_q=block, block_kv=block)

    launches = backward_launches(params, Impl.TRITON_FLASH)

    expected = two_kernel_bytes(256, params.head_dim, block, params.element_bytes)
    assert sum(traced(launches, [{}, {}]).values()) == expected
    assert moved_bytes(flash_backward_traffic(params)) == expected


def test_that_algorithm_4_is_the_one_of_the_papers_figure() -> None:
    of_figure = sum(term.amount for term in flash_hbm_terms() if term.phase == "backward")

    assert algorithm_4_bytes(SEQ_LEN, HEAD_DIM, kv_tile_rows(), 2) * HEADS * BATCH == of_figure


def test_that_two_kernels_move_less_than_algorithm_4_from_four_tiles_on_and_four_fifths_in_the_end() -> None:
    ours, theirs = (
        {tiles: of(64 * tiles, 64, 64, 2) for tiles in (3, 4, 16, 4096)} for of in (two_kernel_bytes, algorithm_4_bytes)
    )

    assert ours[3] > theirs[3]
    assert all(ours[tiles] < theirs[tiles] for tiles in (4, 16))
    assert ours[4096] / theirs[4096] == pytest.approx(4 / 5, rel=0.01)
    # Both are quadratic in N: Theorem 5.
    assert ours[4096] / two_kernel_bytes(64 * 2048, 64, 64, 2) == pytest.approx(4, rel=0.01)


def test_that_flash_moves_fewer_bytes_backward_too() -> None:
    params = FlashAttentionParams()

    assert moved_bytes(flash_backward_traffic(params)) < moved_bytes(standard_backward_traffic(params)) / 3
