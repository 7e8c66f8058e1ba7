"""The losses of the training stages against cases by hand, float64 and autograd of the formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.language_model.data import IGNORED_LABEL
from core.topics.training.stages.losses import PairLogprobs, dpo_loss, reward_loss, sft_loss
from core.topics.training.stages.policy_losses import grpo_loss, is_clipped, ppo_policy_loss, ppo_value_loss

LN2 = math.log(2)


def random_tensor(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some_mask(seed: int, batch: int, length: int) -> torch.Tensor:
    """Ones, then zeros: rows of different lengths of at least one."""
    lengths = torch.randint(1, length + 1, (batch,), generator=torch.Generator().manual_seed(seed))
    return (torch.arange(length) < lengths[:, None]).long()


def test_that_the_sft_loss_is_the_mean_over_the_answers_tokens_only() -> None:
    logits = random_tensor(0, 2, 5, 7)
    labels = torch.tensor([[IGNORED_LABEL, IGNORED_LABEL, 3, 6, IGNORED_LABEL], [IGNORED_LABEL, 2, 0, 1, 5]])
    loss, statistics = sft_loss(logits, labels)

    by_hand = [
        -logits[row, t - 1].log_softmax(-1)[labels[row, t]]
        for row, t in ((0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (1, 4))
    ]
    assert loss.item() == pytest.approx(float(sum(by_hand)) / 6, rel=1e-12)
    hits = [
        logits[row, t - 1].argmax() == labels[row, t] for row, t in ((0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (1, 4))
    ]
    assert statistics["mean_token_accuracy"] == pytest.approx(float(sum(hits)) / 6)


def test_that_what_the_model_thinks_of_the_instruction_changes_no_sft_loss() -> None:
    logits, labels = random_tensor(1, 1, 6, 4), torch.tensor([[IGNORED_LABEL] * 4 + [1, 2]])
    changed = logits.clone()
    changed[:, :3] = random_tensor(2, 1, 3, 4)
    assert sft_loss(logits, labels)[0] == sft_loss(changed, labels)[0]


def test_that_equal_scores_cost_ln_2_and_a_margin_of_ln_3_costs_ln_of_four_thirds() -> None:
    zero = torch.zeros(3, dtype=torch.float64)
    assert reward_loss(zero, zero)[0].item() == pytest.approx(LN2, rel=1e-12)
    loss, statistics = reward_loss(zero + math.log(3), zero)
    assert loss.item() == pytest.approx(math.log(4 / 3), rel=1e-12)
    assert statistics["accuracy"] == 1
    assert statistics["margin"] == pytest.approx(math.log(3))


@given(shift=st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_that_only_differences_of_scores_count(shift: float) -> None:
    chosen, rejected = random_tensor(3, 8), random_tensor(4, 8)
    moved = reward_loss(chosen + shift, rejected + shift)[0].item()
    assert moved == pytest.approx(reward_loss(chosen, rejected)[0].item(), rel=1e-9)


def test_that_bradley_terry_is_logistic_regression_of_differences() -> None:
    rng = np.random.default_rng(0)
    chosen, rejected = rng.normal(size=(300, 3)) + np.array([0.4, -0.2, 0.0]), rng.normal(size=(300, 3))
    weights = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss, _ = reward_loss(torch.tensor(chosen) @ weights, torch.tensor(rejected) @ weights)
        loss.backward()
        return loss

    optimizer.step(closure)

    # The label "the first is preferred" from the difference of features, each pair in either order, by Newton's method.
    first = rng.random(300) < 0.5
    features = np.where(first[:, None], chosen - rejected, rejected - chosen)
    coefficients = np.zeros(3)
    for _ in range(20):
        p = 1 / (1 + np.exp(-features @ coefficients))
        hessian = features.T @ (features * (p * (1 - p))[:, None])
        coefficients += np.linalg.solve(hessian, features.T @ (first - p))
    assert weights.detach().numpy() == pytest.approx(coefficients, abs=1e-6)


def test_that_the_first_dpo_loss_is_ln_2_whatever_beta() -> None:
    logprobs = PairLogprobs(random_tensor(5, 4), random_tensor(6, 4))
    for beta in (0.01, 0.1, 5.0):
        loss, statistics = dpo_loss(logprobs, logprobs, beta)
        assert loss.item() == pytest.approx(LN2, rel=1e-12)
        assert statistics["rewards/margins"] == statistics["rewards/accuracies"] == 0


def test_that_dpo_is_the_reward_loss_of_its_implicit_rewards() -> None:
    policy, reference = (PairLogprobs(random_tensor(s, 6), random_tensor(s + 1, 6)) for s in (7, 9))
    loss, statistics = dpo_loss(policy, reference, 0.3)
    chosen, rejected = 0.3 * (policy.chosen - reference.chosen), 0.3 * (policy.rejected - reference.rejected)
    assert loss == reward_loss(chosen, rejected)[0]
    assert statistics["rewards/chosen"] == pytest.approx(chosen.mean().item())
    assert statistics["rewards/accuracies"] == pytest.approx((chosen > rejected).double().mean().item())


def test_that_the_gradient_of_dpo_is_that_of_the_paper() -> None:
    # Rafailov et al. 2023, the unnumbered equation after 7: weight sigmoid(rejected reward - chosen reward) · beta.
    chosen, rejected = (random_tensor(s, 5).requires_grad_() for s in (11, 12))
    reference = PairLogprobs(random_tensor(13, 5), random_tensor(14, 5))
    loss, _ = dpo_loss(PairLogprobs(chosen, rejected), reference, 0.2)
    loss.backward()
    margin = 0.2 * ((chosen - reference.chosen) - (rejected - reference.rejected)).detach()
    weight = 0.2 * torch.sigmoid(-margin) / 5
    assert torch.allclose(chosen.grad, -weight, rtol=1e-12)
    assert torch.allclose(rejected.grad, weight, rtol=1e-12)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "has_gradient"),
    [
        (1.5, 1.0, -1.2, False),  # already likelier than the range allows, and it should become likelier: clipped
        (0.5, 1.0, -0.5, True),
        (0.5, -1.0, 0.8, False),  # already rarer than the range allows, and it should become rarer: clipped
        (1.5, -1.0, 1.5, True),
        (1.1, 1.0, -1.1, True),
        (0.9, -1.0, 0.9, True),
    ],
)
def test_that_ppo_clips_on_the_side_that_the_advantage_asks_for(
    ratio: float, advantage: float, loss: float, has_gradient: bool
) -> None:
    old = torch.full((1, 1), -2.0, dtype=torch.float64)
    new = (old + math.log(ratio)).requires_grad_()
    advantages, mask = torch.full((1, 1), advantage, dtype=torch.float64), torch.ones(1, 1)
    value, statistics = ppo_policy_loss(new, old, advantages, mask, clip=0.2)
    value.backward()
    assert value.item() == pytest.approx(loss, rel=1e-9)
    assert bool(new.grad.abs() > 0) is has_gradient
    assert statistics["policy/clipfrac_avg"] == float(not has_gradient)
    assert bool(is_clipped(new, old, advantages, 0.2)) is not has_gradient


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_that_the_gradient_of_ppo_is_that_of_the_formula(seed: int) -> None:
    old, advantages, mask = random_tensor(seed, 3, 5), random_tensor(seed + 1, 3, 5), some_mask(seed, 3, 5)
    new = (old + 0.3 * random_tensor(seed + 2, 3, 5)).requires_grad_()
    loss, statistics = ppo_policy_loss(new, old, advantages, mask, clip=0.2)
    (gradient,) = torch.autograd.grad(loss, new)

    # d/dlogp of -A·ratio is -A·ratio where the token is not clipped, else 0; each has a share of 1 / tokens.
    ratio = (new - old).exp().detach()
    clipped = ((ratio > 1.2) & (advantages > 0)) | ((ratio < 0.8) & (advantages < 0))
    expected = torch.where(clipped, 0.0, -advantages * ratio) * mask / mask.sum()
    assert torch.allclose(gradient, expected, rtol=1e-10, atol=1e-14)
    assert statistics["policy/clipfrac_avg"] == pytest.approx((clipped * mask).sum().item() / mask.sum().item())
    half_squares = (0.5 * (new - old).detach() ** 2 * mask).sum() / mask.sum()
    assert statistics["policy/approxkl_avg"] == pytest.approx(half_squares.item())


def test_that_the_value_loss_takes_the_worse_of_the_clipped_and_the_unclipped_error() -> None:
    old, returns, mask = torch.zeros(1, 3).double(), torch.tensor([[1.0, 1.0, -1.0]]).double(), torch.ones(1, 3)
    values = torch.tensor([[0.1, 0.9, 0.5]], dtype=torch.float64, requires_grad=True)
    loss, statistics = ppo_value_loss(values, old, returns, mask, clip=0.2)
    # Errors 0.9² (inside the range), max(0.1², 0.8²), max(1.5², 1.2²).
    assert loss.item() == pytest.approx(0.5 * (0.81 + 0.64 + 2.25) / 3, rel=1e-9)
    assert statistics["val/clipfrac_avg"] == pytest.approx(1 / 3)
    loss.backward()
    assert values.grad[0].tolist() == pytest.approx([(0.1 - 1) / 3, 0.0, (0.5 + 1) / 3])


def test_that_padding_changes_no_loss() -> None:
    old, new, advantages, mask = (
        random_tensor(1, 2, 4),
        random_tensor(2, 2, 4),
        random_tensor(3, 2, 4),
        some_mask(4, 2, 3),
    )
    mask = torch.nn.functional.pad(mask, (0, 1))
    spoilt = new.clone()
    spoilt[mask == 0] += 3
    for loss in (
        lambda x: ppo_policy_loss(x, old, advantages, mask, 0.2)[0],
        lambda x: ppo_value_loss(x, old, advantages, mask, 0.2)[0],
        lambda x: grpo_loss(x, old, old, advantages[:, 0], mask, 0.2, 0.1)[0],
    ):
        assert loss(new) == loss(spoilt)


def test_that_grpo_averages_over_an_answers_tokens_before_it_averages_over_answers() -> None:
    zeros = torch.zeros(2, 4, dtype=torch.float64)
    mask = torch.tensor([[1, 0, 0, 0], [1, 1, 1, 1]])
    new = torch.tensor([[math.log(1.1), 0, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    advantages = torch.tensor([1.0, -1.0], dtype=torch.float64)
    loss, statistics = grpo_loss(new, zeros, zeros, advantages, mask, clip=0.2, beta=0.5)
    k3 = 1 / 1.1 - 1 + math.log(1.1)
    assert loss.item() == pytest.approx((-1.1 + 0.5 * k3 + 1.0) / 2, rel=1e-12)
    assert statistics["kl"] == pytest.approx(k3 / 5, rel=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_that_the_gradient_of_grpo_is_that_of_the_formula(seed: int) -> None:
    old, reference, mask = random_tensor(seed, 4, 6), random_tensor(seed + 1, 4, 6), some_mask(seed, 4, 6)
    new, advantages = (old + 0.3 * random_tensor(seed + 2, 4, 6)).requires_grad_(), random_tensor(seed + 3, 4)
    loss, statistics = grpo_loss(new, old, reference, advantages, mask, clip=0.2, beta=0.04)
    (gradient,) = torch.autograd.grad(loss, new)

    ratio, a = (new - old).exp().detach(), advantages[:, None]
    low, high = (ratio < 0.8) & (a < 0), (ratio > 1.2) & (a > 0)
    of_kl = 1 - (reference - new.detach()).exp()  # d k3 / d log p
    expected = (torch.where(low | high, 0.0, -a * ratio) + 0.04 * of_kl) * mask / mask.sum(1, keepdim=True) / 4
    assert torch.allclose(gradient, expected, rtol=1e-9, atol=1e-13)
    assert statistics["clip_ratio/low_mean"] == pytest.approx((low * mask).sum().item() / mask.sum().item())
