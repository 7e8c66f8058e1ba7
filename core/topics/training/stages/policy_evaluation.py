"""What a policy's answers are worth, and how far the policy has moved from the SFT model. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.torch_state import evaluating
from core.topics.training.stages.answer_batch import answer_logits
from core.topics.training.stages.answers import Reader
from core.topics.training.stages.instructions import Instruction
from core.topics.training.stages.kl import exact_kl
from core.topics.training.stages.preferences import judged
from core.topics.training.stages.sampling import sample_answers
from core.topics.training.stages.scalar_model import ScalarModel
from core.topics.training.stages.tokens import entropy, masked_mean

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EVALUATION_ANSWERS = 48


def evaluate_policy(
    policy: Any,
    reference: Any,
    tokenizer: PreTrainedTokenizerBase,
    reader: Reader,
    prompts: Sequence[Instruction],
    max_tokens: int,
    seed: int,
    reward_model: ScalarModel | None = None,
    answers: int = EVALUATION_ANSWERS,
) -> dict[str, float]:
    """Sampled answers to held-out prompts, measured. `seed` determines the draws; training draws others.

    `eval/kl` is the exact KL to the reference of each token, summed over the answer: a mean over answers, in nats.
    """
    generator = torch.Generator().manual_seed(seed)
    asked = [prompts[index % len(prompts)] for index in range(answers)]
    batch = sample_answers(policy, tokenizer, [item.prompt for item in asked], max_tokens, 1.0, generator)
    with evaluating(policy), evaluating(reference):
        logits, reference_logits = answer_logits(policy, batch), answer_logits(reference, batch)
    kl = (exact_kl(logits, reference_logits) * batch.mask).sum(dim=1)
    judgements = judged(reader, tokenizer, asked, batch)
    measured = {
        "eval/true_reward": float(np.mean([judgement.score for judgement in judgements])),
        "eval/kl": kl.mean().item(),
        "eval/entropy": masked_mean(entropy(logits), batch.mask).item(),
        "eval/mean_length": batch.lengths.float().mean().item(),
        "eval/ended": float(np.mean([judgement.ended for judgement in judgements])),
    }
    if reward_model is not None:
        with evaluating(reward_model):
            measured["eval/scores"] = reward_model.scores(batch).mean().item()
    return measured
