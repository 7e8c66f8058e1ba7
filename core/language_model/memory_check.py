"""Whether copies of a model fit into memory, checked before any is made."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.hardware.host import host_facts

WEIGHT_BYTES = 4
"""A parameter in float32."""

TRAINED_BYTES = 16
"""A parameter that AdamW trains, in float32: its weight, its gradient and two moments."""


def check_memory(needed_bytes: int, what: str, remedy: str, field: str | None, free_bytes: int | None = None) -> None:
    """Raises InvalidParams, blaming `field`, where more bytes are needed than are free on this machine.

    `what` says who needs them, such as '3 methods train a copy each of this model'; `remedy` what would do, such as
    'name fewer methods'. Activations are not counted.
    """
    free = host_facts().available_memory_bytes if free_bytes is None else free_bytes
    if needed_bytes > free:
        raise InvalidParams(
            f"{what}, {needed_bytes / 2**30:.1f} GiB without their activations, and {free / 2**30:.1f} GiB of memory "
            f"are free: {remedy}.",
            field,
        )
