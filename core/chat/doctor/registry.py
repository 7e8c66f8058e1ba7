"""All failures that the doctor knows."""

from __future__ import annotations

from collections.abc import Mapping

from core.chat.doctor import (
    batches,
    conversations,
    end_of_turn,
    history,
    injected_text,
    loss_mask,
    mask_edges,
    packed_rows,
    rendered_messages,
    special_tokens,
    truncation,
)
from core.chat.doctor.failures import Failure, Group

GROUPS: tuple[Group, ...] = (
    end_of_turn.GROUP,
    loss_mask.GROUP,
    mask_edges.GROUP,
    history.GROUP,
    injected_text.GROUP,
    special_tokens.GROUP,
    rendered_messages.GROUP,
    conversations.GROUP,
    truncation.GROUP,
    packed_rows.GROUP,
    batches.GROUP,
)
FAILURES: Mapping[str, Failure] = {failure.id: failure for group in GROUPS for failure in group.failures}
"""By id, in the order in which they are shown."""
