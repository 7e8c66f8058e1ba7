"""Data samples: every stage has examples before a run, and the rule agrees with the pairs."""

from __future__ import annotations

from core.topics.training.data_samples import data_samples
from core.topics.training.params import TrainingParams
from core.topics.training.plan import plan
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, SFT, STAGES


def test_that_every_stage_has_examples_before_a_run() -> None:
    planned = plan(TrainingParams())
    assert all(len(planned.stages[stage].samples) >= 3 for stage in STAGES)


def test_that_the_rule_likes_the_chosen_answers_better() -> None:
    pairs = data_samples()[REWARD]
    assert pairs == data_samples()[DPO]
    assert all(pair.scores[0] > pair.scores[1] for pair in pairs)
    assert any(pair.scores[1] < 1 for pair in pairs), "no example repeats itself"


def test_that_only_the_model_answers_where_it_learns_from_its_own_answers() -> None:
    samples = data_samples()
    assert all(sample.prompt and not sample.answer for stage in (PPO, GRPO) for sample in samples[stage])
    assert all(sample.answer and not sample.prompt for sample in samples[PRETRAINING])
    assert {"I do not know."} < {sample.answer for sample in samples[SFT]}
