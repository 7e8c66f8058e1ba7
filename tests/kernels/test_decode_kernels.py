"""The decode kernels against float64, in a cache that holds NaN wherever they must not read."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.attention.decode import DecodeImpl, DecodeOutput, decode_latent_attention
from kernels.attention.mla import absorbed, expanded, latent_cache, random_weights
from tests.kernels.conftest import INTERPRETED
from tests.kernels.decode_cases import FP8, DecodeCase, DecodeProblem

pytest.importorskip("triton", reason="Triton is not installed here")

Emulated = AbstractContextManager[object]
TRITON = DecodeImpl.TRITON


def computed(case: DecodeCase, emulated: Emulated, **options: Any) -> tuple[DecodeProblem, DecodeOutput]:
    problem = DecodeProblem(case)
    with emulated:
        return problem, problem.call(TRITON, **options)


@pytest.mark.parametrize("group", [1, 2, 7, 12, 16])
@pytest.mark.parametrize("query_len", [1, 3])
def test_that_any_group_size_works(group: int, query_len: int, emulated: Emulated) -> None:
    case = DecodeCase(group=group, query_len=query_len, dtype=torch.float16)

    problem, ours = computed(case, emulated, splits=3, block_kv=16)

    problem.assert_as_exact_as_torch(ours)


@pytest.mark.parametrize("splits", [1, 2, 17, 128])
def test_that_the_number_of_splits_does_not_change_the_answer(splits: int, emulated: Emulated) -> None:
    """Also with more splits than tiles, and a sequence of one key."""
    case = DecodeCase(lengths=(90, 1), batch=2, query_len=2)

    problem, ours = computed(case, emulated, splits=splits, block_kv=16)

    problem.assert_as_exact_as_torch(ours)
    assert ours.splits == splits


@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize("sinks", [False, True])
def test_that_a_token_that_sees_no_key_gives_zeros(splits: int, sinks: bool, emulated: Emulated) -> None:
    """An empty sequence, and one that is shorter than the query tokens. A sink logit is then all that it sees."""
    logits = torch.linspace(-2, 2, 8) if sinks else None
    case = DecodeCase(lengths=(0, 2, 70), batch=3, query_len=4, options={"sink_logits": logits})

    problem, ours = computed(case, emulated, splits=splits)

    problem.assert_as_exact_as_torch(ours)
    assert (ours.out[0] == 0).all()
    assert (ours.out[1, :, :2] == 0).all()
    assert ours.lse is not None
    expected = torch.full((8,), -torch.inf) if logits is None else logits
    torch.testing.assert_close(ours.lse[0], expected[:, None].expand(8, 4))


@pytest.mark.parametrize("page_size", [16, 32, 64, 128, 256])
def test_that_pages_of_any_size_are_followed(page_size: int, emulated: Emulated) -> None:
    case = DecodeCase(300, lengths=(300, 17, 130), batch=3, query_len=2, page_size=page_size, dtype=torch.bfloat16)
    if INTERPRETED:
        pytest.skip("Triton's interpreter computes bfloat16 products wrongly")

    problem, ours = computed(case, emulated, splits=2, block_kv=64)

    problem.assert_as_exact_as_torch(ours)


@pytest.mark.parametrize("page_size", [0, 64])
@pytest.mark.parametrize("per_head", [False, True])
def test_that_an_8_bit_cache_is_scaled_per_tensor_or_per_head(
    per_head: bool, page_size: int, emulated: Emulated
) -> None:
    scale = torch.tensor([0.5, 1.7]) if per_head else torch.tensor(0.8)
    options = {"k_scale": scale, "v_scale": scale * 0.3}
    case = DecodeCase(90, kv_dtype=FP8, dtype=torch.float16, page_size=page_size, options=options)

    problem, ours = computed(case, emulated, splits=2, block_kv=16)

    problem.assert_as_exact_as_torch(ours)


@pytest.mark.parametrize(("latent_dim", "rotary_dim"), [(64, 32), (128, 64), (96, 16)])
@pytest.mark.parametrize("page_size", [0, 16])
def test_that_a_latent_cache_serves_as_k_and_v(
    latent_dim: int, rotary_dim: int, page_size: int, emulated: Emulated
) -> None:
    case = DecodeCase(
        90, (90, 40), 2, kv_heads=1, group=20, query_len=2, key_dim=latent_dim + rotary_dim, value_dim=latent_dim,
        page_size=page_size, latent=True,
    )  # fmt: skip

    problem, ours = computed(case, emulated, splits=3, block_kv=32, block_rows=16)

    problem.assert_as_exact_as_torch(ours)
    assert ours.out.shape == (2, 20, 2, latent_dim)


@pytest.mark.parametrize(("key_dim", "value_dim"), [(16, 16), (80, 80), (96, 96), (192, 128), (256, 256)])
def test_that_head_dimensions_need_not_be_powers_of_two_or_equal(
    key_dim: int, value_dim: int, emulated: Emulated
) -> None:
    case = DecodeCase(key_dim=key_dim, value_dim=value_dim, dtype=torch.float16)

    problem, ours = computed(case, emulated)

    problem.assert_as_exact_as_torch(ours)


def test_that_views_are_read_in_place(emulated: Emulated) -> None:
    """A cache of [batch, length, kv_heads, head_dim], and queries of [batch, query_len, heads, head_dim]."""
    problem = DecodeProblem(DecodeCase(query_len=3))
    problem.caches = [cache.transpose(1, 2).contiguous().transpose(1, 2) for cache in problem.caches]
    problem.q = problem.q.transpose(1, 2).contiguous().transpose(1, 2)

    with emulated:
        ours = problem.call(TRITON, splits=2, block_kv=16)

    problem.assert_as_exact_as_torch(ours)


def test_that_a_window_as_long_as_the_sequence_hides_nothing(emulated: Emulated) -> None:
    problem = DecodeProblem(DecodeCase(query_len=2))

    with emulated:
        everything, windowed = (problem.call(TRITON, splits=2, window=window) for window in (None, 100))

    torch.testing.assert_close(windowed.out, everything.out, rtol=1e-5, atol=1e-6)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_that_the_error_is_that_of_torch_in_the_same_precision(
    data: st.DataObject, new_emulated: Callable[[], Emulated]
) -> None:
    draw = data.draw
    batch, capacity = draw(st.integers(1, 3)), draw(st.integers(1, 150))
    dtype = draw(st.sampled_from([torch.float32, torch.float16, torch.bfloat16]))
    heads_of_kv, group = draw(st.integers(1, 2)), draw(st.integers(1, 13))
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options |= {"window": draw(st.integers(1, 160)), "sink_tokens": draw(st.integers(0, 40))}
    if draw(st.booleans()):
        options["sink_logits"] = torch.linspace(-3, 3, heads_of_kv * group)
    case = DecodeCase(
        capacity, draw(st.none() | st.tuples(*[st.integers(0, capacity)] * batch)), batch, heads_of_kv, group,
        query_len=draw(st.integers(1, 5)), key_dim=draw(st.sampled_from([32, 48])), dtype=dtype,
        kv_dtype=draw(st.sampled_from([None, FP8])), page_size=draw(st.sampled_from([0, 16, 64])), options=options,
    )  # fmt: skip
    problem = DecodeProblem(case, seed=draw(st.integers(0, 99)))

    with new_emulated():
        ours = problem.call(TRITON, splits=draw(st.integers(1, 9)), block_kv=draw(st.sampled_from([16, 32])))

    problem.assert_as_exact_as_torch(ours)


def test_that_absorbed_mla_over_its_cache_equals_expanded_mla(emulated: Emulated) -> None:
    """The kernel takes the place of PyTorch's attention inside the reference of MLA, for two new tokens."""
    weights = random_weights(hidden=48, heads=6, head_dim=24, rope=16, value_dim=20, latent=32, dtype=torch.float32)
    hidden_states = torch.randn(2, 50, 48, generator=torch.Generator().manual_seed(0))
    cache, new = latent_cache(weights, hidden_states), hidden_states[:, -2:]

    def attend(queries: torch.Tensor, cache: torch.Tensor, latent: int, softmax_scale: float) -> torch.Tensor:
        return decode_latent_attention(
            queries, cache, latent_dim=latent, softmax_scale=softmax_scale, impl=TRITON, splits=3, block_kv=16
        ).out

    with emulated:
        ours = absorbed(weights, new, cache, attend=attend)

    torch.testing.assert_close(ours, expanded(weights, new, cache), rtol=1e-4, atol=1e-5)
