"""Group relative policy optimization: several answers per prompt, each compared with the mean of its group.

No value model: three models are in memory, the policy, the reference (the SFT model) and the reward model. With a rule
that a program can check in place of the reward model, there are two. Workers only.
Source: Shao et al. 2024 (DeepSeekMath), arXiv 2402.03300, section 4.1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.adapters import trainable_copy
from core.topics.training.stages.advantages import group_advantages
from core.topics.training.stages.answer_batch import answer_logits, answer_logprobs, ended
from core.topics.training.stages.answers import Reader
from core.topics.training.stages.checkpoints import StageFiles, TrainingState, identity_of, weights_digest
from core.topics.training.stages.configs import GrpoConfig
from core.topics.training.stages.instructions import InstructionData
from core.topics.training.stages.kl import k1
from core.topics.training.stages.optimization import new_optimizer, stopping_at_nan, update
from core.topics.training.stages.policy_evaluation import evaluate_policy
from core.topics.training.stages.policy_losses import grpo_loss, is_clipped
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
def train_grpo(
    start: Any,
    reward_model: ScalarModel,
    tokenizer: PreTrainedTokenizerBase,
    reader: Reader,
    data: InstructionData,
    config: GrpoConfig,
    folder: Path | None = None,
) -> Generator[Record, None, Trained]:
    """Train a copy of the SFT model `start` to give answers that the reward model likes. Raises as `train_sft`.

    `true_reward` and `eval/true_reward` are the rule's score: they are measured, nothing is trained on them.
    """
    policy, reference, reward_model = trainable_copy(start), frozen(start), frozen(reward_model)
    optimizer = new_optimizer(config, policy)
    generator = torch.Generator().manual_seed(config.seed)
    state = TrainingState({"policy": policy}, optimizer, generator)
    identity = identity_of("grpo", config, start, (weights_digest(reward_model), data.prompts_train))
    files = StageFiles(folder, identity, config.save_every, config.steps)
    yield from files.resume(state)

    for step in range(state.step + 1, config.steps + 1):
        # 1. The policy answers every prompt several times.
        groups = config.batch // config.group
        drawn = torch.randint(len(data.prompts_train), (groups,), generator=generator).tolist()
        asked = [data.prompts_train[index] for index in drawn for _ in range(config.group)]
        prompts = [item.prompt for item in asked]
        batch = sample_answers(policy, tokenizer, prompts, config.max_tokens, 1.0, generator)

        # 2. The reward model scores whole answers. Which ones are better than the others of their group?
        with torch.no_grad():
            old_logprobs, reference_logprobs = answer_logprobs(policy, batch), answer_logprobs(reference, batch)
            scores = reward_model.scores(batch)
        grouped, zero_share = group_advantages(scores.view(groups, config.group), config.scale_advantages)
        advantages = grouped.flatten()

        # 3. Make those likelier, token by token, without going far from the SFT model.
        passes: dict[str, list[float]] = defaultdict(list)
        for _ in range(config.iterations):
            logits = answer_logits(policy, batch)
            logprobs = token_logprobs(logits, batch.answers) * batch.mask
            loss, statistics = grpo_loss(
                logprobs, old_logprobs, reference_logprobs, advantages, batch.mask, config.clip, config.beta
            )
            statistics["entropy"] = masked_mean(entropy(logits.detach()), batch.mask).item()
            statistics |= update(optimizer, loss, config, step)
            for name, value in statistics.items():
                passes[name].append(value)

        # 4. What is written down.
        state.num_tokens += batch.tokens
        true_rewards = [judgement.score for judgement in judged(reader, tokenizer, asked, batch)]
        metrics = {name: float(np.mean(values)) for name, values in passes.items()} | {
            "reward": scores.mean().item(),
            "reward_std": scores.std().item(),
            "frac_reward_zero_std": zero_share,
            "objective/kl": k1(old_logprobs, reference_logprobs).sum(dim=1).mean().item(),
            "completions/mean_length": batch.lengths.float().mean().item(),
            "completions/clipped_ratio": 1 - ended(tokenizer, batch).float().mean().item(),
            "true_reward": float(np.mean(true_rewards)),
            "num_tokens": float(state.num_tokens),
        }
        if step % config.eval_every == 0 or step in (1, config.steps):
            metrics |= evaluate_policy(
                policy, reference, tokenizer, reader, data.prompts_held_out, config.max_tokens, step, reward_model
            )
        first = batch.part(slice(0, 1))
        token_advantages = advantages[:1, None].expand_as(first.mask)
        with torch.no_grad():
            clipped = is_clipped(answer_logprobs(policy, first), old_logprobs[:1], token_advantages, config.clip)
        sample = token_view(
            tokenizer,
            first,
            prompt=prompts[0],
            logprobs=old_logprobs,
            reference=reference_logprobs,
            advantages=token_advantages,
            clipped=clipped,
            score=float(scores[0]),
            true_reward=true_rewards[0],
        )
        yield files.keep(state, step, metrics, sample)
    return trained(policy, policy=policy, reference=reference, reward=reward_model)
