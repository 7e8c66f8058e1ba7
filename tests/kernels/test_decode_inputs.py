from typing import Any

import pytest
import torch

from kernels.attention.decode import DecodeImpl, decode_attention, decode_available, decode_latent_attention
from kernels.errors import InvalidInputs, Unavailable
from kernels.launching import choosing_for
from tests.kernels.conftest import INTERPRETED
from tests.kernels.decode_cases import FP8

NAIVE = DecodeImpl.TORCH_NAIVE


def tensor(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype)


def ints(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)


Q, KV = tensor(1, 4, 1, 32), tensor(1, 2, 20, 32)
POOL, TABLE = tensor(3, 16, 2, 32), torch.zeros(1, 2, dtype=torch.int32)


@pytest.mark.parametrize(
    ("q", "k", "v", "options", "sentence"),
    [
        (tensor(4, 1, 32), KV, KV, {}, "must be .batch, heads, query_len, head_dim."),
        (tensor(2, 4, 1, 32), KV, KV, {}, "batch and head_dim must be equal"),
        (Q, KV, tensor(1, 2, 19, 32), {}, "as many keys each"),
        (Q, tensor(1, 2, 0, 32), tensor(1, 2, 0, 32), {}, "no empty dimension"),
        (tensor(1, 5, 1, 32), KV, KV, {}, "5 query heads cannot be divided among 2 KV heads"),
        (tensor(1, 4, 17, 32), KV, KV, {}, "at most 16 query tokens, not 17"),
        (tensor(1, 4, 1, 40), tensor(1, 2, 20, 40), KV, {}, "multiples of 16 up to 256, not 40"),
        (tensor(1, 4, 1, 288), tensor(1, 2, 20, 288), KV, {}, "multiples of 16 up to 256, not 288"),
        (Q.half(), KV, KV, {}, "must have its dtype or float8_e4m3fn, not torch.float16, torch.float32"),
        (Q, KV, KV.to("meta"), {}, "on one device, not cpu, meta"),
        (Q, KV, KV, {"lengths": ints(1, 2)}, "contiguous int32 .batch., not torch.int32 .2."),
        (Q, KV, KV, {"lengths": torch.tensor([3])}, "int32 .batch., not torch.int64"),
        (Q, KV, KV, {"lengths": ints(21)}, "from 0 to 20, the capacity of the cache, not from 21 to 21"),
        (Q, KV, KV, {"window": 0}, "window must be from 1"),
        (Q, KV, KV, {"sink_tokens": -1}, "sink_tokens must be from 0"),
        (Q, KV, KV, {"sink_logits": tensor(2)}, "one per query head, not torch.float32 .2."),
        (Q, KV, KV, {"k_scale": tensor(3)}, "k_scale must be positive float32, one number or one per KV head"),
        (Q, KV, KV, {"splits": 0}, "splits must be from 1 to 128, not 0"),
        (Q, KV, KV, {"block_kv": 24}, "block_kv must be one of"),
        (Q, KV, KV, {"block_rows": 8}, "block_rows must be one of"),
        (Q, KV, KV, {"softmax_scale": 0.0}, "softmax_scale must be positive"),
        (Q, POOL, POOL, {"block_table": TABLE.long()}, "int32 .batch, max_pages. with contiguous rows"),
        (Q, POOL[:, :8], POOL[:, :8], {"block_table": TABLE}, "page size must be one of 16, 32, 64, 128, 256, not 8"),
        (Q, POOL, POOL, {"block_table": TABLE, "lengths": ints(33)}, "from 0 to 32"),
    ],
)
def test_that_inputs_that_do_not_fit_give_one_sentence(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        decode_attention(q, k, v, impl=NAIVE, **options)


@pytest.mark.parametrize(
    ("latent", "latent_dim", "sentence"),
    [
        (tensor(1, 20, 48), 48, "wider than latent_dim 48"),
        (tensor(1, 1, 20, 48), 32, "wider than latent_dim 32, not .1, 1, 20, 48."),
        (tensor(1, 20, 48), 40, "multiples of 16 up to 512, not 40"),
    ],
)
def test_that_a_latent_cache_that_does_not_fit_gives_one_sentence(
    latent: torch.Tensor, latent_dim: int, sentence: str
) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        decode_latent_attention(tensor(1, 4, 1, 48), latent, latent_dim=latent_dim, softmax_scale=0.1, impl=NAIVE)


@pytest.mark.parametrize("impl", [DecodeImpl.SDPA, DecodeImpl.FLEX])
@pytest.mark.parametrize(
    ("k", "options", "sentence"),
    [
        (POOL, {"block_table": TABLE}, "reads no pages"),
        (KV.to(FP8), {}, "takes no scaled or 8-bit cache"),
        (KV, {"sink_logits": tensor(4)}, "takes no sink logits"),
    ],
)
def test_that_a_rival_that_cannot_take_the_inputs_says_so(
    impl: DecodeImpl, k: torch.Tensor, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        decode_attention(Q, k, k, impl=impl, **options)


def test_that_more_sequences_and_heads_than_a_grid_holds_are_refused() -> None:
    q, kv = tensor(1, 2, 1, 16).expand(1 << 15, -1, -1, -1), tensor(1, 2, 16, 16).expand(1 << 15, -1, -1, -1)
    with pytest.raises(InvalidInputs, match="batch times KV heads must be at most 65535"):
        decode_attention(q, kv, kv, impl=DecodeImpl.TRITON)


@pytest.mark.skipif(INTERPRETED, reason="interpreted kernels need no GPU")
def test_that_the_kernel_on_cpu_tensors_says_that_it_needs_a_gpu() -> None:
    pytest.importorskip("triton")

    with pytest.raises(Unavailable, match="compiles for GPUs, but the tensors are on the cpu") as raised:
        decode_attention(Q, KV, KV, impl=DecodeImpl.TRITON)

    assert str(decode_available(DecodeImpl.TRITON, "cpu")) == str(raised.value)


def test_that_an_8_bit_cache_needs_a_gpu_that_has_8_bit_floats() -> None:
    with choosing_for("sm_80"), pytest.raises(Unavailable, match="but this one is sm_80"):
        decode_attention(Q, KV.to(FP8), KV.to(FP8), impl=DecodeImpl.TRITON)
