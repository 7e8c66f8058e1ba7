"""What a trained model does when it speaks: whether it stops, and whether it speaks for the user. Workers only."""

from __future__ import annotations

from typing import Any

from core.topics.dialogue.experiment.setting import Setting
from core.topics.dialogue.experiment.speaking import continued
from core.topics.dialogue.result import Behaviour, Generation

GENERATIONS, NEW_TOKENS, SHOWN = 32, 32, 4


def behaviour(setting: Setting, model: Any) -> Behaviour:
    """Greedy generations of held-out answers, half of the first turn and half of the last, past the end token."""
    chosen = setting.held_out[:GENERATIONS]
    turns = [number % 2 * (setting.params.turns - 1) for number in range(len(chosen))]
    asked = [item.conversation.messages[: 2 * turn + 1] for item, turn in zip(chosen, turns, strict=True)]
    generated = continued(model, [setting.encoder.prompt(messages) for messages in asked], NEW_TOKENS)
    opening = setting.encoder.opening("user").strip()
    can_tell = bool(opening) and setting.text([setting.end_token]) not in opening
    generations = []
    for item, turn, messages, tokens in zip(chosen, turns, asked, generated, strict=True):
        text = setting.text(tokens)
        ended = tokens.index(setting.end_token) if setting.end_token in tokens else -1
        _, opens, words = text.partition(opening) if can_tell else (text, "", "")
        generations.append(
            Generation(
                prompt=messages[-1].content,
                expected=item.answers[turn],
                text=text,
                ended=ended,
                speaks_for_user=bool(opens) and bool(words.strip()),
            )
        )
    count = len(generations)
    return Behaviour(
        generations=count,
        tokens=NEW_TOKENS,
        stops=sum(one.ended >= 0 for one in generations) / count,
        speaks_for_user=sum(one.speaks_for_user for one in generations) / count if can_tell else float("nan"),
        shown=tuple(generations[:SHOWN]),
    )
