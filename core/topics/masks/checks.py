"""What cannot run, said before anything starts: one sentence each, with what would do."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.format import format_quantity
from core.hardware.host import host_facts
from core.topics.masks.model import plan
from core.topics.masks.params import MasksParams

_SHARE_OF_FREE_MEMORY = 0.8
_TRACE_BUDGET_BYTES = 1 << 30
_LONGEST_S = 600.0
_SECONDS_PER_SCORE = 6e-7
"""On two CPU cores, four implementations and the float64 reference together."""
_SCORE_MATRICES = 4
"""What plain PyTorch and an uncompiled FlexAttention hold at once, in float32."""


def check(params: MasksParams, available_bytes: int | None = None) -> None:
    """Raises InvalidParams for a run that is too large or too long for this host.

    `available_bytes` is the free memory to reckon with; None asks the host (a container's limit included).
    """
    scores = plan(params).cost.cells * params.heads
    needed = 4 * _SCORE_MATRICES * scores + _TRACE_BUDGET_BYTES
    free = host_facts().available_memory_bytes if available_bytes is None else available_bytes
    advice = "lower heads, the lengths or the batch; the picture needs no run"
    if needed > _SHARE_OF_FREE_MEMORY * free:
        raise InvalidParams(
            f"This run would need about {format_quantity(needed, 'bytes')} of memory for the scores of plain PyTorch, "
            f"and {format_quantity(free, 'bytes')} are free: {advice}.",
            "heads",
        )
    if scores * _SECONDS_PER_SCORE > _LONGEST_S:
        raise InvalidParams(
            f"This run would take about {scores * _SECONDS_PER_SCORE:,.0f} s on a CPU, and {_LONGEST_S:g} s is the "
            f"longest that is started: {advice}.",
            "heads",
        )
