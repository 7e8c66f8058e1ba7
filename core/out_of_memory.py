"""Which errors say that memory is exhausted."""

from __future__ import annotations

_WORDS = ("out of memory", "can't allocate memory")


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether it is MemoryError, torch.OutOfMemoryError, or the RuntimeError that torch raises for CPU memory."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS))
    )
