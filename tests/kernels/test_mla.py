"""Multi-head latent attention: absorbed equals expanded, both equal transformers, and cost what the formulas say."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from core.language_model.libraries import silent_transformers
from core.model_configs import AttentionFacts, LatentFacts
from core.model_configs.projections import projections
from core.topics.attention_heads.mla_cost import MlaForm, cached_elements, mla_cost, visible_pairs
from kernels.attention.mla import (
    MlaWeights,
    absorbed,
    absorbed_queries,
    attend_to_latents,
    expanded,
    expanded_keys_values,
    latent_cache,
    project_latents,
    random_weights,
    rotary,
)
from kernels.errors import InvalidInputs


@dataclasses.dataclass(frozen=True)
class MlaShape:
    """The sizes of one layer, by the names of `random_weights`; `query_latent` None: queries are not compressed."""

    hidden: int
    heads: int
    head_dim: int
    rope: int
    value_dim: int
    latent: int
    query_latent: int | None = None

    @property
    def facts(self) -> AttentionFacts:
        latent = LatentFacts(self.latent, self.rope, self.head_dim, self.query_latent or 0)
        return AttentionFacts(self.heads, self.heads, self.head_dim + self.rope, self.value_dim, latent=latent)

    def cached_elements(self, form: MlaForm) -> int:
        return cached_elements(self.facts, form)


SMALL = MlaShape(hidden=24, heads=3, head_dim=8, rope=4, value_dim=6, latent=10, query_latent=12)


def weights_of(shape: MlaShape, norms: bool = True) -> MlaWeights:
    return random_weights(**dataclasses.asdict(shape), norms=norms)


def hidden_states(shape: MlaShape, batch: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(batch, length, shape.hidden, generator=generator, dtype=torch.float64)


def assert_equal(actual: torch.Tensor, exact: torch.Tensor, tolerance: float = 1e-12) -> None:
    assert actual.shape == exact.shape
    assert float((actual - exact).norm()) <= tolerance * float(exact.norm())


shapes = st.builds(
    MlaShape,
    hidden=st.integers(2, 40),
    heads=st.integers(1, 7),
    head_dim=st.integers(1, 20),
    rope=st.integers(1, 6).map(lambda half: 2 * half),
    value_dim=st.integers(1, 20),
    latent=st.integers(1, 30),
    query_latent=st.none() | st.integers(1, 20),
)


@settings(max_examples=60, deadline=None)
@given(shapes, st.integers(1, 3), st.integers(1, 9), st.data())
def test_that_absorbed_equals_expanded(shape: MlaShape, batch: int, length: int, data: st.DataObject) -> None:
    tokens = data.draw(st.integers(1, length))
    weights = weights_of(shape, norms=data.draw(st.booleans()))
    hidden = hidden_states(shape, batch, length)
    cache = latent_cache(weights, hidden)

    one = absorbed(weights, hidden[:, -tokens:], cache)

    assert_equal(one, expanded(weights, hidden[:, -tokens:], cache))
    assert one.shape == (batch, tokens, shape.hidden)


def test_that_decoding_step_by_step_gives_the_prefill() -> None:
    weights, hidden = weights_of(SMALL), hidden_states(SMALL, 2, 7)
    prefill = expanded(weights, hidden, latent_cache(weights, hidden))

    cache = torch.empty(2, 0, SMALL.latent + SMALL.rope, dtype=torch.float64)
    steps = []
    for position in range(7):
        token = hidden[:, position : position + 1]
        cache = torch.cat((cache, latent_cache(weights, token, position)), dim=1)
        steps.append(absorbed(weights, token, cache))

    assert_equal(torch.cat(steps, dim=1), prefill)


def test_that_the_output_is_equation_18_head_by_head() -> None:
    weights, hidden = weights_of(SMALL, norms=False), hidden_states(SMALL, 1, 5)
    output = absorbed(weights, hidden, latent_cache(weights, hidden))

    assert weights.w_dq is not None
    token, by_hand = 3, []
    for head in range(SMALL.heads):
        compressed = weights.w_dq @ hidden[0, token]
        q_content, q_rotary = weights.w_uq[head] @ compressed, rotated_by_hand(weights.w_qr[head] @ compressed, token)
        scores, values = [], []
        for position in range(token + 1):
            latent = weights.w_dkv @ hidden[0, position]
            k_rotary = rotated_by_hand(weights.w_kr @ hidden[0, position], position)
            scores.append(q_content @ (weights.w_uk[head] @ latent) + q_rotary @ k_rotary)
            values.append(weights.w_uv[head] @ latent)
        shares = (torch.stack(scores) / (SMALL.head_dim + SMALL.rope) ** 0.5).softmax(0)
        by_hand.append(shares @ torch.stack(values))

    assert_equal(output[0, token], weights.w_o @ torch.cat(by_hand))


def rotated_by_hand(x: torch.Tensor, position: int) -> torch.Tensor:
    """Each pair as a complex number, times e^(i angle)."""
    angles = position * 10000.0 ** (-torch.arange(0, len(x), 2, dtype=torch.float64) / len(x))
    turned = torch.view_as_complex(x.reshape(-1, 2)) * torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(turned).flatten()


def test_that_rotated_scores_depend_on_the_distance_only() -> None:
    x, y = torch.randn(2, 1, 8, dtype=torch.float64)
    near = rotary(x, torch.tensor([3])) @ rotary(y, torch.tensor([1])).mT
    far = rotary(x, torch.tensor([1003])) @ rotary(y, torch.tensor([1001])).mT

    torch.testing.assert_close(near, far, rtol=1e-10, atol=1e-12)


def test_that_the_absorbed_form_hands_a_kernel_one_kv_head_with_the_latents_as_values() -> None:
    weights, hidden = weights_of(SMALL), hidden_states(SMALL, 2, 6)
    cache, queries = latent_cache(weights, hidden), absorbed_queries(weights, hidden[:, -2:], 4)
    seen: dict[str, Any] = {}

    def attend(queries: torch.Tensor, cache: torch.Tensor, latent: int, softmax_scale: float) -> torch.Tensor:
        seen.update(queries=queries, cache=cache, latent=latent)
        return attend_to_latents(queries, cache, latent, softmax_scale)

    output = absorbed(weights, hidden[:, -2:], cache, attend=attend)

    width = SMALL.latent + SMALL.rope
    assert seen["queries"].shape == (2, SMALL.heads, 2, width)
    assert seen["queries"].is_contiguous()
    assert torch.equal(seen["queries"], queries)
    assert seen["cache"].shape == (2, 6, width)
    assert cache.is_contiguous()
    attended = attend_to_latents(queries, cache, seen["latent"], weights.softmax_scale)
    assert attended.shape == (2, SMALL.heads, 2, SMALL.latent)
    assert torch.equal(project_latents(weights, attended), output)


def deepseek_attention(shape: MlaShape, interleave: bool) -> Any:
    """transformers' DeepSeek-V3 attention with random float64 weights and float64 norms."""
    with silent_transformers():
        from transformers import DeepseekV3Config
        from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention

    config = DeepseekV3Config(
        hidden_size=shape.hidden,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        kv_lora_rank=shape.latent,
        q_lora_rank=shape.query_latent,
        qk_nope_head_dim=shape.head_dim,
        qk_rope_head_dim=shape.rope,
        v_head_dim=shape.value_dim,
        num_hidden_layers=1,
        rope_interleave=interleave,
        attn_implementation="sdpa",
    )
    attention = DeepseekV3Attention(config, layer_idx=0).double()
    # Its own norm computes in float32.
    attention.kv_a_layernorm = torch.nn.RMSNorm(shape.latent, eps=1e-6, dtype=torch.float64)
    if shape.query_latent:
        attention.q_a_layernorm = torch.nn.RMSNorm(shape.query_latent, eps=1e-6, dtype=torch.float64)
    with torch.no_grad():
        for number, weight in enumerate(attention.parameters()):
            generator = torch.Generator().manual_seed(number)
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) * weight.shape[-1] ** -0.5)
    return attention


def as_mla_weights(attention: Any, shape: MlaShape) -> MlaWeights:
    w_dkv, w_kr = attention.kv_a_proj_with_mqa.weight.split((shape.latent, shape.rope))
    up = attention.kv_b_proj.weight.unflatten(0, (shape.heads, -1))
    query = (attention.q_b_proj or attention.q_proj).weight.unflatten(0, (shape.heads, -1))
    return MlaWeights(
        w_dkv=w_dkv,
        w_kr=w_kr,
        w_uk=up[:, : shape.head_dim],
        w_uv=up[:, shape.head_dim :],
        w_uq=query[:, : shape.head_dim],
        w_qr=query[:, shape.head_dim :],
        w_o=attention.o_proj.weight,
        w_dq=attention.q_a_proj.weight if shape.query_latent else None,
        kv_norm=attention.kv_a_layernorm.weight,
        q_norm=attention.q_a_layernorm.weight if shape.query_latent else None,
    )


@pytest.mark.parametrize("query_latent", [None, 12])
def test_that_both_forms_equal_transformers(query_latent: int | None) -> None:
    shape = dataclasses.replace(SMALL, query_latent=query_latent)
    hidden, length = hidden_states(shape, 2, 9), 9
    angles = torch.arange(length, dtype=torch.float64)[:, None] * 10000.0 ** (
        -torch.arange(0, shape.rope, 2, dtype=torch.float64) / shape.rope
    )
    turned = torch.cat((angles, angles), dim=-1)[None]
    attention = deepseek_attention(shape, interleave=True)
    with torch.no_grad():
        theirs, _ = attention(hidden, (turned.cos(), turned.sin()), None)
        weights = as_mla_weights(attention, shape)
        cache = latent_cache(weights, hidden)

        assert_equal(expanded(weights, hidden, cache), theirs)
        assert_equal(absorbed(weights, hidden, cache), theirs)


def test_that_transformers_caches_the_same_latents_and_rotated_keys() -> None:
    from transformers import DynamicCache

    hidden = hidden_states(SMALL, 2, 5)
    attention = deepseek_attention(SMALL, interleave=True)
    angles = torch.arange(5, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0.01], dtype=torch.float64)
    turned = torch.cat((angles, angles), dim=-1)[None]
    past = DynamicCache()
    with torch.no_grad():
        attention(hidden, (turned.cos(), turned.sin()), None, past_key_values=past)
        cache = latent_cache(as_mla_weights(attention, SMALL), hidden)

    stored = past.layers[0]
    assert_equal(cache[..., : SMALL.latent], stored.keys[:, 0])
    rotated = cache[..., SMALL.latent :]
    assert_equal(torch.cat((rotated[..., 0::2], rotated[..., 1::2]), dim=-1), stored.values[:, 0])
    per_token = (stored.keys.numel() + stored.values.numel()) / (2 * 5)
    assert SMALL.cached_elements(MlaForm.REBUILT) == SMALL.cached_elements(MlaForm.ABSORBED) == per_token


@pytest.mark.parametrize("shape", [SMALL, dataclasses.replace(SMALL, query_latent=None)])
@pytest.mark.parametrize(("tokens", "context"), [(1, 1), (1, 40), (3, 17), (16, 16)])
@pytest.mark.parametrize("form", [MlaForm.REBUILT, MlaForm.ABSORBED])
def test_that_the_flops_are_those_that_torch_counts(shape: MlaShape, tokens: int, context: int, form: MlaForm) -> None:
    weights, hidden = weights_of(shape), hidden_states(shape, 2, context)
    cache = latent_cache(weights, hidden)
    run = absorbed if form is MlaForm.ABSORBED else expanded
    counter = FlopCounterMode(display=False)
    with counter:
        latent_cache(weights, hidden[:, -tokens:], context - tokens)
        run(weights, hidden[:, -tokens:], cache)

    cost = mla_cost(shape.facts, shape.hidden, form, tokens=tokens, context=context, batch=2)

    # The reference multiplies the whole rectangle; the formula counts the pairs that the mask leaves.
    rectangle = cost.attention_flops * tokens * context // visible_pairs(tokens, context)
    assert counter.get_total_flops() == cost.projection_flops + cost.rebuild_flops + rectangle


def test_that_weights_and_caches_have_the_counted_sizes() -> None:
    weights = weights_of(SMALL, norms=False)
    cache = latent_cache(weights, hidden_states(SMALL, 1, 5))
    keys, values = expanded_keys_values(weights, cache)

    tensors = [getattr(weights, item.name) for item in dataclasses.fields(weights)]
    matrices = projections(SMALL.facts, SMALL.hidden)
    assert sum(matrix.parameters for matrix in matrices) == sum(
        tensor.numel() for tensor in tensors if tensor is not None
    )
    assert SMALL.cached_elements(MlaForm.ABSORBED) == cache.numel() / 5
    assert SMALL.cached_elements(MlaForm.EXPANDED_CACHE) == (keys.numel() + values.numel()) / 5
    cost = mla_cost(SMALL.facts, SMALL.hidden, MlaForm.ABSORBED, tokens=1, context=5, element_bytes=8)
    assert cost.cache_read_bytes == cache.numel() * cache.element_size()


def test_that_visible_pairs_are_those_of_the_mask() -> None:
    from kernels.attention.reference import visible

    for tokens, context in ((1, 1), (1, 9), (4, 9), (9, 9)):
        assert visible_pairs(tokens, context) == int(visible(tokens, context, causal=True).sum())


def test_that_deepseek_v3_caches_70272_bytes_per_token_and_absorption_pays_in_decoding_only() -> None:
    v3 = MlaShape(hidden=7168, heads=128, head_dim=128, rope=64, value_dim=128, latent=512, query_latent=1536)

    assert 61 * 2 * v3.cached_elements(MlaForm.ABSORBED) == 70_272
    decode, prefill = (
        {f: mla_cost(v3.facts, v3.hidden, f, tokens=t, context=8192) for f in MlaForm} for t in (1, 8192)
    )
    assert decode[MlaForm.ABSORBED].flops < decode[MlaForm.REBUILT].flops
    assert prefill[MlaForm.ABSORBED].flops > prefill[MlaForm.REBUILT].flops
    assert decode[MlaForm.ABSORBED].cache_read_bytes < decode[MlaForm.EXPANDED_CACHE].cache_read_bytes / 50


def changed(**sizes: tuple[int, ...]) -> dict[str, torch.Tensor | None]:
    weights = weights_of(SMALL)
    named = {item.name: getattr(weights, item.name) for item in dataclasses.fields(weights)}
    return named | {name: torch.zeros(size) for name, size in sizes.items()}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"w_uk": (3, 8, 11)}, r"w_uk \[3, 8, 11\] has another latent than the other weights, which have 10"),
        ({"w_uv": (2, 6, 10)}, "has another heads"),
        ({"w_dkv": (10, 24, 1)}, r"must have the dimensions \[latent, hidden\]"),
        ({"w_kr": (3, 24), "w_qr": (3, 3, 12)}, "rotary positions need pairs of columns"),
        ({"w_o": (24, 17)}, r"w_o \[24, 17\] must be \[24, 18\]"),
    ],
)
def test_that_weights_that_do_not_fit_are_refused(sizes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(InvalidInputs, match=message):
        MlaWeights(**changed(**sizes))  # type: ignore[arg-type]


def test_that_a_norm_of_queries_that_are_not_compressed_is_refused() -> None:
    weights = weights_of(dataclasses.replace(SMALL, query_latent=None))

    with pytest.raises(InvalidInputs, match="q_norm needs w_dq"):
        dataclasses.replace(weights, q_norm=torch.ones(12))


@pytest.mark.parametrize("run", [absorbed, expanded])
def test_that_a_cache_that_does_not_fit_is_refused(run: Any) -> None:
    weights, hidden = weights_of(SMALL), hidden_states(SMALL, 2, 4)
    cache = latent_cache(weights, hidden)

    with pytest.raises(InvalidInputs, match=r"must be \[batch, length, 14\]"):
        run(weights, hidden, cache[..., :-1])
    with pytest.raises(InvalidInputs, match="put them into the cache first"):
        run(weights, hidden, cache[:, :3])
    with pytest.raises(InvalidInputs, match=r"must be \[batch, length, 24\]"):
        latent_cache(weights, hidden[..., :-1])
