"""Reinforcement learning from human feedback, by proximal policy optimization. Workers only.

Four models are in memory: the policy, the reference (the SFT model), the reward model and the value model.
Source: Ouyang et al. 2022, arXiv 2203.02155, section 3.5; Ziegler et al. 2019, arXiv 1909.08593, section 2.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.adapters import trainable_copy
from core.topics.training.stages.advantages import gae, normalized
from core.topics.training.stages.answer_batch import answer_logits, answer_logprobs, ended
from core.topics.training.stages.answers import Reader
from core.topics.training.stages.checkpoints import StageFiles, TrainingState, identity_of, weights_digest
from core.topics.training.stages.configs import PpoConfig
from core.topics.training.stages.instructions import InstructionData
from core.topics.training.stages.kl import k1
from core.topics.training.stages.optimization import new_optimizer, stopping_at_nan, update
from core.topics.training.stages.policy_evaluation import evaluate_policy
from core.topics.training.stages.policy_losses import is_clipped, ppo_policy_loss, ppo_value_loss
from core.topics.training.stages.preferences import judged
from core.topics.training.stages.records import Record
from core.topics.training.stages.sampling import sample_answers
from core.topics.training.stages.scalar_model import ScalarModel
from core.topics.training.stages.token_view import token_view
from core.topics.training.stages.tokens import entropy, masked_mean, token_logprobs
from core.topics.training.stages.trained import Trained, frozen, trained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@stopping_at_nan
def train_ppo(
    start: Any,
    reward_model: ScalarModel,
    tokenizer: PreTrainedTokenizerBase,
    reader: Reader,
    data: InstructionData,
    config: PpoConfig,
    folder: Path | None = None,
) -> Generator[Record, None, Trained]:
    """Train a copy of the SFT model `start` to give answers that the reward model likes. Raises as `train_sft`.

    `true_reward` and `eval/true_reward` are the rule's score: they are measured, nothing is trained on them.
    """
    policy, value_model = trainable_copy(start), copy.deepcopy(reward_model).requires_grad_(True)
    reference, reward_model = frozen(start), frozen(reward_model)
    optimizer = new_optimizer(config, policy, value_model)
    generator = torch.Generator().manual_seed(config.seed)
    state = TrainingState({"policy": policy, "value": value_model}, optimizer, generator)
    identity = identity_of("ppo", config, start, (weights_digest(reward_model), data.prompts_train))
    files = StageFiles(folder, identity, config.save_every, config.steps)
    yield from files.resume(state)

    for step in range(state.step + 1, config.steps + 1):
        # 1. The policy answers.
        asked = [data.prompts_train[i] for i in _drawn(len(data.prompts_train), config.batch, generator)]
        prompts = [item.prompt for item in asked]
        batch = sample_answers(policy, tokenizer, prompts, config.max_tokens, 1.0, generator)
        mask = batch.mask

        # 2. The reward model scores whole answers. The value model guesses the score before every token.
        with torch.no_grad():
            old_logprobs, reference_logprobs = answer_logprobs(policy, batch), answer_logprobs(reference, batch)
            old_values = value_model.values(batch)
            scores = reward_model.scores(batch) - config.missing_eos_penalty * ~ended(tokenizer, batch)

        # 3. Every token costs its KL to the SFT model. The last one earns the score.
        kl = k1(old_logprobs, reference_logprobs)
        rewards = -config.kl_coef * kl
        rewards[torch.arange(len(batch)), batch.lengths - 1] += scores

        # 4. Which tokens did better than the value model had expected?
        advantages, returns = gae(rewards, old_values, config.discount, config.trace_decay)
        advantages, returns = advantages * mask, returns * mask
        if config.normalize_advantages:
            advantages = normalized(advantages, mask)

        # 5. Make those likelier, in small steps, as long as the policy is near the one that answered.
        parts: dict[str, list[float]] = defaultdict(list)
        for rows in _minibatches(len(batch), config, generator):
            part, part_mask = batch.part(rows), mask[rows]
            logits = answer_logits(policy, part)
            logprobs = token_logprobs(logits, part.answers) * part_mask
            policy_loss, policy_statistics = ppo_policy_loss(
                logprobs, old_logprobs[rows], advantages[rows], part_mask, config.clip
            )
            value_loss, value_statistics = ppo_value_loss(
                value_model.values(part), old_values[rows], returns[rows], part_mask, config.value_clip
            )
            statistics = policy_statistics | value_statistics
            statistics["policy/entropy_avg"] = masked_mean(entropy(logits.detach()), part_mask).item()
            if config.target_kl is not None and statistics["policy/approxkl_avg"] > config.target_kl:
                parts["policy/stopped_early"].append(1.0)
                break
            statistics |= update(optimizer, policy_loss + config.value_coef * value_loss, config, step)
            for name, value in statistics.items():
                parts[name].append(value)

        # 6. What is written down.
        state.num_tokens += batch.tokens
        true_rewards = [judgement.score for judgement in judged(reader, tokenizer, asked, batch)]
        summed_kl = kl.sum(dim=1).mean().item()
        metrics = {name: float(np.mean(values)) for name, values in parts.items()} | {
            "objective/kl": summed_kl,
            "objective/entropy": -old_logprobs.sum(dim=1).mean().item(),
            "objective/non_score_reward": -config.kl_coef * summed_kl,
            "objective/scores": scores.mean().item(),
            "objective/rlhf_reward": scores.mean().item() - config.kl_coef * summed_kl,
            "val/num_eos_tokens": float(ended(tokenizer, batch).sum()),
            "true_reward": float(np.mean(true_rewards)),
            "completions/mean_length": batch.lengths.float().mean().item(),
            "episode": float(step * config.batch),
            "num_tokens": float(state.num_tokens),
        }
        if step % config.eval_every == 0 or step in (1, config.steps):
            metrics |= evaluate_policy(
                policy, reference, tokenizer, reader, data.prompts_held_out, config.max_tokens, step, reward_model
            )
        first = batch.part(slice(0, 1))
        with torch.no_grad():
            clipped = is_clipped(answer_logprobs(policy, first), old_logprobs[:1], advantages[:1], config.clip)
        sample = token_view(
            tokenizer,
            first,
            prompt=prompts[0],
            logprobs=old_logprobs,
            reference=reference_logprobs,
            advantages=advantages,
            clipped=clipped,
            score=float(scores[0]),
            true_reward=true_rewards[0],
            rewards=rewards,
            values=old_values,
        )
        yield files.keep(state, step, metrics, sample)
    return trained(policy, policy=policy, reference=reference, reward=reward_model, value=value_model)


def _drawn(count: int, number: int, generator: torch.Generator) -> list[int]:
    indices: list[int] = torch.randint(count, (number,), generator=generator).tolist()
    return indices


def _minibatches(count: int, config: PpoConfig, generator: torch.Generator) -> Sequence[torch.Tensor]:
    """Row numbers of all parts of all passes. Every pass has an order of its own."""
    parts = min(config.minibatches, count)
    return [rows for _ in range(config.epochs) for rows in torch.randperm(count, generator=generator).chunk(parts)]
