"""The reward model: learns from pairs of answers which one is preferred, as a score for any answer. Workers only."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.data import padding_id
from core.language_model.torch_state import evaluating
from core.topics.training.stages.answer_batch import AnswerBatch, from_tokens, prompt_tokens
from core.topics.training.stages.batches import epoch_batch
from core.topics.training.stages.calibration import Calibration, calibration
from core.topics.training.stages.checkpoints import StageFiles, TrainingState, identity_of
from core.topics.training.stages.configs import RewardConfig
from core.topics.training.stages.losses import reward_loss
from core.topics.training.stages.optimization import new_optimizer, stopping_at_nan, update
from core.topics.training.stages.preferences import Pair, Pairs
from core.topics.training.stages.records import Record
from core.topics.training.stages.scalar_model import ScalarModel
from core.topics.training.stages.trained import Trained, trained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_EVALUATION_BATCH = 64


@stopping_at_nan
def train_reward(
    start: Any, tokenizer: PreTrainedTokenizerBase, pairs: Pairs, config: RewardConfig, folder: Path | None = None
) -> Generator[Record, None, Trained]:
    """Train a reward model, which begins as the SFT model `start` with a scalar head.

    `eval_accuracy` is the share of held-out pairs whose chosen answer scores higher. Only differences of scores are
    learned, so at the end the scores are shifted to a mean of 0 over the training pairs. Raises as `train_sft`.
    """
    model = ScalarModel(start)
    optimizer = new_optimizer(config, model)
    state = TrainingState({"model": model}, optimizer, torch.Generator().manual_seed(config.seed))
    identity = identity_of("reward", config, start, (pairs.train, pairs.held_out))
    files = StageFiles(folder, identity, config.save_every, config.steps)
    yield from files.resume(state)

    for step in range(state.step + 1, config.steps + 1):
        # 1. The next pairs, and the scores of both answers.
        batch = pair_batch(tokenizer, epoch_batch(pairs.train, config.batch, step, config.seed))
        chosen, rejected = model.scores(batch).chunk(2)

        # 2. Bradley-Terry: how unlikely does their difference make the label?
        loss, statistics = reward_loss(chosen, rejected)

        # 3. Move the scores of the chosen answers up and those of the rejected ones down.
        statistics |= update(optimizer, loss, config, step)

        statistics["epoch"] = step * config.batch / len(pairs.train)
        if step % config.eval_every == 0 or step in (1, config.steps):
            margins = pair_margins(model, tokenizer, pairs.held_out)
            statistics["eval_accuracy"] = float((margins > 0).mean())
            statistics["eval_loss"] = float(np.logaddexp(0, -margins).mean())
        yield files.keep(state, step, statistics)
    with torch.no_grad():
        model.head.bias.sub_(mean_score(model, tokenizer, pairs.train))
    return trained(model, reward=model)


def pair_batch(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair]) -> AnswerBatch:
    """All chosen answers, then all rejected ones, in the same order: [2 · pairs, ...]."""
    prompts = [prompt_tokens(tokenizer, pair.prompt) for pair in pairs]
    answers = [*(pair.chosen_tokens for pair in pairs), *(pair.rejected_tokens for pair in pairs)]
    return from_tokens([*prompts, *prompts], answers, padding_id(tokenizer))


def pair_margins(model: ScalarModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair]) -> np.ndarray:
    """Score of the chosen minus score of the rejected answer, float64 [pairs]."""
    margins: list[float] = []
    with evaluating(model):
        for first in range(0, len(pairs), _EVALUATION_BATCH):
            batch = pair_batch(tokenizer, pairs[first : first + _EVALUATION_BATCH])
            chosen, rejected = model.scores(batch).double().chunk(2)
            margins += (chosen - rejected).tolist()
    return np.array(margins)


def mean_score(model: ScalarModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair]) -> float:
    """Mean score of all answers of the pairs."""
    scores: list[float] = []
    with evaluating(model):
        for first in range(0, len(pairs), _EVALUATION_BATCH):
            scores += model.scores(pair_batch(tokenizer, pairs[first : first + _EVALUATION_BATCH])).tolist()
    return float(np.mean(scores))


def reward_calibration(model: ScalarModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair]) -> Calibration:
    """How often the answer that the model prefers is the preferred one, by how sure the model is."""
    return calibration(pair_margins(model, tokenizer, pairs))
