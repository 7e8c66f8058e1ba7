"""Advantages and KL estimates of the training stages: by hand, by definition, and against the exact KL."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.topics.training.stages.advantages import gae, group_advantages, normalized
from core.topics.training.stages.calibration import calibration
from core.topics.training.stages.kl import ESTIMATORS, exact_kl, k1, k2, k3
from core.topics.training.stages.tokens import entropy, masked_mean, token_logprobs


def double(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_that_gae_is_that_of_a_case_by_hand() -> None:
    # delta = [1 + 0.9·2 - 1, 0 + 0.9·3 - 2, 2 + 0 - 3] = [1.8, 0.7, -1]; A_t = delta_t + 0.9·0.5·A_{t+1}
    advantages, returns = gae(double([1, 0, 2]), double([1, 2, 3]), discount=0.9, trace_decay=0.5)
    assert advantages[0].tolist() == pytest.approx([1.8 + 0.45 * 0.25, 0.7 - 0.45, -1.0])
    assert returns[0].tolist() == pytest.approx([2.9125, 2.25, 2.0])


def test_that_without_decay_the_return_is_the_reward_to_come_and_with_none_left_the_td_error() -> None:
    generator = torch.Generator().manual_seed(0)
    rewards, values = (torch.randn(4, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    _, returns = gae(rewards, values, discount=1.0, trace_decay=1.0)
    assert torch.allclose(returns, rewards.flip(1).cumsum(1).flip(1))
    following = torch.nn.functional.pad(values[:, 1:], (0, 1))
    assert torch.allclose(gae(rewards, values, 0.9, 0.0)[0], rewards + 0.9 * following - values)


@given(seed=st.integers(0, 10_000), discount=st.floats(0, 1), decay=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_that_gae_is_the_sum_of_its_definition(seed: int, discount: float, decay: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    rewards, values = (torch.randn(2, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    delta = rewards + discount * torch.nn.functional.pad(values[:, 1:], (0, 1)) - values
    powers = (discount * decay) ** torch.arange(5, dtype=torch.float64)
    expected = torch.stack([(delta[:, t:] * powers[: 5 - t]).sum(1) for t in range(5)], dim=1)
    assert torch.allclose(gae(rewards, values, discount, decay)[0], expected, rtol=1e-9, atol=1e-12)


def test_that_normalized_advantages_have_mean_0_and_variance_1_over_the_tokens_that_count() -> None:
    advantages, mask = double([3, 5, 100], [1, 7, 9]), torch.tensor([[1, 1, 0], [1, 1, 1]])
    result = normalized(advantages, mask)
    counted = result[mask == 1]
    assert counted.mean().item() == pytest.approx(0, abs=1e-12)
    assert counted.var().item() == pytest.approx(1, rel=1e-6)
    assert result[0, 2] == 0
    assert torch.isfinite(normalized(double([3.0, 4.0]), torch.tensor([[1, 0]]))).all()


def test_that_groups_of_equal_rewards_have_no_advantage_and_are_counted() -> None:
    advantages, share = group_advantages(double([1, 1, 1, 1], [0, 2, 0, 2]))
    assert share == 0.5
    assert advantages[0].tolist() == [0, 0, 0, 0]
    deviation = 2 / math.sqrt(3)
    assert advantages[1].tolist() == pytest.approx([-1 / (deviation + 1e-4), 1 / (deviation + 1e-4)] * 2)
    assert group_advantages(double([0, 2, 0, 2]), scale=False)[0][0].tolist() == [-1, 1, -1, 1]


def test_that_kl_of_two_coins_is_that_by_hand() -> None:
    logits, reference = double([0.9, 0.1]).log(), double([0.5, 0.5]).log()
    assert exact_kl(logits, reference).item() == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
    assert exact_kl(logits, logits).item() == pytest.approx(0, abs=1e-15)
    assert entropy(reference).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("distance", [0.05, 0.3, 1.0])
def test_that_k1_and_k3_are_unbiased_and_k2_is_not(distance: float) -> None:
    """Bias and variance by summing over the whole vocabulary, so that there is no sampling error."""
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(64, generator=generator, dtype=torch.float64)
    logits = reference + distance * torch.randn(64, generator=generator, dtype=torch.float64)
    logprobs, reference_logprobs = logits.log_softmax(-1), reference.log_softmax(-1)
    exact = exact_kl(logits, reference).item()

    def moments(name: str) -> tuple[float, float]:
        estimates = ESTIMATORS[name](logprobs, reference_logprobs)
        mean = (logprobs.exp() * estimates).sum()
        return mean.item(), (logprobs.exp() * (estimates - mean).square()).sum().item()

    assert moments("k1")[0] == pytest.approx(exact, rel=1e-9)
    assert moments("k3")[0] == pytest.approx(exact, rel=1e-9)
    assert abs(moments("k2")[0] - exact) > 1e-5 * exact
    assert moments("k3")[1] < moments("k1")[1]
    if distance < 0.1:
        assert moments("k2")[0] == pytest.approx(exact, rel=0.05)


def test_that_sampled_estimates_come_to_the_exact_kl() -> None:
    generator = torch.Generator().manual_seed(1)
    reference = torch.randn(16, generator=generator, dtype=torch.float64)
    logits = reference + 0.4 * torch.randn(16, generator=generator, dtype=torch.float64)
    tokens = torch.multinomial(logits.softmax(-1), 40_000, replacement=True, generator=generator)
    sampled = logits.log_softmax(-1)[tokens], reference.log_softmax(-1)[tokens]
    exact = exact_kl(logits, reference).item()
    for estimate in (k1, k3):
        values = estimate(*sampled)
        standard_error = values.std().item() / 200
        assert abs(values.mean().item() - exact) < 4 * standard_error
    assert k1(*sampled).min() < 0 <= k3(*sampled).min()
    assert k2(*sampled).min() >= 0


def test_that_means_and_logprobs_are_those_of_the_tokens() -> None:
    logits = double([0.0, math.log(3)])[None]
    assert token_logprobs(logits, torch.tensor([[1]])).item() == pytest.approx(math.log(0.75))
    assert masked_mean(double([1, 2, 9]), torch.tensor([[1, 1, 0]])).item() == 1.5


def test_that_calibration_sorts_pairs_by_confidence() -> None:
    import numpy as np

    margins = np.array([0.0, 0.1, -0.1, 3.0, 3.0, 3.0, -3.0, 8.0])
    result = calibration(margins, bins=5)
    assert result.pairs.tolist() == [3, 0, 0, 0, 5]
    assert result.accuracy[0] == pytest.approx(1 / 3)
    assert result.accuracy[4] == pytest.approx(4 / 5)
    assert math.isnan(result.confidence[1])
    sure = 1 / (1 + math.exp(-3))
    assert result.confidence[4] == pytest.approx((4 * sure + 1 / (1 + math.exp(-8))) / 5)
    assert 0 < result.expected_error < 1
