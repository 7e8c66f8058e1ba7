"""The conversation that the page shows first."""

from __future__ import annotations

import json

from core.chat.messages import Conversation, Message

EXAMPLE_CONVERSATION = Conversation(
    (
        Message("system", "Answer in a sentence."),
        Message(
            "user", "She is Ada Morel. Home: Lanston. Hobby: chess. Award: Bristin Cup. What does Ada Morel enjoy?"
        ),
        Message("assistant", "The card says that she enjoys chess."),
        Message("user", "And the home?"),
        Message("assistant", "She lives in Lanston."),
        Message("user", "And the award?"),
        Message("assistant", "She won the Bristin Cup."),
    )
)
EXAMPLE = json.dumps(EXAMPLE_CONVERSATION.as_dict(), ensure_ascii=False, indent=1)
