"""Whether the questions need the history: the same answers asked for without it. Workers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.chat.messages import Conversation
from core.topics.dialogue.experiment.evaluation import evaluate
from core.topics.dialogue.experiment.setting import Setting
from core.topics.dialogue.result import HistoryNeed


def history_need(setting: Setting, model: Any) -> HistoryNeed:
    """Right answers to the questions of held-out conversations with what came before, and to each question alone."""
    turns = setting.params.turns
    alone = []
    for turn in range(turns):
        examples = [
            setting.encoder.example(Conversation(item.conversation.messages[2 * turn : 2 * turn + 2]))
            for item in setting.held_out
        ]
        alone.append(float(evaluate(model, examples, 1).correct[0]))
    with_history = evaluate(model, setting.held_out_examples, turns).correct
    return HistoryNeed(
        with_history=with_history.astype(np.float32),
        without_history=np.array(alone, dtype=np.float32),
        conversations=len(setting.held_out),
    )
