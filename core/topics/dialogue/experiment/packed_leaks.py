"""What a forgotten document mask lets through: losses, logits and answers of packed conversations. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.chat.messages import Message
from core.chat.targets import IGNORED
from core.topics.dialogue.examples import Example
from core.topics.dialogue.experiment.batches import one_per_row, packed
from core.topics.dialogue.experiment.evaluation import logits_of, target_losses
from core.topics.dialogue.experiment.setting import Setting
from core.topics.dialogue.experiment.speaking import continued
from core.topics.dialogue.result import LeakedAnswer, LeakedDocument
from core.topics.dialogue.training_set import world
from core.topics.dialogue.world_conversations import STRANGERS, card, later_question, world_conversations

PACKED_ROWS = 3
ASKED = 24
ANSWER_TOKENS = 14


def leaks(setting: Setting, model: Any, capacity: int) -> tuple[LeakedDocument, ...]:
    """Held-out conversations in rows of `capacity` tokens: alone, packed with the document mask and positions from 0 in
    each, and packed without either."""
    chosen: list[Example] = []
    for example in setting.held_out_examples:
        if sum(map(len, chosen)) + len(example) > PACKED_ROWS * capacity:
            break
        chosen.append(example)
    masked, packing = packed(chosen, capacity)
    leaked, _ = packed(chosen, capacity, document_mask=False, positions_reset=False)
    packed_logits = [logits_of(model, rows) for rows in (masked, leaked)]
    packed_losses = [target_losses(logits, rows) for logits, rows in zip(packed_logits, (masked, leaked), strict=True)]
    found = []
    for piece in range(packing.row.size):
        example = chosen[packing.document[piece]]
        alone = one_per_row([example])
        own_logits = logits_of(model, alone)
        own_losses = target_losses(own_logits, alone)
        row, begin = int(packing.row[piece]), int(packing.offset[piece])
        inside = slice(begin, begin + len(example))
        count = int((alone.labels != IGNORED).sum())
        losses = [float(each[row, inside].sum()) / count for each in packed_losses]
        differences = [float((each[row, inside] - own_logits[0]).abs().max()) for each in packed_logits]
        found.append(
            LeakedDocument(
                row=row,
                place=piece - packing.pieces_of(row).start,
                tokens=len(example),
                foreign=begin,
                alone=float(own_losses.sum()) / count,
                masked=losses[0],
                leaked=losses[1],
                masked_logits=differences[0],
                leaked_logits=differences[1],
                text=setting.held_out[packing.document[piece]].conversation.messages[0].content[:80],
            )
        )
    return tuple(found)


def leaked_answers(setting: Setting, model: Any) -> tuple[LeakedAnswer, ...]:
    """Questions about somebody of whom nothing was told, behind a conversation whose card has such a fact."""
    drawn = world_conversations(world(), 4 * ASKED, setting.params.turns, setting.seed, STRANGERS)
    cards = [item for item in drawn if item.on_card][:ASKED]
    asked = [item.facts[-1] for item in cards]
    before = [setting.encoder.text_tokens(item.conversation.messages[:2]) for item in cards]
    prompts = [setting.encoder.prompt((Message("user", later_question(fact)),)) for fact in asked]
    joined = [np.concatenate((first, second)) for first, second in zip(before, prompts, strict=True)]
    segments = [np.repeat((0, 1), (len(first), len(second))) for first, second in zip(before, prompts, strict=True)]
    texts = []
    for generated in (
        continued(model, prompts, ANSWER_TOKENS),
        continued(model, joined, ANSWER_TOKENS),
        continued(model, joined, ANSWER_TOKENS, segments),
    ):
        texts.append([_answer(setting, tokens) for tokens in generated])
    return tuple(
        LeakedAnswer(
            neighbour=card([fact]),
            question=later_question(fact),
            alone=alone,
            packed=leaked,
            masked=masked,
            took=fact.value in leaked,
            took_alone=fact.value in alone,
            took_masked=fact.value in masked,
        )
        for fact, alone, leaked, masked in zip(asked, *texts, strict=True)
    )


def shares(answers: Sequence[LeakedAnswer]) -> dict[str, float]:
    """The share of the answers that name what the neighbour tells: alone, with and without document mask."""
    count = len(answers) or 1
    return {
        "alone": sum(answer.took_alone for answer in answers) / count,
        "masked": sum(answer.took_masked for answer in answers) / count,
        "without_mask": sum(answer.took for answer in answers) / count,
    }


def _answer(setting: Setting, tokens: Sequence[int]) -> str:
    end = setting.end_token
    return setting.text(tokens[: tokens.index(end)] if end in tokens else tokens).strip()
