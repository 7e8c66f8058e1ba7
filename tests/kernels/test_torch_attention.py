import pytest
import torch

from kernels.attention import Impl, attention
from kernels.errors import Unavailable
from tests.kernels.oracle import DTYPES, Shape, assert_as_exact_as_torch, random_qkv
from tests.pairwise import pairwise


def by_definition(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    """Row by row, from the formula, in float64."""
    out = torch.zeros(q.shape, dtype=torch.float64)
    heads, query_len, key_len = q.shape[1], q.shape[2], k.shape[2]
    for head in range(heads):
        kv_head = head * k.shape[1] // heads
        for i in range(query_len):
            seen = min(key_len, i + key_len - query_len + 1) if causal else key_len
            if seen <= 0:
                continue
            keys, values = k[:, kv_head, :seen].double(), v[:, kv_head, :seen].double()
            weights = torch.exp(torch.einsum("bd,bkd->bk", q[:, head, i].double(), keys) / q.shape[3] ** 0.5)
            out[:, head, i] = torch.einsum("bk,bkd->bd", weights, values) / weights.sum(1, keepdim=True)
    return out


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [Shape(2, 4, 2, 9, 9, 32), Shape(1, 2, 1, 5, 11, 32), Shape(1, 2, 2, 11, 5, 32)])
def test_that_the_reference_is_the_definition(shape: Shape, causal: bool) -> None:
    q, k, v = random_qkv(shape)

    exact = attention(q, k, v, impl=Impl.REFERENCE, causal=causal)

    torch.testing.assert_close(exact.out, by_definition(q, k, v, causal), rtol=1e-12, atol=1e-14)


def test_that_the_reference_gives_the_log_of_the_sum_of_exponentials() -> None:
    q, k, v = random_qkv(Shape(1, 2, 1, 6, 4, 32))

    exact = attention(q, k, v, impl=Impl.REFERENCE, causal=True)

    assert exact.lse is not None
    assert torch.isneginf(exact.lse[:, :, :2]).all()
    by_hand = torch.logsumexp(q[:, :, 5].double() @ k[:, 0].double().mT / 32**0.5, dim=-1)
    torch.testing.assert_close(exact.lse[:, :, 5], by_hand)


@pairwise(impl=[Impl.TORCH_NAIVE, Impl.SDPA_MATH, Impl.SDPA_FLASH], causal=[False, True], dtype=DTYPES)
def test_that_torch_agrees_with_the_reference(impl: Impl, causal: bool, dtype: torch.dtype) -> None:
    q, k, v = random_qkv(Shape(2, 4, 2, 40, 40, 64), dtype)

    assert_as_exact_as_torch(attention(q, k, v, impl=impl, causal=causal), q, k, v, causal=causal)


@pytest.mark.parametrize("impl", [Impl.TORCH_NAIVE, Impl.SDPA_MATH])
@pytest.mark.parametrize("lengths", [(7, 20), (20, 7)])
def test_that_causal_is_aligned_bottom_right_in_torch_too(impl: Impl, lengths: tuple[int, int]) -> None:
    q, k, v = random_qkv(Shape(1, 2, 2, *lengths, 32))

    assert_as_exact_as_torch(attention(q, k, v, impl=impl, causal=True), q, k, v, causal=True)


def test_that_sdpa_flash_on_cpu_declines_a_mask_that_it_would_misalign() -> None:
    q, k, v = random_qkv(Shape(1, 2, 2, 7, 20, 32))

    with pytest.raises(Unavailable, match="top-left only"):
        attention(q, k, v, impl=Impl.SDPA_FLASH, causal=True)
