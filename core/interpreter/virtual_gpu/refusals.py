"""What a virtual GPU cannot stand in for: one sentence that names the call."""

from __future__ import annotations

import inspect
from typing import Any

from core.contracts.errors import MissingRequirement
from core.contracts.text import tr


class NotVirtual(MissingRequirement, AttributeError):
    """Also an AttributeError, so that `hasattr` and `getattr` with a default find nothing."""


def refused(call: str) -> NotVirtual:
    """The error for a call such as 'torch.cuda.CUDAGraph'."""
    return NotVirtual(
        tr(
            "{call} needs a real GPU, which the virtual one cannot stand in for: leave the call out of what is traced, "
            "or trace on a machine with a GPU.",
            call=call,
        )
    )


def refusing(call: str, original: Any = None) -> Any:
    """A function that raises the error when it is called; in place of a class, one that can still be named in types."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise refused(call)

    return type(original.__name__, (), {"__new__": refuse}) if inspect.isclass(original) else refuse
