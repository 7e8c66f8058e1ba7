"""What a model answers: the same prompts after every stage, and questions that tell what it knows. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from core.language_model.evaluation import completion_accuracy
from core.language_model.text import completions
from core.language_model.torch_state import evaluating
from core.topics.training.experiment.setting import Setting
from core.topics.training.result import Abilities, AnsweredPrompt
from core.topics.training.stages.answer_batch import AnswerBatch, answer_texts, ended
from core.topics.training.stages.answers import REFUSAL, Form, expected_answer, has_form, question
from core.topics.training.stages.instructions import Instruction
from core.topics.training.stages.rule import judge
from core.topics.training.stages.sampling import sample_answers
from core.topics.training.stages.scalar_model import ScalarModel

QUESTION_TOKENS = 24
_AT_ONCE = 96
_DESCRIBED, _ASKED, _UNKNOWN = 3, 3, 2
DESCRIPTION, QUESTION, UNKNOWN = "description", "question", "unknown"


def greedy(setting: Setting, model: Any, asked: Sequence[Instruction], max_tokens: int) -> list[tuple[str, bool]]:
    """The likeliest answer to each prompt, and whether it came to its end."""
    found: list[tuple[str, bool]] = []
    for first in range(0, len(asked), _AT_ONCE):
        batch = _greedy_batch(setting, model, asked[first : first + _AT_ONCE], max_tokens)
        found += zip(answer_texts(setting.tokenizer, batch), ended(setting.tokenizer, batch).tolist(), strict=True)
    return found


def _greedy_batch(setting: Setting, model: Any, asked: Sequence[Instruction], max_tokens: int) -> AnswerBatch:
    prompts = [item.prompt for item in asked]
    return sample_answers(model, setting.tokenizer, prompts, max_tokens, 0.0, torch.Generator())


def compared_prompts(setting: Setting) -> tuple[tuple[str, Instruction], ...]:
    """Kind and prompt of what every stage answers: descriptions of people whom no example names, a known question in
    each form, and questions about people in no text."""
    data = setting.data
    described = data.prompts_held_out[:: max(1, len(data.prompts_held_out) // _DESCRIBED)][:_DESCRIBED]
    asked = [next((item for item in data.known if item.form is form), None) for form in Form]
    return (
        *((DESCRIPTION, item) for item in described),
        *((QUESTION, item) for item in asked if item is not None),
        *((UNKNOWN, item) for item in data.unknown[:_UNKNOWN]),
    )


def with_answers(
    setting: Setting,
    stage: str,
    model: Any,
    answered: Sequence[AnsweredPrompt],
    reward_model: ScalarModel | None = None,
) -> tuple[AnsweredPrompt, ...]:
    """The prompts with the answers of the model after `stage`; the first time, with the prompts themselves.

    The likeliest answers are the same each time, so a stage before the reward model can be asked again to have them
    scored.
    """
    asked = compared_prompts(setting)
    before = answered or [AnsweredPrompt(item.prompt, kind, item.answer) for kind, item in asked]
    batch = _greedy_batch(setting, model, [item for _, item in asked], setting.params.max_tokens)
    texts, ends = answer_texts(setting.tokenizer, batch), ended(setting.tokenizer, batch).tolist()
    scores = _scores(reward_model, batch)
    found = []
    for row, ((kind, item), old) in enumerate(zip(asked, before, strict=True)):
        new = replace(old, answers={**old.answers, stage: texts[row]})
        if kind == DESCRIPTION:
            judgement = judge(setting.reader, texts[row], item.person, ends[row])
            new = replace(
                new,
                true_rewards={**old.true_rewards, stage: float(judgement.score)},
                judgements={**old.judgements, stage: judgement},
                scores={**old.scores, stage: scores[row]} if scores else old.scores,
            )
        found.append(new)
    return tuple(found)


def _scores(reward_model: ScalarModel | None, batch: AnswerBatch) -> list[float]:
    """What the reward model gives each answer; none without a reward model."""
    if reward_model is None:
        return []
    with evaluating(reward_model), torch.no_grad():
        scores: list[float] = reward_model.scores(batch).tolist()
    return scores


def abilities(setting: Setting, model: Any) -> Abilities:
    """What the model knows and invents, by its greedy answers."""
    data = setting.data
    known = greedy(setting, model, data.known, QUESTION_TOKENS)
    new = greedy(setting, model, data.new, QUESTION_TOKENS)
    unknown = greedy(setting, model, data.unknown, QUESTION_TOKENS)
    unstated = _unstated(setting)
    true = _truths(setting, model)
    return Abilities(
        known=_right(data.known, known),
        new=_right(data.new, new) if data.new else None,
        invented=float(np.mean([text != REFUSAL for text, _ in unknown])),
        form=float(np.mean([_in_form(item, text) for item, (text, _) in zip(data.known, known, strict=True)])),
        unstated=_right(unstated, greedy(setting, model, unstated, QUESTION_TOKENS)),
        truth=float(np.mean(true)) if true else None,
        asked={
            "known": len(data.known),
            "new": len(data.new),
            "invented": len(data.unknown),
            "unstated": len(unstated),
            "truth": len(true),
        },
    )


def recalled(setting: Setting, model: Any) -> float:
    """Share of the known facts whose value the model names when it completes a sentence that no text contains."""
    facts = [item.fact for item in setting.data.known if item.fact is not None]
    return completion_accuracy(model, setting.tokenizer, completions(setting.world, facts)).accuracy


def _unstated(setting: Setting) -> list[Instruction]:
    """Questions about the facts that no text states."""
    form = Form.SENTENCE
    return [
        Instruction(question(fact, 0, form), expected_answer(fact, form), fact.person, fact, form)
        for fact in setting.world.unstated
    ]


def _right(asked: Sequence[Instruction], answers: Sequence[tuple[str, bool]]) -> float:
    named = [item.fact is not None and item.fact.value in text for item, (text, _) in zip(asked, answers, strict=True)]
    return float(np.mean(named)) if named else 0.0


def _in_form(item: Instruction, text: str) -> bool:
    assert item.fact is not None
    assert item.form is not None
    return has_form(text, item.fact, item.form)


def _truths(setting: Setting, model: Any) -> list[bool]:
    """For every fact in descriptions of people whom no example names, whether it is true."""
    asked = setting.data.prompts_held_out
    return [
        setting.reader.is_true(statement, item.person)
        for item, (text, _) in zip(asked, greedy(setting, model, asked, setting.params.max_tokens), strict=True)
        for statement in setting.reader.statements(text, item.person)
        if statement.relation is not None
    ]
