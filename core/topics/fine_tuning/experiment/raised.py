"""What transformers, peft and bitsandbytes raise in an architecture that they were not made for."""

from __future__ import annotations

from core.errors import TilescopeError

WHAT_LIBRARIES_RAISE = (
    TilescopeError,
    RuntimeError,
    ValueError,
    AttributeError,
    LookupError,
    TypeError,
    AssertionError,
)


def reason(error: BaseException) -> str:
    """The first line of what the error says, or its name where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
