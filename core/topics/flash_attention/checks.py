"""What cannot run, said before anything starts: one sentence each, with what would do."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.format import format_quantity
from core.hardware.host import host_facts
from core.topics.flash_attention.model.plan import Plan, plan
from core.topics.flash_attention.params import FlashAttentionParams

_SHARE_OF_FREE_MEMORY = 0.8
_LONGEST_EMULATION_S = 600.0


def check(params: FlashAttentionParams, available_bytes: int | None = None) -> None:
    """Raises InvalidParams for tiles larger than the GPU's SRAM, and for a run too large or too long for this host.

    `available_bytes` is the free memory to reckon with; None asks the host (a container's limit included).
    """
    planned = plan(params)
    if not planned.fits:
        raise InvalidParams(planned.sram.sentence, planned.sram.field)
    free = host_facts().available_memory_bytes if available_bytes is None else available_bytes
    cost = planned.cost
    if cost.peak_bytes > _SHARE_OF_FREE_MEMORY * free:
        raise InvalidParams(
            f"This run would need about {format_quantity(cost.peak_bytes, 'bytes')} of memory, "
            f"{format_quantity(cost.score_bytes, 'bytes')} of it for the scores S and P of standard attention, and "
            f"{format_quantity(free, 'bytes')} are free: {_advice(planned, 'space')}.",
            _heaviest(params),
        )
    if cost.seconds > _LONGEST_EMULATION_S:
        raise InvalidParams(
            f"This run would take about {cost.seconds:,.0f} s on a CPU, and {_LONGEST_EMULATION_S:g} s "
            f"is the longest that is started: {_advice(planned, 'time')}.",
            _heaviest(params),
        )


def _heaviest(params: FlashAttentionParams) -> str:
    """The parameter whose lowering saves most."""
    if params.seq_len * params.key_len > 1024 * 1024 or params.batch * params.heads == 1:
        return "seq_len"
    return "batch" if params.batch > params.heads else "heads"


def _advice(planned: Plan, resource: str) -> str:
    field = _heaviest(planned.params)
    value = getattr(planned.params, field)
    rule = "halving it takes a quarter" if field == "seq_len" and not planned.params.kv_len else "halving it takes half"
    return f"lower {field} from {value} ({rule} of the {resource})"
