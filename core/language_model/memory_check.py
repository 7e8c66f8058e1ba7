"""Checks whether copies of a model fit into memory, before any copy is made."""

from __future__ import annotations

from core.contracts.errors import InvalidParams
from core.hardware.host import host_facts

PARAMETER_BYTES = 4
"""Bytes per parameter in float32."""

TRAINED_PARAMETER_BYTES = 16
"""Bytes per parameter trained by AdamW in float32: weight, gradient and two moments."""


def check_memory(needed_bytes: int, task: str, remedy: str, field: str | None, free_bytes: int | None = None) -> None:
    """Raises InvalidParams for `field` if a task needs more memory than this machine has free.

    `task` is the subject of the sentence, such as 'Training 3 copies of this model'; `remedy` is an instruction, such
    as 'select fewer methods'. Activations are not counted.
    """
    free = host_facts().available_memory_bytes if free_bytes is None else free_bytes
    if needed_bytes > free:
        raise InvalidParams(
            f"{task} needs {needed_bytes / 2**30:.1f} GiB without activations, but only {free / 2**30:.1f} GiB of "
            f"memory are free: {remedy}.",
            field,
        )
