"""The loops of the training stages on the tiny model: sampling, pairs, and that every stage learns what it should."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.contracts.errors import RunFailed
from core.language_model.generation import generate
from core.topics.training.stages.answer_batch import answer_logprobs, answer_texts, ended, prompt_tokens
from core.topics.training.stages.configs import PairsConfig
from core.topics.training.stages.policy_evaluation import evaluate_policy
from core.topics.training.stages.preferences import make_pairs
from core.topics.training.stages.reward import pair_batch, pair_margins, reward_calibration
from core.topics.training.stages.sampling import sample_answers
from tests.topics.training_runs import dpo, finished, grpo, ppo, reward, sft, tiny

PROMPTS = ["Tell me about her.", "Who?", "What do you know about the weather in Sizport?"]


def drawn(seed: int = 0, temperature: float = 1.0, tokens: int = 12) -> tuple[list[str], torch.Tensor]:
    t = tiny()
    batch = sample_answers(t.model, t.tokenizer, PROMPTS, tokens, temperature, torch.Generator().manual_seed(seed))
    return answer_texts(t.tokenizer, batch), answer_logprobs(t.model, batch)


def test_that_the_likeliest_answers_are_those_that_transformers_generates() -> None:
    t = tiny()
    expected = generate(t.model, t.tokenizer, [prompt_tokens(t.tokenizer, text) for text in PROMPTS], 12)
    assert drawn(temperature=0.0)[0] == [text.strip() for text in expected]


def test_that_the_generator_determines_sampled_answers_and_padding_does_not() -> None:
    assert drawn(1)[0] == drawn(1)[0] != drawn(2)[0]
    t = tiny()
    batch = sample_answers(t.model, t.tokenizer, PROMPTS, 12, 1.0, torch.Generator().manual_seed(0))
    together = answer_logprobs(t.model, batch)
    for row in range(len(PROMPTS)):
        length = int(batch.prompt_mask[row].sum())
        alone = replace(
            batch.part(slice(row, row + 1)),
            prompts=batch.prompts[row : row + 1, -length:],
            prompt_mask=batch.prompt_mask[row : row + 1, -length:],
        )
        assert torch.allclose(answer_logprobs(t.model, alone), together[row : row + 1], atol=1e-5)


def test_that_nothing_follows_the_end_of_an_answer() -> None:
    t = tiny()
    batch = sample_answers(t.model, t.tokenizer, PROMPTS * 20, 100, 1.0, torch.Generator().manual_seed(3))
    ends = ended(t.tokenizer, batch)
    assert ends.any()
    for row in ends.nonzero().flatten().tolist():
        assert batch.answers[row, batch.lengths[row] - 1] == t.tokenizer.eos_token_id
        assert (batch.answers[row, batch.lengths[row] :] == t.tokenizer.pad_token_id).all()


def pairs_of(folder: Path | None = None, **changes: float) -> tuple[list[tuple[int, int]], object]:
    t = tiny()
    config = PairsConfig(**{"train": 20, "held_out": 6, "max_tokens": 10, **changes})
    return finished(make_pairs(t.model, t.tokenizer, t.reader, t.data, config, folder))  # type: ignore[arg-type]


def test_that_pairs_are_ordered_by_the_rule_and_held_out_ones_are_about_other_people(tmp_path: Path) -> None:
    progress, pairs = pairs_of(tmp_path)
    assert progress[-1] == (26, 26)
    assert all(pair.chosen_score > pair.rejected_score for pair in (*pairs.train, *pairs.held_out))
    assert not {pair.prompt for pair in pairs.train} & {pair.prompt for pair in pairs.held_out}
    assert pairs.num_tokens >= sum(
        len(p.chosen_tokens) + len(p.rejected_tokens) for p in (*pairs.train, *pairs.held_out)
    )
    again, kept = pairs_of(tmp_path)
    assert again == []
    assert kept == pairs
    assert pairs_of(tmp_path, seed=1)[1] != pairs


def test_that_label_noise_swaps_training_pairs_and_no_others() -> None:
    _, pairs = pairs_of(label_noise=0.5)
    swapped = [pair.swapped for pair in pairs.train]
    assert 0 < sum(swapped) < len(swapped)
    assert all((pair.chosen_score > pair.rejected_score) is not pair.swapped for pair in pairs.train)
    assert not any(pair.swapped for pair in pairs.held_out)


def test_that_a_model_whose_answers_are_all_alike_gives_no_pairs_and_an_error() -> None:
    t = tiny()
    config = PairsConfig(train=2, held_out=2, temperature=1e-6, max_tokens=2)
    with pytest.raises(RunFailed, match="so there are no pairs"):
        finished(make_pairs(t.model, t.tokenizer, t.reader, replace_people(), config))  # type: ignore[arg-type]


def replace_people() -> object:
    """The data with one prompt only, so that all likeliest answers are the same."""
    data = tiny().data
    return replace(data, prompts_train=data.prompts_train[:1])


def test_that_sft_makes_the_answers_likelier_and_its_first_loss_is_that_of_the_model() -> None:
    records, _ = finished(sft(steps=30, learning_rate=1e-2))
    losses = [record.metrics["loss"] for record in records]
    assert losses[0] == pytest.approx(math.log(len(tiny().tokenizer)), rel=0.1)
    assert np.mean(losses[-5:]) < 0.8 * losses[0]
    assert records[-1].metrics["epoch"] == pytest.approx(30 * 4 / len(tiny().data.train))


def test_that_the_reward_model_begins_undecided_and_learns_the_pairs() -> None:
    records, trained = finished(reward(steps=40, learning_rate=1e-2, batch=8))
    assert records[0].metrics["loss"] == pytest.approx(math.log(2), rel=1e-6)
    pairs = tiny().pairs
    margins = pair_margins(trained.model, tiny().tokenizer, pairs.train)
    assert (margins > 0).mean() > 0.9
    with torch.no_grad():
        scores = trained.model.scores(pair_batch(tiny().tokenizer, pairs.train))
    assert scores.mean().item() == pytest.approx(0, abs=1e-4)
    assert reward_calibration(trained.model, tiny().tokenizer, pairs.train).pairs.sum() == len(pairs.train)


def test_that_dpo_begins_at_ln_2_and_learns_the_pairs_with_two_models() -> None:
    records, trained = finished(dpo(steps=12, learning_rate=5e-3, batch=8))
    assert records[0].metrics["loss"] == pytest.approx(math.log(2), rel=1e-6)
    assert records[0].metrics["rewards/margins"] == 0
    assert records[-1].metrics["rewards/accuracies"] > 0.9
    assert set(trained.parameters) == {"policy", "reference"}


@pytest.mark.parametrize(("stage", "roles"), [(ppo, 4), (grpo, 3)])
def test_that_reinforcement_learning_raises_the_reward_and_the_kl_and_counts_its_models(
    stage: object, roles: int
) -> None:
    records, trained = finished(stage(steps=15, learning_rate=5e-3, batch=24, eval_every=15))  # type: ignore[operator]
    name = "objective/scores" if roles == 4 else "reward"
    scores = [record.metrics[name] for record in records]
    assert np.mean(scores[-3:]) > np.mean(scores[:3])
    assert records[0].metrics["objective/kl"] == pytest.approx(0, abs=1e-4)
    assert records[-1].metrics["eval/kl"] > records[0].metrics["eval/kl"] > 0
    assert len(trained.parameters) == roles
    assert len(set(trained.parameters.values())) <= 2
    tokens = [record.metrics["num_tokens"] for record in records]
    assert tokens == sorted(tokens)


def test_that_the_shown_answer_adds_up() -> None:
    record = finished(ppo(steps=1, kl_coef=0.5))[0][0]
    sample = record.sample
    assert sample is not None
    counts = {
        len(getattr(sample, name)) for name in ("tokens", "logprobs", "reference", "advantages", "clipped", "values")
    }
    assert counts == {len(sample.tokens)}
    assert sum(sample.rewards) == pytest.approx(sample.score - 0.5 * sum(sample.kl), abs=1e-4)


def test_that_ppos_reward_is_the_score_minus_the_weighed_kl_and_stops_early_on_kl() -> None:
    metrics = finished(ppo(steps=3, kl_coef=0.5, learning_rate=1e-2))[0][-1].metrics
    expected = metrics["objective/scores"] + metrics["objective/non_score_reward"]
    assert metrics["objective/rlhf_reward"] == pytest.approx(expected, abs=1e-6)
    assert metrics["objective/non_score_reward"] == pytest.approx(-0.5 * metrics["objective/kl"], abs=1e-6)
    stopped = finished(ppo(steps=2, learning_rate=1e-2, target_kl=1e-9))[0][-1].metrics
    assert stopped["policy/stopped_early"] == 1


def test_that_without_normalization_the_advantages_keep_their_scale() -> None:
    normalized, raw = (finished(ppo(steps=1, normalize_advantages=on))[0][0].sample for on in (True, False))
    assert normalized is not None
    assert raw is not None
    assert normalized.rewards == raw.rewards
    assert normalized.advantages != raw.advantages


def test_that_a_policy_that_has_not_moved_has_no_kl() -> None:
    t = tiny()
    measured = evaluate_policy(
        t.model, t.model, t.tokenizer, t.reader, t.data.prompts_held_out, 6, 0, t.reward_model, 12
    )
    assert measured["eval/kl"] == pytest.approx(0, abs=1e-6)
    assert measured["eval/entropy"] > 0
    assert {"eval/true_reward", "eval/scores", "eval/mean_length", "eval/ended"} <= measured.keys()
