"""Checks whether copies of a model fit into memory, before any copy is made."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.contracts.text import Text, tr
from core.hardware.host import host_facts

PARAMETER_BYTES = 4
"""Bytes per parameter in float32."""

TRAINED_PARAMETER_BYTES = 16
"""Bytes per parameter trained by AdamW in float32: weight, gradient and two moments."""


def check_memory(
    needed_bytes: int, copies: int, remedy: Text, field: str | None, free_bytes: int | None = None
) -> None:
    """Raises InvalidParams for `field` if training `copies` of a model needs more memory than this machine has free.

    `remedy` is an instruction, such as 'select fewer methods'. Activations are not counted.
    """
    free = host_facts().available_memory_bytes if free_bytes is None else free_bytes
    if needed_bytes > free:
        raise InvalidParams(
            tr(
                "Training {copies} copies of this model needs {needed:.1f} GiB without activations, but only "
                "{free:.1f} GiB of memory are free: {remedy}.",
                copies=copies,
                needed=needed_bytes / 2**30,
                free=free / 2**30,
                remedy=remedy,
            ),
            field,
        )
