"""The float64 reference against independent witnesses: SDPA, FlexAttention, and the transformers code of gpt-oss."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from kernels.attention.decode import DecodeImpl
from tests.kernels.decode_cases import DecodeCase, DecodeProblem

CASES = [
    {},
    {"query_len": 4},
    {"batch": 3, "lengths": (100, 1, 33)},
    {"query_len": 3, "options": {"window": 20}},
    {"query_len": 3, "options": {"window": 20, "sink_tokens": 5}},
]


@pytest.mark.parametrize("impl", [DecodeImpl.SDPA, DecodeImpl.FLEX, DecodeImpl.TORCH_NAIVE])
@pytest.mark.parametrize("fields", CASES, ids=str)
def test_that_pytorch_agrees_with_the_reference(fields: dict[str, Any], impl: DecodeImpl) -> None:
    problem = DecodeProblem(DecodeCase(group=7, **fields))
    problem.caches = [cache.nan_to_num(0.0) for cache in problem.caches]

    theirs, exact = problem.call(impl), problem.call(DecodeImpl.REFERENCE)

    torch.testing.assert_close(theirs.out.double(), exact.out, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("impl", [DecodeImpl.REFERENCE, DecodeImpl.TORCH_NAIVE])
def test_that_sink_logits_mean_what_they_mean_in_gpt_oss(impl: DecodeImpl) -> None:
    from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward

    sinks = torch.linspace(-2, 3, 8)
    problem = DecodeProblem(DecodeCase(options={"sink_logits": sinks}))
    layer = SimpleNamespace(num_key_value_groups=4, sinks=sinks, training=False)

    theirs, _ = eager_attention_forward(layer, problem.q, *problem.caches, None, scaling=64**-0.5)

    ours = problem.call(impl)
    torch.testing.assert_close(ours.out.float(), theirs.transpose(1, 2), rtol=1e-5, atol=1e-5)


def test_that_attention_over_a_latent_is_attention_with_values_that_are_part_of_the_keys() -> None:
    case = DecodeCase(kv_heads=1, group=6, key_dim=80, value_dim=64, latent=True)
    problem = DecodeProblem(case)
    k = problem.caches[0][:, None]

    ours = problem.call(DecodeImpl.REFERENCE)

    expected = torch.nn.functional.scaled_dot_product_attention(problem.q, k, k[..., :64], scale=0.1, enable_gqa=True)
    torch.testing.assert_close(ours.out.float(), expected, rtol=1e-5, atol=1e-5)
