"""Direct preference optimization: learns from the pairs themselves, without a reward model. Workers only."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from core.language_model.adapters import trainable_copy
from core.topics.training.stages.answer_batch import AnswerBatch, answer_logprobs
from core.topics.training.stages.answers import Reader
from core.topics.training.stages.batches import epoch_batch
from core.topics.training.stages.checkpoints import StageFiles, TrainingState, identity_of
from core.topics.training.stages.configs import DpoConfig
from core.topics.training.stages.instructions import InstructionData
from core.topics.training.stages.losses import PairLogprobs, dpo_loss
from core.topics.training.stages.optimization import new_optimizer, stopping_at_nan, update
from core.topics.training.stages.policy_evaluation import evaluate_policy
from core.topics.training.stages.preferences import Pairs
from core.topics.training.stages.records import Record
from core.topics.training.stages.reward import pair_batch
from core.topics.training.stages.scalar_model import ScalarModel
from core.topics.training.stages.trained import Trained, frozen, trained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@stopping_at_nan
def train_dpo(
    start: Any,
    tokenizer: PreTrainedTokenizerBase,
    reader: Reader,
    data: InstructionData,
    pairs: Pairs,
    config: DpoConfig,
    folder: Path | None = None,
    judge: ScalarModel | None = None,
) -> Generator[Record, None, Trained]:
    """Train a copy of the SFT model `start` to like the chosen answers better than the rejected ones.

    Two models are in memory: the policy and the reference, which is `start`. `judge` is a reward model that only
    measures. `num_tokens` counts the tokens that were generated for the pairs: all of them before the first step.
    Raises as `train_sft`.
    """
    policy, reference = trainable_copy(start), frozen(start)
    optimizer = new_optimizer(config, policy)
    state = TrainingState({"policy": policy}, optimizer, torch.Generator().manual_seed(config.seed))
    files = StageFiles(folder, identity_of("dpo", config, start, pairs.train), config.save_every, config.steps)
    yield from files.resume(state)

    for step in range(state.step + 1, config.steps + 1):
        # 1. The next pairs.
        batch = pair_batch(tokenizer, epoch_batch(pairs.train, config.batch, step, config.seed))

        # 2. How likely are both answers under the policy, and how likely were they under the reference?
        logprobs = pair_logprobs(policy, batch)
        with torch.no_grad():
            reference_logprobs = pair_logprobs(reference, batch)

        # 3. The chosen answer should have become likelier, compared with the rejected one.
        loss, statistics = dpo_loss(logprobs, reference_logprobs, config.beta)
        statistics |= update(optimizer, loss, config, step)

        statistics |= {"epoch": step * config.batch / len(pairs.train), "num_tokens": float(pairs.num_tokens)}
        if step % config.eval_every == 0 or step in (1, config.steps):
            statistics |= evaluate_policy(
                policy, reference, tokenizer, reader, data.prompts_held_out, config.max_tokens, step, judge
            )
        yield files.keep(state, step, statistics)
    return trained(policy, policy=policy, reference=reference)


def pair_logprobs(model: Any, batch: AnswerBatch) -> PairLogprobs:
    """log p of the answers of a batch of chosen and then rejected answers."""
    return PairLogprobs(*answer_logprobs(model, batch).sum(dim=1).chunk(2))
