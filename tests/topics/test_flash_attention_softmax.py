"""The online softmax of a row against the softmax taken at once, and the inputs both sides share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.softmax import head_inputs, make_inputs, online_softmax, rounded, row_softmax

SCORES = st.lists(st.one_of(st.floats(-80, 80), st.just(-np.inf)), min_size=1, max_size=100)


@given(SCORES, st.sampled_from([1, 3, 16, 64]), st.integers(0, 2**32 - 1))
def test_that_tile_by_tile_equals_all_at_once(scores: list[float], block_kv: int, seed: int) -> None:
    row = np.array(scores)
    values = np.random.default_rng(seed).standard_normal((row.size, 5))
    states = online_softmax(row, values, block_kv)

    for i in range(states.maximum.size):
        seen = row[: (i + 1) * block_kv]
        assert states.maximum[i] == seen.max()
        weights = np.zeros_like(seen) if np.isneginf(seen).all() else np.exp(seen - seen.max())
        np.testing.assert_allclose(states.total[i], weights.sum(), rtol=1e-12)
        np.testing.assert_allclose(states.accumulator[i], weights @ values[: seen.size], rtol=1e-9, atol=1e-12)
    if np.isneginf(row).all():
        assert (states.output() == 0).all()
    else:
        weights = np.exp(row - row.max())
        np.testing.assert_allclose(states.output(), weights @ values / weights.sum(), rtol=1e-9, atol=1e-12)


@settings(max_examples=30)
@given(st.integers(1, 90), st.integers(1, 90), st.booleans(), st.data())
def test_that_the_states_of_a_row_end_in_its_attention(
    query_len: int, key_len: int, causal: bool, data: st.DataObject
) -> None:
    params = FlashAttentionParams(
        seq_len=query_len, kv_len=key_len, causal=causal, head_dim=32, block_q=16, block_kv=16, heads=2, kv_heads=1
    )
    row = data.draw(st.integers(0, query_len - 1))
    states = row_softmax(params, row, head=1)

    query = head_inputs(params, "Q", 0, 1)[row].astype(float)
    keys, values = (head_inputs(params, name, 0, 0).astype(float) for name in ("K", "V"))
    seen = min(key_len, row + 1 + key_len - query_len) if causal else key_len
    if seen <= 0:
        assert states.iterations == 0
        assert (states.output() == 0).all()
        return
    scores = keys[:seen] @ query / np.sqrt(32)
    weights = np.exp(scores - scores.max())
    np.testing.assert_allclose(states.output(), weights @ values[:seen] / weights.sum(), rtol=1e-10, atol=1e-12)


def test_that_inputs_depend_on_seed_tensor_batch_and_head_alone() -> None:
    params = FlashAttentionParams(seq_len=32, batch=2, heads=4, kv_heads=2, head_dim=32)
    inputs = make_inputs(params)
    assert inputs["Q"].shape == (2, 4, 32, 32)
    assert inputs["K"].shape == inputs["V"].shape == (2, 2, 32, 32)
    np.testing.assert_array_equal(inputs["Q"][1, 3], head_inputs(params.changed(causal=False), "Q", 1, 3))
    heads = [*inputs["Q"].reshape(-1, 1024), *inputs["K"].reshape(-1, 1024), *inputs["V"].reshape(-1, 1024)]
    assert len({head.tobytes() for head in heads}) == len(heads)
    assert (make_inputs(params.changed(seed=1))["Q"] != inputs["Q"]).any()


def test_that_rounding_in_numpy_is_rounding_in_torch() -> None:
    import torch

    values = np.random.default_rng(0).standard_normal(4096).astype(np.float32) * np.float32(3.7)
    for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16), ("fp32", torch.float32)):
        expected = torch.from_numpy(values).to(dtype).float().numpy()
        np.testing.assert_array_equal(rounded(values, name), expected)


@pytest.mark.parametrize("length", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_that_the_inputs_of_a_head_are_the_first_rows_of_its_own_generator(length: int, dtype: str) -> None:
    params = FlashAttentionParams(seq_len=length, dtype=dtype, seed=7)
    whole = np.random.default_rng((7, 1, 0, 2)).standard_normal((length, params.head_dim), dtype=np.float32)
    keys = head_inputs(params, "K", 0, 2)
    np.testing.assert_array_equal(keys, rounded(whole, dtype))
    assert not keys.flags.writeable
