"""Errors worded for the user who will read them."""

from __future__ import annotations

from core.contracts.text import Text, as_text


class TilescopeError(Exception):
    """One clear sentence: what is wrong, why, and what helps. Shown to the user, never as a traceback.

    `stack` is the user's own part of the traceback, where code of theirs was running: shown on request.
    """

    stack: str = ""

    def __init__(self, text: Text | str) -> None:
        self.text = as_text(text)
        super().__init__(self.text)

    @property
    def sentence(self) -> str:
        """The text in the current language."""
        return str(self.text)


class InvalidParams(TilescopeError):
    """A parameter is out of range, or a combination of parameters is impossible.

    `field` names the parameter to highlight; None for a combination.
    """

    def __init__(self, text: Text | str, field: str | None = None) -> None:
        super().__init__(text)
        self.field = field

    def __reduce__(self) -> tuple[type[InvalidParams], tuple[Text, str | None]]:
        return (InvalidParams, (self.text, self.field))


class UnknownName(TilescopeError):
    """A topic, parameter, GPU or implementation that does not exist; the sentence lists those that do."""


class MissingRequirement(TilescopeError):
    """Something this machine lacks (triton, a display, a GPU); the sentence says what to do about it."""


class RunFailed(TilescopeError):
    """A run that ended without a result for a reason that the caller cannot correct."""


class InternalError(RunFailed):
    """An error inside Tilescope: its `__cause__`. The sentence never blames the user's code or input."""


CALLER_ERRORS = (InvalidParams, UnknownName, MissingRequirement)
"""Errors that the caller can correct: by other parameters, another name, or by installing what is missing."""
